//! Workspaces.

use collabflow_actors::store::StoreError;
use collabflow_protocol::{
    id::{UserId, WorkspaceId},
    model::{Role, Workspace},
    time::Timestamp,
};
use mongodb::bson::{Document, doc};
use tokio::time::Instant;

use super::{
    db::{Db, names},
    extra,
    fields::{Fields, date, oid},
    operation::{Found, Inserted, OURS, settle},
    people::People,
    roster,
};

const KNOWN: [&str; 6] = ["_id", "name", "owner", "members", "createdAt", "updatedAt"];

fn read(stored: &Document, people: &People) -> Option<Workspace> {
    let nobody = || UserId(collabflow_protocol::id::ObjectId::from_bytes([0; 12]));
    Some(Workspace {
        id: stored.id("_id")?,
        name: stored.owned("name").unwrap_or_default(),
        owner: stored.id("owner").unwrap_or_else(nobody),
        members: roster::shown(stored, people),
        created_at: stored.made_at(),
        updated_at: stored.changed_at(),
        extra: extra::beside(stored, &KNOWN),
    })
}

async fn show(db: &Db, stored: &[Document]) -> Result<Vec<Workspace>, StoreError> {
    let users = stored.iter().flat_map(roster::listed).map(|(user, _)| user);
    let people = People::find(db, users).await?;
    Ok(stored.iter().filter_map(|one| read(one, &people)).collect())
}

pub(super) async fn show_one(db: &Db, stored: Document) -> Result<Option<Workspace>, StoreError> {
    Ok(show(db, &[stored]).await?.pop())
}

pub(super) async fn find_stored(db: &Db, id: WorkspaceId) -> Result<Option<Document>, StoreError> {
    db.find(names::WORKSPACES, doc! { "_id": oid(id) }).await
}

pub(super) async fn find(db: &Db, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
    match find_stored(db, id).await? {
        Some(stored) => show_one(db, stored).await,
        None => Ok(None),
    }
}

/// One without any members is its owner's.
pub(super) async fn of_user(db: &Db, user: UserId) -> Result<Vec<Workspace>, StoreError> {
    let unlisted = doc! { "owner": oid(user), "members.0": { "$exists": false } };
    let collection = db.collection(names::WORKSPACES);
    let call = collection
        .find(doc! { "$or": [roster::has_member(user), unlisted] })
        .sort(doc! { "createdAt": 1, "_id": 1 });
    let stored = db.list(call).await?;
    show(db, &stored).await
}

pub(super) async fn create(
    db: &Db,
    deadline: Instant,
    id: WorkspaceId,
    name: &str,
    owner: UserId,
    now: Timestamp,
) -> Result<Workspace, StoreError> {
    let members = [roster::new_entry(owner, Role::Owner)];
    let shown = settle!(db, deadline, operation => {
        let document = doc! {
            "_id": oid(id),
            "name": name,
            "owner": oid(owner),
            roster::MEMBERS: &members,
            "createdAt": date(now),
            "updatedAt": date(now),
            "__v": 0,
            OURS: operation.mark(),
        };
        match operation.insert(names::WORKSPACES, &document).await? {
            Inserted::Yes => show_one(db, document).await.map(Some),
            Inserted::Taken => Err(StoreError::Failed(format!("workspace {id} is there already"))),
        }
    })?;
    shown.ok_or_else(|| StoreError::Failed("a workspace of ours cannot be read".into()))
}

pub(super) async fn rename(
    db: &Db,
    deadline: Instant,
    id: WorkspaceId,
    name: &str,
    now: Timestamp,
) -> Result<Option<Workspace>, StoreError> {
    settle!(db, deadline, operation => {
        let stored = match operation.read(names::WORKSPACES, doc! { "_id": oid(id) }).await? {
            Found::Missing => return Ok(Some(None)),
            Found::Done(_, after) => Some(after),
            Found::Fresh(before) if before.text("name") == Some(name) => Some(before),
            Found::Fresh(before) => {
                let update = doc! { "$set": {
                    "name": name, "updatedAt": date(now.max(before.changed_at())),
                } };
                operation
                    .update(names::WORKSPACES, &before, &["name"], update)
                    .await?
            }
        };
        match stored {
            Some(stored) => show_one(db, stored).await.map(Some),
            None => Ok(None),
        }
    })
}
