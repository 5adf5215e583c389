//! Channel documents. The Node backend never had to store any: a project's or a workspace's id is a channel too.

use collabflow_actors::store::StoreError;
use collabflow_protocol::{
    id::{ChannelId, ProjectId, UserId},
    model::Channel,
    time::Timestamp,
};
use mongodb::bson::{Document, doc};
use tokio::time::Instant;

use super::{
    db::{Db, names},
    fields::{Fields, date, oid},
    operation::{Inserted, OURS, settle},
    people::People,
    project,
};

pub(super) fn read(stored: &Document, people: &People) -> Option<Channel> {
    Some(Channel {
        id: stored.id("_id")?,
        name: stored.owned("name").unwrap_or_default(),
        project: stored.id("project"),
        workspace: stored.id("workspace"),
        created_by: people.get(stored.id("createdBy")).map(Into::into),
        created_at: stored.made_at(),
        updated_at: stored.changed_at(),
    })
}

async fn show(db: &Db, stored: &[Document]) -> Result<Vec<Channel>, StoreError> {
    let creators = stored.iter().filter_map(|one| one.id("createdBy"));
    let people = People::find(db, creators).await?;
    Ok(stored.iter().filter_map(|one| read(one, &people)).collect())
}

pub(super) async fn find(db: &Db, id: ChannelId) -> Result<Option<Channel>, StoreError> {
    match db.find(names::CHANNELS, doc! { "_id": oid(id) }).await? {
        Some(stored) => Ok(show(db, &[stored]).await?.pop()),
        None => Ok(None),
    }
}

pub(super) async fn of_project(db: &Db, project: ProjectId) -> Result<Vec<Channel>, StoreError> {
    let collection = db.collection(names::CHANNELS);
    let call = collection
        .find(doc! { "project": oid(project) })
        .sort(doc! { "createdAt": 1, "_id": 1 });
    let stored = db.list(call).await?;
    show(db, &stored).await
}

pub(super) async fn create(
    db: &Db,
    deadline: Instant,
    id: ChannelId,
    name: &str,
    project: ProjectId,
    creator: UserId,
    now: Timestamp,
) -> Result<Option<Channel>, StoreError> {
    settle!(db, deadline, operation => {
        let Some(within) = project::find_stored(db, project).await? else {
            return Ok(Some(None));
        };
        let mut document = doc! {
            "_id": oid(id),
            "name": name,
            "project": oid(project),
            "createdBy": oid(creator),
            "createdAt": date(now),
            "updatedAt": date(now),
            "__v": 0,
            OURS: operation.mark(),
        };
        if let Some(workspace) = within.value("workspace") {
            document.insert("workspace", workspace);
        }
        match operation.insert(names::CHANNELS, &document).await? {
            Inserted::Yes => Ok(Some(show(db, &[document]).await?.pop())),
            Inserted::Taken => Err(StoreError::Failed(format!("channel {id} is there already"))),
        }
    })
}
