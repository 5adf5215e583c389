//! Projects.

use collabflow_actors::store::{StoreError, apply_project_patch};
use collabflow_protocol::{
    id::{ProjectId, UserId, WorkspaceId},
    model::{Project, ProjectDraft, ProjectPatch, Role},
    time::Timestamp,
};
use mongodb::bson::{Bson, Document, doc};
use tokio::time::Instant;

use super::{
    db::{Db, names},
    extra,
    fields::{Fields, date, oid},
    operation::{Found, Inserted, OURS, settle},
    people::People,
    roster, task,
    user::with_maybe,
    workspace,
};

const KNOWN: [&str; 8] = [
    "_id",
    "name",
    "description",
    "workspace",
    "members",
    "createdBy",
    "createdAt",
    "updatedAt",
];

fn read(stored: &Document, people: &People) -> Option<Project> {
    Some(Project {
        id: stored.id("_id")?,
        name: stored.owned("name").unwrap_or_default(),
        description: stored.owned("description"),
        workspace: stored.id("workspace").unwrap_or_else(task::nowhere),
        members: roster::shown(stored, people),
        created_by: people.get(stored.id("createdBy")).map(Into::into),
        created_at: stored.made_at(),
        updated_at: stored.changed_at(),
        extra: extra::beside(stored, &KNOWN),
    })
}

async fn show(db: &Db, stored: &[Document]) -> Result<Vec<Project>, StoreError> {
    let members = stored.iter().flat_map(roster::listed).map(|(user, _)| user);
    let creators = stored.iter().filter_map(|one| one.id("createdBy"));
    let people = People::find(db, members.chain(creators)).await?;
    Ok(stored.iter().filter_map(|one| read(one, &people)).collect())
}

pub(super) async fn show_one(db: &Db, stored: Document) -> Result<Option<Project>, StoreError> {
    Ok(show(db, &[stored]).await?.pop())
}

pub(super) async fn find_stored(db: &Db, id: ProjectId) -> Result<Option<Document>, StoreError> {
    db.find(names::PROJECTS, doc! { "_id": oid(id) }).await
}

pub(super) async fn find(db: &Db, id: ProjectId) -> Result<Option<Project>, StoreError> {
    match find_stored(db, id).await? {
        Some(stored) => show_one(db, stored).await,
        None => Ok(None),
    }
}

pub(super) async fn of_user(
    db: &Db,
    user: UserId,
    workspace: Option<WorkspaceId>,
) -> Result<Vec<Project>, StoreError> {
    let mut filter = roster::has_member(user);
    if let Some(workspace) = workspace {
        filter.insert("workspace", oid(workspace));
    }
    let collection = db.collection(names::PROJECTS);
    let call = collection
        .find(filter)
        .sort(doc! { "createdAt": 1, "_id": 1 });
    let stored = db.list(call).await?;
    show(db, &stored).await
}

pub(super) async fn create(
    db: &Db,
    deadline: Instant,
    id: ProjectId,
    draft: &ProjectDraft,
    creator: UserId,
    now: Timestamp,
) -> Result<Option<Project>, StoreError> {
    let members = [roster::new_entry(creator, Role::Owner)];
    settle!(db, deadline, operation => {
        if workspace::find_stored(db, draft.workspace).await?.is_none() {
            return Ok(Some(None));
        }
        let mut document = doc! {
            "_id": oid(id),
            "name": &draft.name,
            "workspace": oid(draft.workspace),
            roster::MEMBERS: &members,
            "createdBy": oid(creator),
            "createdAt": date(now),
            "updatedAt": date(now),
            "__v": 0,
            OURS: operation.mark(),
        };
        if let Some(description) = &draft.description {
            document.insert("description", description);
        }
        match operation.insert(names::PROJECTS, &document).await? {
            // Another node may have deleted the workspace meanwhile, and not seen this.
            Inserted::Yes if workspace::find_stored(db, draft.workspace).await?.is_none() => {
                let projects = db.collection(names::PROJECTS);
                let made = doc! { "_id": oid(id) };
                operation.write(projects.delete_one(made)).await?;
                Ok(Some(None))
            }
            Inserted::Yes => show_one(db, document).await.map(Some),
            Inserted::Taken => Err(StoreError::Failed(format!("project {id} is there already"))),
        }
    })
}

pub(super) async fn update(
    db: &Db,
    deadline: Instant,
    id: ProjectId,
    patch: ProjectPatch,
    now: Timestamp,
) -> Result<Option<(Project, Project)>, StoreError> {
    settle!(db, deadline, operation => {
        let before = match operation.read(names::PROJECTS, doc! { "_id": oid(id) }).await? {
            Found::Missing => return Ok(Some(None)),
            Found::Done(before, after) => return both(db, before, after).await.map(Some),
            Found::Fresh(before) => before,
        };
        let nobody = People::default();
        let known = read(&before, &nobody);
        let Some(after) = known.and_then(|known| apply_project_patch(&known, patch.clone(), now))
        else {
            return both(db, before.clone(), before).await.map(Some);
        };
        let set = doc! { "name": after.name, "updatedAt": date(after.updated_at) };
        let update = with_maybe(set, "description", after.description.map(Bson::String));
        let guards = ["name", "description"];
        let after = operation.update(names::PROJECTS, &before, &guards, update).await?;
        match after {
            Some(after) => both(db, before, after).await.map(Some),
            None => Ok(None),
        }
    })
}

async fn both(
    db: &Db,
    before: Document,
    after: Document,
) -> Result<Option<(Project, Project)>, StoreError> {
    let mut both = show(db, &[before, after]).await?;
    let after = both.pop();
    Ok(both.pop().zip(after))
}
