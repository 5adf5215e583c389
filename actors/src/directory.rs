//! The directory: workspaces, projects, their members and channels, and who may do what with them.
//!
//! It decides by the stored roles, writes, and then tells the rooms. Changes within one workspace take turns, so that
//! events come in the order of the writes, and a role is judged when nothing can change it any more; and whoever has lost a membership is out of the rooms before the answer.

mod channel;
mod elsewhere;
mod member;
mod project;
mod task;
#[cfg(test)]
mod tests;
mod workspace;

use std::{collections::HashSet, sync::Arc};

use collabflow_protocol::{
    error::ClientError,
    event::ServerEvent,
    id::{ProjectId, UserId, WorkspaceId},
    model::{Member, Project, Role, Workspace},
};
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    key::RoomKey,
    node::Node,
    store::{Store, StoreError},
};

pub use elsewhere::somebody;

/// Workspaces that share a turn cost each other a little time, nothing else.
const TURNS: usize = 64;
const NO_WORKSPACE: &str = "Workspace not found or access denied";
const NO_PROJECT: &str = "Project not found or access denied";
const ROLE: &str = "Your role does not allow this";

/// Workspaces, projects, members and channels, over a node. Clones are the same directory.
#[derive(Clone)]
pub struct Directory {
    node: Node,
    turns: Arc<[Mutex<()>; TURNS]>,
}

impl From<StoreError> for ClientError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Failed(_) => tracing::error!(%error, "a request failed"),
            _ => tracing::warn!(%error, "a request was turned away"),
        }
        error.for_client()
    }
}

impl Directory {
    /// The directory of a node's store, whose changes are told in its rooms.
    #[must_use]
    pub fn new(node: Node) -> Self {
        Self {
            node,
            turns: Arc::new(std::array::from_fn(|_| Mutex::default())),
        }
    }

    /// The node below.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.node.store()
    }

    /// Waits until nothing else is being changed in the workspace.
    ///
    /// # Errors
    /// `unavailable` where that takes too long: a write before may wait for a store that is away.
    async fn turn(&self, workspace: WorkspaceId) -> Result<MutexGuard<'_, ()>, ClientError> {
        // The last byte counts up from one id to the next.
        let place = usize::from(workspace.0.bytes()[11]) % TURNS;
        let within = self.node.settings().store_timeout;
        tokio::time::timeout(within, self.turns[place].lock())
            .await
            .map_err(|_| ClientError::unavailable())
    }

    /// The workspace and the user's role there; it is not found by who is no member.
    async fn workspace_of(
        &self,
        user: UserId,
        id: WorkspaceId,
    ) -> Result<(Workspace, Role), ClientError> {
        let workspace = self.store().workspace(id).await?;
        workspace
            .and_then(|workspace| {
                let role = role_of(&workspace.members, user)?;
                Some((workspace, role))
            })
            .ok_or_else(|| ClientError::not_found(NO_WORKSPACE))
    }

    /// The project and the user's role there; it is not found by who is no member.
    async fn project_of(
        &self,
        user: UserId,
        id: ProjectId,
    ) -> Result<(Project, Role), ClientError> {
        let project = self.store().project(id).await?;
        project
            .and_then(|project| {
                let role = role_of(&project.members, user)?;
                Some((project, role))
            })
            .ok_or_else(|| ClientError::not_found(NO_PROJECT))
    }

    /// The workspace's turn, and what the user may do there then: whoever waits may have lost its role meanwhile.
    async fn workspace_in_turn(
        &self,
        user: UserId,
        id: WorkspaceId,
    ) -> Result<(MutexGuard<'_, ()>, Workspace, Role), ClientError> {
        let turn = self.turn(id).await?;
        let (workspace, role) = self.workspace_of(user, id).await?;
        Ok((turn, workspace, role))
    }

    /// The turn of the project's workspace, and what the user may do in the project then.
    async fn project_in_turn(
        &self,
        user: UserId,
        id: ProjectId,
    ) -> Result<(MutexGuard<'_, ()>, Project, Role), ClientError> {
        let (before, _) = self.project_of(user, id).await?;
        let turn = self.turn(before.workspace).await?;
        let (project, role) = self.project_of(user, id).await?;
        Ok((turn, project, role))
    }

    /// Tells what became of a project in its room and its workspace's, to its members.
    async fn tell_project(&self, project: &Project, event: ServerEvent) {
        let (rooms, members) = concerned(project);
        self.node.tell(&rooms, event, members).await;
    }

    /// The rooms whose members are the project's: its own, its own channel's and its channels'.
    async fn rooms_of_project(&self, id: ProjectId) -> Result<Vec<RoomKey>, ClientError> {
        let channels = self.store().channels(id).await?;
        let mut rooms = vec![RoomKey::Project(id), RoomKey::Chat(id.0.into())];
        rooms.extend(channels.iter().map(|channel| RoomKey::Chat(channel.id)));
        Ok(rooms)
    }
}

/// Where what becomes of a project is told, and to whom.
fn concerned(project: &Project) -> ([RoomKey; 2], Option<HashSet<UserId>>) {
    let rooms = [
        RoomKey::Project(project.id),
        RoomKey::Workspace(project.workspace),
    ];
    (rooms, together(ids(&project.members)))
}

fn role_of(members: &[Member], user: UserId) -> Option<Role> {
    let is_user = |member: &&Member| member.user.as_ref().is_some_and(|other| other.id == user);
    members.iter().find(is_user).map(|member| member.role)
}

fn ids(members: &[Member]) -> impl Iterator<Item = UserId> {
    members
        .iter()
        .filter_map(|member| member.user.as_ref().map(|user| user.id))
}

fn allowed(may: bool) -> Result<(), ClientError> {
    may.then_some(())
        .ok_or_else(|| ClientError::forbidden(ROLE))
}

/// The members of several things together.
fn together(all: impl IntoIterator<Item = UserId>) -> Option<HashSet<UserId>> {
    Some(all.into_iter().collect())
}
