//! Changes of memberships, and who may be in a room.

use std::collections::HashMap;

use collabflow_actors::store::{
    Access, MemberChange, MemberOutcome, MemberStep, Membered, Membership, StoreError, member_step,
};
use collabflow_protocol::{
    id::{ChannelId, ProjectId, UserId, WorkspaceId},
    model::Role,
    time::Timestamp,
};
use mongodb::bson::{Bson, Document, doc};
use tokio::time::Instant;

use super::{
    db::{Db, names},
    fields::{Fields, date, oid, raise_list_version},
    leave,
    operation::{Found, Operation, settle},
    project, roster, workspace,
};

/// The whole list must be as it was read.
pub(super) const GUARDS: [&str; 1] = [roster::MEMBERS];

pub(super) async fn change(
    db: &Db,
    deadline: Instant,
    of: Membered,
    change: MemberChange,
    now: Timestamp,
) -> Result<MemberOutcome, StoreError> {
    let mut left = Vec::new();
    settle!(db, deadline, operation => {
        match attempt(db, operation, of, change, now, &mut left).await? {
            Some(Ok(stored)) => show(db, of, stored, left.clone()).await.map(Some),
            Some(Err(outcome)) => Ok(Some(outcome)),
            None => Ok(None),
        }
    })
}

/// The document as it is after it, or why not; `None` where somebody came between.
async fn attempt(
    db: &Db,
    operation: &mut Operation,
    of: Membered,
    change: MemberChange,
    now: Timestamp,
    left: &mut Vec<ProjectId>,
) -> Result<Option<Result<Document, MemberOutcome>>, StoreError> {
    let (collection, id) = match of {
        Membered::Workspace(id) => (names::WORKSPACES, oid(id)),
        Membered::Project(id) => (names::PROJECTS, oid(id)),
    };
    let before = match operation.read(collection, doc! { "_id": id }).await? {
        Found::Missing => return Ok(Some(Err(MemberOutcome::NotFound))),
        Found::Done(_, after) => {
            leave::ended(db, operation).await?;
            return Ok(Some(Ok(after)));
        }
        Found::Fresh(before) => before,
    };
    let list = match member_step(&roster::roles(&before), change) {
        MemberStep::NotMember => return Ok(Some(Err(MemberOutcome::NotFound))),
        MemberStep::LastOwner => return Ok(Some(Err(MemberOutcome::LastOwner(None)))),
        MemberStep::Nothing => return Ok(Some(Ok(before))),
        MemberStep::Put(user, role) => roster::with(&before, user, role),
        MemberStep::Remove(user) => {
            if let Membered::Workspace(workspace) = of {
                let leaving = leave::Leaving {
                    workspace,
                    user,
                    now,
                };
                return leave::leave(db, operation, &before, leaving, left).await;
            }
            roster::without(&before, user)
        }
    };
    let update = list_update(&before, list, now);
    let after = operation
        .update(collection, &before, &GUARDS, update)
        .await?;
    Ok(after.map(Ok))
}

/// Sets the list.
pub(super) fn list_update(before: &Document, list: Vec<Bson>, now: Timestamp) -> Document {
    let updated_at = date(now.max(before.changed_at()));
    let mut update = doc! {
        "$set": { roster::MEMBERS: list, "updatedAt": updated_at },
    };
    raise_list_version(before, &mut update);
    update
}

async fn show(
    db: &Db,
    of: Membered,
    stored: Document,
    left: Vec<ProjectId>,
) -> Result<MemberOutcome, StoreError> {
    Ok(match of {
        Membered::Project(_) => project::show_one(db, stored)
            .await?
            .map_or(MemberOutcome::NotFound, |project| {
                MemberOutcome::Project(Box::new(project))
            }),
        Membered::Workspace(_) => {
            workspace::show_one(db, stored)
                .await?
                .map_or(MemberOutcome::NotFound, |after| MemberOutcome::Workspace {
                    after: Box::new(after),
                    left,
                })
        }
    })
}

pub(super) async fn membership(db: &Db, of: Access) -> Result<Option<Membership>, StoreError> {
    match of {
        Access::Project(id) => of_project(db, id).await,
        Access::Workspace(id) => of_workspace(db, id).await,
        Access::Channel(id) => of_channel(db, id).await,
    }
}

async fn of_project(db: &Db, id: ProjectId) -> Result<Option<Membership>, StoreError> {
    let stored = project::find_stored(db, id).await?;
    Ok(stored.map(|stored| Membership {
        roles: roster::roles(&stored),
        workspace: stored.id("workspace"),
    }))
}

async fn of_workspace(db: &Db, id: WorkspaceId) -> Result<Option<Membership>, StoreError> {
    let stored = workspace::find_stored(db, id).await?;
    Ok(stored.map(|stored| Membership {
        roles: roster::roles(&stored),
        workspace: Some(id),
    }))
}

/// A channel's own members, else its project's, else its workspace's; without a document, those of the project or
/// workspace that has its id.
async fn of_channel(db: &Db, id: ChannelId) -> Result<Option<Membership>, StoreError> {
    let Some(channel) = db.find(names::CHANNELS, doc! { "_id": oid(id) }).await? else {
        return match of_project(db, ProjectId(id.0)).await? {
            None => of_workspace(db, WorkspaceId(id.0)).await,
            found => Ok(found),
        };
    };
    let (project, workspace) = (channel.id::<ProjectId>("project"), channel.id("workspace"));
    let of_project = match project {
        Some(project) => of_project(db, project).await?,
        None => None,
    };
    let workspace = workspace.or_else(|| of_project.as_ref()?.workspace);
    // Not the owner's, as a workspace without a list is.
    let own: HashMap<UserId, Role> = if channel.list(roster::MEMBERS).is_empty() {
        HashMap::new()
    } else {
        roster::roles(&channel)
    };
    let roles = if !own.is_empty() {
        own
    } else if project.is_some() {
        of_project.map(|found| found.roles).unwrap_or_default()
    } else if let Some(workspace) = workspace {
        let found = of_workspace(db, workspace).await?;
        found.map(|found| found.roles).unwrap_or_default()
    } else {
        HashMap::new()
    };
    Ok(Some(Membership { roles, workspace }))
}
