//! Projects.

use collabflow_protocol::{
    error::ClientError,
    event::ServerEvent,
    id::{ProjectId, UserId, WorkspaceId},
    model::{Project, ProjectDraft, ProjectPatch, ProjectUpdates, UserBrief},
};

use super::{Directory, NO_PROJECT, NO_WORKSPACE, allowed};
use crate::{id::now, key::RoomKey};

impl Directory {
    /// Makes a project in a workspace, for its members; the creator owns it.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for viewers of the workspace.
    pub async fn create_project(
        &self,
        user: &UserBrief,
        draft: ProjectDraft,
    ) -> Result<Project, ClientError> {
        let (_turn, _, role) = self.workspace_in_turn(user.id, draft.workspace).await?;
        allowed(role.may_write())?;
        let id = self.node.ids().next();
        let made = self
            .store()
            .create_project(id, draft, user.id, now())
            .await?;
        let project = made.ok_or_else(|| ClientError::not_found(NO_WORKSPACE))?;
        let event = ServerEvent::ProjectCreated {
            project: Box::new(project.clone()),
            created_by: user.clone(),
        };
        self.tell_project(&project, event).await;
        Ok(project)
    }

    /// The projects that the user is a member of, of one workspace or of all.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn projects(
        &self,
        user: UserId,
        workspace: Option<WorkspaceId>,
    ) -> Result<Vec<Project>, ClientError> {
        Ok(self.store().projects_of(user, workspace).await?)
    }

    /// A project.
    ///
    /// # Errors
    /// `not_found` for who is no member.
    pub async fn project(&self, user: UserId, id: ProjectId) -> Result<Project, ClientError> {
        self.project_of(user, id).await.map(|(project, _)| project)
    }

    /// Changes a project's name or description, for members. What changes nothing is told to nobody.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn update_project(
        &self,
        user: &UserBrief,
        id: ProjectId,
        patch: ProjectPatch,
    ) -> Result<Project, ClientError> {
        let (_turn, project, role) = self.project_in_turn(user.id, id).await?;
        allowed(role.may_write())?;
        patch.stays_in(project.workspace)?;
        let changed = self.store().update_project(id, patch, now()).await?;
        let (before, after) = changed.ok_or_else(|| ClientError::not_found(NO_PROJECT))?;
        let updates = ProjectUpdates {
            name: (after.name != before.name).then(|| after.name.clone()),
            description: (after.description != before.description)
                .then(|| after.description.clone()),
        };
        if updates != ProjectUpdates::default() {
            self.tell_project(&after, updated(id, updates, user)).await;
        }
        Ok(after)
    }

    /// Deletes a project and everything in it, for admins and owners.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn delete_project(&self, user: &UserBrief, id: ProjectId) -> Result<(), ClientError> {
        let (_turn, project, role) = self.project_in_turn(user.id, id).await?;
        allowed(role.may_manage())?;
        let deleted = self.store().delete_project(id).await?;
        let mut deleted = deleted.ok_or_else(|| ClientError::not_found(NO_PROJECT))?;
        let event = ServerEvent::ProjectDeleted {
            project_id: id,
            deleted_by: user.clone(),
        };
        let own = [RoomKey::Project(id), RoomKey::Chat(id.0.into())];
        let all = [own[0], own[1], RoomKey::Workspace(project.workspace)];
        let members = super::ids(&project.members).collect();
        self.node.tell(&all, event, Some(members)).await;
        self.node.close_rooms(&own).await;
        deleted.projects.retain(|other| *other != id);
        self.close_deleted(deleted, user).await;
        Ok(())
    }
}

/// The event that tells these changes of a project.
pub(super) fn updated(
    project_id: ProjectId,
    updates: ProjectUpdates,
    user: &UserBrief,
) -> ServerEvent {
    ServerEvent::ProjectUpdated {
        project_id,
        updates: Box::new(updates),
        updated_by: user.clone(),
    }
}
