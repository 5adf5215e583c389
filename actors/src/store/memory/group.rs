//! Workspaces and projects.

use collabflow_protocol::{
    id::{ChannelId, ObjectId, ProjectId, UserId, WorkspaceId},
    model::{Extra, Project, ProjectDraft, ProjectPatch, Role, Workspace},
    time::Timestamp,
};

use super::state::{By, State, taken};
use crate::store::{Deleted, StoreError, apply_project_patch};

impl State {
    pub(super) fn create_workspace(
        &mut self,
        id: WorkspaceId,
        name: String,
        owner: UserId,
        now: Timestamp,
    ) -> Result<Workspace, StoreError> {
        if self.workspaces.contains_key(&id) {
            return Err(taken());
        }
        let workspace = Workspace {
            id,
            name,
            owner,
            members: Vec::new(),
            created_at: now,
            updated_at: now,
            extra: Extra::default(),
        };
        self.members.insert(id.0, vec![(owner, Role::Owner)]);
        let shown = self.shown_workspace(&workspace);
        self.workspaces.insert(id, workspace);
        Ok(shown)
    }

    pub(super) fn workspace(&self, id: WorkspaceId) -> Option<Workspace> {
        let workspace = self.workspaces.get(&id)?;
        Some(self.shown_workspace(workspace))
    }

    pub(super) fn workspaces_of(&self, user: UserId) -> Vec<Workspace> {
        let mut list: Vec<_> = self
            .workspaces
            .values()
            .filter(|workspace| self.is_member(workspace.id.0, user))
            .map(|workspace| self.shown_workspace(workspace))
            .collect();
        list.sort_by_key(|workspace| (workspace.created_at, workspace.id));
        list
    }

    pub(super) fn rename_workspace(
        &mut self,
        id: WorkspaceId,
        name: String,
        now: Timestamp,
    ) -> Option<Workspace> {
        let workspace = self.workspaces.get_mut(&id)?;
        if workspace.name != name {
            workspace.name = name;
            workspace.updated_at = now.max(workspace.updated_at);
        }
        self.workspace(id)
    }

    pub(super) fn delete_workspace(&mut self, id: WorkspaceId) -> Option<Deleted> {
        self.workspaces.remove(&id)?;
        let mut deleted = Deleted::default();
        for project in self.projects_in(id) {
            let inner = self.delete_project(project).unwrap_or_default();
            deleted.projects.extend(inner.projects);
            deleted.channels.extend(inner.channels);
        }
        let loose = self.channels_where(|channel| channel.workspace == Some(id));
        for channel in loose {
            self.delete_channel(channel.id);
            deleted.channels.push((channel.id, None));
        }
        self.forget(id.0);
        Some(deleted)
    }

    pub(super) fn create_project(
        &mut self,
        id: ProjectId,
        draft: ProjectDraft,
        creator: UserId,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        if !self.workspaces.contains_key(&draft.workspace) {
            return Ok(None);
        }
        if self.projects.contains_key(&id) {
            return Err(taken());
        }
        let document = Project {
            id,
            name: draft.name,
            description: draft.description,
            workspace: draft.workspace,
            members: Vec::new(),
            created_by: None,
            created_at: now,
            updated_at: now,
            extra: Extra::default(),
        };
        let by = creator;
        self.members.insert(id.0, vec![(creator, Role::Owner)]);
        self.projects.insert(id, By { document, by });
        Ok(self.project(id))
    }

    pub(super) fn project(&self, id: ProjectId) -> Option<Project> {
        let stored = self.projects.get(&id)?;
        Some(self.shown_project(stored))
    }

    pub(super) fn projects_of(&self, user: UserId, workspace: Option<WorkspaceId>) -> Vec<Project> {
        let mut list: Vec<_> = self
            .projects
            .values()
            .filter(|stored| self.is_member(stored.document.id.0, user))
            .filter(|stored| workspace.is_none_or(|id| id == stored.document.workspace))
            .map(|stored| self.shown_project(stored))
            .collect();
        list.sort_by_key(|project| (project.created_at, project.id));
        list
    }

    pub(super) fn update_project(
        &mut self,
        id: ProjectId,
        patch: ProjectPatch,
        now: Timestamp,
    ) -> Option<(Project, Project)> {
        let before = self.project(id)?;
        if let Some(after) = apply_project_patch(&before, patch, now) {
            self.projects.get_mut(&id)?.document = after;
        }
        Some((before, self.project(id)?))
    }

    pub(super) fn delete_project(&mut self, id: ProjectId) -> Option<Deleted> {
        self.projects.remove(&id)?;
        self.tasks.retain(|_, stored| stored.task.project != id);
        let channels = self.channels(id);
        for channel in &channels {
            self.delete_channel(channel.id);
        }
        self.forget(id.0);
        Some(Deleted {
            projects: vec![id],
            channels: channels
                .iter()
                .map(|channel| (channel.id, Some(id)))
                .collect(),
        })
    }

    /// Removes the members and the own channel's messages of what is deleted.
    pub(super) fn forget(&mut self, parent: ObjectId) {
        self.members.remove(&parent);
        self.messages
            .retain(|(channel, _), _| *channel != ChannelId(parent));
    }

    pub(super) fn projects_in(&self, workspace: WorkspaceId) -> Vec<ProjectId> {
        let mut list: Vec<_> = self
            .projects
            .values()
            .map(|stored| &stored.document)
            .filter(|project| project.workspace == workspace)
            .map(|project| (project.created_at, project.id))
            .collect();
        list.sort_unstable();
        list.into_iter().map(|(_, id)| id).collect()
    }
}
