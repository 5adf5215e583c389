//! Workspaces.

use collabflow_protocol::{
    error::ClientError,
    event::ServerEvent,
    id::{ChannelId, ProjectId, UserId, WorkspaceId},
    model::{Role, UserBrief, Workspace, WorkspaceDraft},
};

use super::{Directory, NO_WORKSPACE, allowed};
use crate::{id::now, key::RoomKey, store::Deleted};

impl Directory {
    /// Makes a workspace; its creator is its owner.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn create_workspace(
        &self,
        user: UserId,
        draft: WorkspaceDraft,
    ) -> Result<Workspace, ClientError> {
        let id = self.node.ids().next();
        Ok(self
            .store()
            .create_workspace(id, draft.name, user, now())
            .await?)
    }

    /// The workspaces that the user is a member of.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn workspaces(&self, user: UserId) -> Result<Vec<Workspace>, ClientError> {
        Ok(self.store().workspaces_of(user).await?)
    }

    /// A workspace.
    ///
    /// # Errors
    /// `not_found` for who is no member.
    pub async fn workspace(&self, user: UserId, id: WorkspaceId) -> Result<Workspace, ClientError> {
        self.workspace_of(user, id)
            .await
            .map(|(workspace, _)| workspace)
    }

    /// Renames a workspace, for admins and owners.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn rename_workspace(
        &self,
        user: UserId,
        id: WorkspaceId,
        draft: WorkspaceDraft,
    ) -> Result<Workspace, ClientError> {
        let (_turn, _, role) = self.workspace_in_turn(user, id).await?;
        allowed(role.may_manage())?;
        let renamed = self.store().rename_workspace(id, draft.name, now()).await?;
        renamed.ok_or_else(|| ClientError::not_found(NO_WORKSPACE))
    }

    /// Deletes a workspace and everything in it, for owners. Each room is told what it belonged to is gone.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn delete_workspace(
        &self,
        user: &UserBrief,
        id: WorkspaceId,
    ) -> Result<(), ClientError> {
        let (_turn, _, role) = self.workspace_in_turn(user.id, id).await?;
        allowed(role == Role::Owner)?;
        let deleted = self.store().delete_workspace(id).await?;
        let deleted = deleted.ok_or_else(|| ClientError::not_found(NO_WORKSPACE))?;
        let event = ServerEvent::WorkspaceDeleted {
            workspace_id: id,
            deleted_by: user.clone(),
        };
        let rooms = [RoomKey::Workspace(id), RoomKey::Chat(id.0.into())];
        self.node.tell(&rooms, event, None).await;
        self.node.close_rooms(&rooms).await;
        self.close_deleted(deleted, user).await;
        Ok(())
    }

    /// Tells the rooms of what was deleted together with something, and closes them.
    pub(super) async fn close_deleted(&self, deleted: Deleted, user: &UserBrief) {
        for project in deleted.projects {
            self.close_project(project, user).await;
        }
        for (channel, project) in deleted.channels {
            self.close_channel(channel, project, user).await;
        }
    }

    pub(super) async fn close_project(&self, project_id: ProjectId, user: &UserBrief) {
        let event = ServerEvent::ProjectDeleted {
            project_id,
            deleted_by: user.clone(),
        };
        let rooms = [
            RoomKey::Project(project_id),
            RoomKey::Chat(project_id.0.into()),
        ];
        self.node.tell(&rooms, event, None).await;
        self.node.close_rooms(&rooms).await;
    }

    pub(super) async fn close_channel(
        &self,
        channel_id: ChannelId,
        project_id: Option<ProjectId>,
        user: &UserBrief,
    ) {
        let event = ServerEvent::ChannelDeleted {
            channel_id,
            project_id,
            deleted_by: user.clone(),
        };
        let room = [RoomKey::Chat(channel_id)];
        self.node.tell(&room, event, None).await;
        self.node.close_rooms(&room).await;
    }
}
