//! What an event of the change stream is to those here. Changes of our own carry our mark, or are remembered to be told;
//! of the others, the claims see to it that each is told once, whether it was announced as well.

use collabflow_actors::store::{Elsewhere, Membered, Seen, StoreError};
use collabflow_protocol::{
    id::{ProjectId, TaskId, UserId, WorkspaceId},
    model::ProjectUpdates,
};
use mongodb::{
    bson::{Document, doc},
    change_stream::event::OperationType,
};

use super::{
    db::{Db, names},
    fields::{Fields, oid},
    gone, message,
    operation::{OURS, settle},
    people, roster,
    watch::Event,
};

/// What an event is to those here; nothing, where the change is ours.
pub(super) async fn read(db: &Db, event: &Event) -> Result<Vec<Elsewhere>, StoreError> {
    let collection = event.ns.as_ref().and_then(|ns| ns.coll.as_deref());
    let (Some(collection), Some(key)) = (collection, &event.document_key) else {
        return Ok(Vec::new());
    };
    if collection == names::USERS {
        return user(db, key, event).await;
    }
    match event.operation_type {
        OperationType::Insert => made(db, collection, event.full_document.as_ref()).await,
        OperationType::Update => changed(db, collection, key, event).await,
        OperationType::Replace => replaced(db, collection, key, event).await,
        OperationType::Delete => deleted(db, collection, key, event).await,
        _ => Ok(Vec::new()),
    }
}

/// A change of ours, too: another node of ours may have made it.
async fn user(db: &Db, key: &Document, event: &Event) -> Result<Vec<Elsewhere>, StoreError> {
    let is_concerned = match event.operation_type {
        OperationType::Insert | OperationType::Replace => true,
        OperationType::Update => ["name", "email"].iter().any(|name| is_changed(event, name)),
        _ => false,
    };
    let Some(id) = key.id::<UserId>("_id").filter(|_| is_concerned) else {
        return Ok(Vec::new());
    };
    // As it is by now: it may have changed again, and been told here already.
    let found = db.find(names::USERS, doc! { "_id": oid(id) }).await?;
    let user = found.as_ref().and_then(people::read);
    let change = user.map(|user| Elsewhere::User(user.into()));
    Ok(change.into_iter().collect())
}

/// Whether an update has changed that field, or something in it.
fn is_changed(event: &Event, name: &str) -> bool {
    let is_of = |path: &str| path.split('.').next() == Some(name);
    event.update_description.as_ref().is_some_and(|update| {
        update.updated_fields.keys().any(|path| is_of(path))
            || update.removed_fields.iter().any(|path| is_of(path))
    })
}

async fn made(
    db: &Db,
    collection: &str,
    document: Option<&Document>,
) -> Result<Vec<Elsewhere>, StoreError> {
    let Some(document) = document.filter(|document| !document.contains_key(OURS)) else {
        return Ok(Vec::new());
    };
    let made = match collection {
        names::TASKS => document.id("_id").map(|id| Elsewhere::Task {
            project: document.id("project"),
            id,
            seen: Seen::New(document.id("createdBy")),
        }),
        names::MESSAGES => message::show_one(db, document.clone())
            .await?
            .map(|message| Elsewhere::Message(Box::new(message))),
        names::PROJECTS => document.id("_id").map(Elsewhere::ProjectMade),
        names::CHANNELS => document.id("_id").map(Elsewhere::ChannelMade),
        _ => None,
    };
    Ok(made.into_iter().collect())
}

async fn changed(
    db: &Db,
    collection: &str,
    key: &Document,
    event: &Event,
) -> Result<Vec<Elsewhere>, StoreError> {
    let Some(update) = &event.update_description else {
        return Ok(Vec::new());
    };
    let set = &update.updated_fields;
    let has = |name: &str| is_changed(event, name);
    if has(OURS) {
        return Ok(Vec::new());
    }
    Ok(match collection {
        names::TASKS => {
            let before = event.full_document_before_change.as_ref();
            task(db, key, before.filter(|_| has("project"))).await?
        }
        names::PROJECTS => {
            let Some(id) = key.id::<ProjectId>("_id") else {
                return Ok(Vec::new());
            };
            let updates = ProjectUpdates {
                name: set.owned("name"),
                description: has("description").then(|| set.owned("description")),
            };
            let mut changes = Vec::new();
            if has("members") {
                changes.push(Elsewhere::Members(Membered::Project(id)));
            }
            if updates != ProjectUpdates::default() {
                changes.push(Elsewhere::Project(id, Box::new(updates)));
            }
            changes
        }
        names::WORKSPACES if has("members") || has("owner") => members_of_workspace(key),
        names::CHANNELS if has("members") || has("project") || has("workspace") => {
            let id = key.id("_id");
            id.map(Elsewhere::ChannelMembers).into_iter().collect()
        }
        _ => Vec::new(),
    })
}

/// A document that was written as a whole: what it says may be anything.
async fn replaced(
    db: &Db,
    collection: &str,
    key: &Document,
    event: &Event,
) -> Result<Vec<Elsewhere>, StoreError> {
    let (before, after) = (
        event.full_document_before_change.as_ref(),
        event.full_document.as_ref(),
    );
    Ok(match collection {
        names::TASKS => task(db, key, before).await?,
        names::PROJECTS => {
            let Some((id, after)) = key.id::<ProjectId>("_id").zip(after) else {
                return Ok(Vec::new());
            };
            let is_other = |name| before.is_none_or(|before| before.text(name) != after.text(name));
            let updates = ProjectUpdates {
                name: after.owned("name").filter(|_| is_other("name")),
                description: is_other("description").then(|| after.owned("description")),
            };
            let mut changes = vec![Elsewhere::Members(Membered::Project(id))];
            if updates != ProjectUpdates::default() {
                changes.push(Elsewhere::Project(id, Box::new(updates)));
            }
            changes
        }
        names::WORKSPACES => members_of_workspace(key),
        names::CHANNELS => {
            let id = key.id("_id");
            id.map(Elsewhere::ChannelMembers).into_iter().collect()
        }
        _ => Vec::new(),
    })
}

/// A task has changed; `before` is how it was, where it may have been in another project.
async fn task(
    db: &Db,
    key: &Document,
    before: Option<&Document>,
) -> Result<Vec<Elsewhere>, StoreError> {
    let Some(id) = key.id::<TaskId>("_id") else {
        return Ok(Vec::new());
    };
    let found = db.find(names::TASKS, doc! { "_id": oid(id) }).await?;
    let Some(project) = found.and_then(|found| found.id::<ProjectId>("project")) else {
        return Ok(Vec::new());
    };
    let former = before.and_then(|before| before.id("project"));
    let seen = |project, seen| Elsewhere::Task {
        project: Some(project),
        id,
        seen,
    };
    Ok(match former.filter(|former| *former != project) {
        Some(former) => vec![seen(former, Seen::Gone), seen(project, Seen::Arrived)],
        None => vec![seen(project, Seen::Changed)],
    })
}

async fn deleted(
    db: &Db,
    collection: &str,
    key: &Document,
    event: &Event,
) -> Result<Vec<Elsewhere>, StoreError> {
    let Some(id) = key.id_of_document() else {
        return Ok(Vec::new());
    };
    let before = event.full_document_before_change.as_ref();
    let project = before.and_then(|before| before.id::<ProjectId>("project"));
    // Who was told that a project is gone need not be told of each of its tasks.
    if collection == names::TASKS
        && let Some(project) = project
        && gone::is_remembered(db, oid(project)).await?
    {
        return Ok(Vec::new());
    }
    let gone = match collection {
        names::TASKS => key.id::<TaskId>("_id").map(|id| Elsewhere::Task {
            project,
            id,
            seen: Seen::Gone,
        }),
        names::PROJECTS => key.id("_id").map(|id| Elsewhere::ProjectGone {
            id,
            workspace: before.and_then(|before| before.id("workspace")),
            members: before
                .map(|before| {
                    roster::listed(before)
                        .into_iter()
                        .map(|(user, _)| user)
                        .collect()
                })
                .unwrap_or_default(),
        }),
        names::WORKSPACES => key.id::<WorkspaceId>("_id").map(Elsewhere::WorkspaceGone),
        names::CHANNELS => key.id("_id").map(|id| Elsewhere::ChannelGone {
            id,
            project,
            workspace: before.and_then(|before| before.id("workspace")),
        }),
        _ => None,
    };
    let Some(gone) = gone else {
        return Ok(Vec::new());
    };
    let is_news = settle!(db, db.deadline(), operation => {
        gone::claim(operation, id).await.map(Some)
    })?;
    Ok(is_news.then_some(gone).into_iter().collect())
}

fn members_of_workspace(key: &Document) -> Vec<Elsewhere> {
    let id = key.id("_id").map(Membered::Workspace);
    id.map(Elsewhere::Members).into_iter().collect()
}
