//! The deletion of workspaces, projects and channels with everything in them.

use collabflow_actors::store::{Deleted, StoreError};
use collabflow_protocol::{
    id::{ChannelId, ProjectId, WorkspaceId},
    model::Channel,
};
use mongodb::bson::{Document, doc, oid::ObjectId};
use tokio::time::Instant;

use super::{
    channel,
    db::{Db, names},
    fields::{Fields, oid},
    gone,
    intent::Intent,
    operation::{Operation, settle},
    project,
    together::{self, Write},
    workspace,
};

/// What goes.
#[derive(Clone, Default)]
pub(super) struct Removal {
    pub(super) workspace: Option<WorkspaceId>,
    pub(super) projects: Vec<ProjectId>,
    /// With the project that each belongs to.
    pub(super) channels: Vec<(ChannelId, Option<ProjectId>)>,
}

pub(super) async fn workspace(
    db: &Db,
    deadline: Instant,
    id: WorkspaceId,
) -> Result<Option<Deleted>, StoreError> {
    let mut begun: Option<Removal> = None;
    settle!(db, deadline, operation => {
        if begun.is_none() {
            if workspace::find_stored(db, id).await?.is_none() {
                return Ok(Some(None));
            }
            begun = Some(within(db, id).await?);
        }
        let removed = remove(db, operation, begun.as_ref()).await?;
        // What another node has made in it before it could see that it is gone.
        let late = within(db, id).await?;
        match &mut begun {
            Some(begun) if !late.projects.is_empty() || !late.channels.is_empty() => {
                begun.projects.extend(late.projects);
                begun.channels.extend(late.channels);
                Ok(None)
            }
            _ => Ok(removed),
        }
    })
}

/// A workspace, and what is in it.
async fn within(db: &Db, id: WorkspaceId) -> Result<Removal, StoreError> {
    let of_workspace = doc! { "workspace": oid(id) };
    let projects = ids(db, names::PROJECTS, of_workspace.clone()).await?;
    let projects: Vec<_> = projects.iter().filter_map(|one| one.id("_id")).collect();
    let within: Vec<_> = projects.iter().copied().map(oid).collect();
    let either = doc! { "$or": [of_workspace, { "project": { "$in": within } }] };
    let channels = ids(db, names::CHANNELS, either).await?;
    Ok(Removal {
        workspace: Some(id),
        channels: of_projects(&channels, &projects),
        projects,
    })
}

pub(super) async fn project(
    db: &Db,
    deadline: Instant,
    id: ProjectId,
) -> Result<Option<Deleted>, StoreError> {
    let mut begun = None;
    settle!(db, deadline, operation => {
        if begun.is_none() {
            if project::find_stored(db, id).await?.is_none() {
                return Ok(Some(None));
            }
            let channels = ids(db, names::CHANNELS, doc! { "project": oid(id) }).await?;
            begun = Some(Removal {
                workspace: None,
                projects: vec![id],
                channels: of_projects(&channels, &[id]),
            });
        }
        remove(db, operation, begun.as_ref()).await
    })
}

pub(super) async fn channel(
    db: &Db,
    deadline: Instant,
    id: ChannelId,
) -> Result<Option<Channel>, StoreError> {
    let mut begun = None;
    settle!(db, deadline, operation => {
        if begun.is_none() {
            begun = channel::find(db, id).await?;
        }
        let Some(shown) = begun.clone() else {
            return Ok(Some(None));
        };
        let removal = Removal {
            channels: vec![(id, shown.project)],
            ..Removal::default()
        };
        remove(db, operation, Some(&removal)).await?;
        Ok(Some(Some(shown)))
    })
}

async fn ids(db: &Db, collection: &str, filter: Document) -> Result<Vec<Document>, StoreError> {
    let collection = db.collection(collection);
    let call = collection
        .find(filter)
        .projection(doc! { "project": 1 })
        .sort(doc! { "createdAt": 1, "_id": 1 });
    db.list(call).await
}

fn of_projects(
    channels: &[Document],
    projects: &[ProjectId],
) -> Vec<(ChannelId, Option<ProjectId>)> {
    let within = |channel: &Document| channel.id("project").filter(|id| projects.contains(id));
    channels
        .iter()
        .filter_map(|channel| Some((channel.id("_id")?, within(channel))))
        .collect()
}

async fn remove(
    db: &Db,
    operation: &mut Operation,
    removal: Option<&Removal>,
) -> Result<Option<Option<Deleted>>, StoreError> {
    let Some(removal) = removal else {
        return Ok(Some(None));
    };
    let intent = Intent::to_remove(db, operation, removal).await?;
    wipe(db, operation, removal).await?;
    intent.forget(db, operation).await?;
    Ok(Some(Some(Deleted {
        projects: removal.projects.clone(),
        channels: removal.channels.clone(),
    })))
}

/// Deletes what can be seen, and then what was in it. Doing so again does no harm.
pub(super) async fn wipe(
    db: &Db,
    operation: &mut Operation,
    removal: &Removal,
) -> Result<(), StoreError> {
    let projects: Vec<ObjectId> = removal.projects.iter().copied().map(oid).collect();
    let channels: Vec<ObjectId> = removal.channels.iter().map(|(id, _)| oid(*id)).collect();
    let workspaces: Vec<ObjectId> = removal.workspace.into_iter().map(oid).collect();
    let writes = [
        (names::WORKSPACES, &workspaces),
        (names::PROJECTS, &projects),
        (names::CHANNELS, &channels),
    ];
    let writes = writes
        .into_iter()
        .filter(|(_, ids)| !ids.is_empty())
        .map(|(collection, ids)| Write::Delete {
            collection,
            ids: ids.clone(),
        })
        .collect();
    gone::remember(operation, &[&channels[..], &projects, &workspaces].concat()).await?;
    if !together::write(db, operation, writes).await? {
        let text = "another write came between a deletion".to_owned();
        return Err(StoreError::Unavailable(text));
    }
    let rooms = [&channels[..], &projects[..], &workspaces[..]].concat();
    let tasks = doc! { "project": { "$in": projects } };
    let messages = doc! { "channel": { "$in": rooms } };
    for (collection, filter) in [(names::TASKS, tasks), (names::MESSAGES, messages)] {
        let collection = db.collection(collection);
        operation.write(collection.delete_many(filter)).await?;
    }
    Ok(())
}
