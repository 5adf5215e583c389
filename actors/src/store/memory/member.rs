//! Who is a member of what, and so who may be in a room.

use collabflow_protocol::{
    id::{ChannelId, ObjectId, ProjectId, UserId, WorkspaceId},
    model::Role,
    time::Timestamp,
};

use super::state::State;
use crate::store::{
    Access, MemberChange, MemberOutcome, MemberStep, Membered, Membership, member_step,
};

impl State {
    pub(super) fn change_member(
        &mut self,
        of: Membered,
        change: MemberChange,
        now: Timestamp,
    ) -> MemberOutcome {
        let is_there = match of {
            Membered::Workspace(id) => self.workspaces.contains_key(&id),
            Membered::Project(id) => self.projects.contains_key(&id),
        };
        if !is_there {
            return MemberOutcome::NotFound;
        }
        let mut left = Vec::new();
        match member_step(&self.roles(of.id()), change) {
            MemberStep::NotMember => return MemberOutcome::NotFound,
            MemberStep::LastOwner => return MemberOutcome::LastOwner(None),
            MemberStep::Nothing => {}
            MemberStep::Put(user, role) => self.put_member(of, user, role, now),
            MemberStep::Remove(user) => {
                if let Membered::Workspace(workspace) = of {
                    match self.projects_to_leave(workspace, user) {
                        Ok(projects) => left = projects,
                        Err(project) => return MemberOutcome::LastOwner(Some(project)),
                    }
                }
                for project in &left {
                    self.remove_member(Membered::Project(*project), user, now);
                }
                self.remove_member(of, user, now);
            }
        }
        let done = match of {
            Membered::Project(id) => self
                .project(id)
                .map(|project| MemberOutcome::Project(Box::new(project))),
            Membered::Workspace(id) => self.workspace(id).map(|after| MemberOutcome::Workspace {
                after: Box::new(after),
                left,
            }),
        };
        done.unwrap_or(MemberOutcome::NotFound)
    }

    /// The projects that a user leaves together with their workspace, or the one that would lose its last owner.
    fn projects_to_leave(
        &self,
        workspace: WorkspaceId,
        user: UserId,
    ) -> Result<Vec<ProjectId>, (ProjectId, String)> {
        let mut projects = self.projects_in(workspace);
        projects.retain(|id| self.is_member(id.0, user));
        let ownerless = projects.iter().find(|id| {
            let step = member_step(&self.roles(id.0), MemberChange::Remove(user));
            step == MemberStep::LastOwner
        });
        match ownerless.and_then(|id| self.projects.get(id)) {
            Some(stored) => Err((stored.document.id, stored.document.name.clone())),
            None => Ok(projects),
        }
    }

    fn put_member(&mut self, of: Membered, user: UserId, role: Role, now: Timestamp) {
        let members = self.members.entry(of.id()).or_default();
        match members.iter_mut().find(|(id, _)| *id == user) {
            Some((_, present)) => *present = role,
            None => members.push((user, role)),
        }
        self.touch(of, now);
    }

    fn remove_member(&mut self, of: Membered, user: UserId, now: Timestamp) {
        self.members
            .entry(of.id())
            .or_default()
            .retain(|(id, _)| *id != user);
        self.touch(of, now);
    }

    fn touch(&mut self, of: Membered, now: Timestamp) {
        let updated_at = match of {
            Membered::Workspace(id) => self.workspaces.get_mut(&id).map(|w| &mut w.updated_at),
            Membered::Project(id) => self
                .projects
                .get_mut(&id)
                .map(|stored| &mut stored.document.updated_at),
        };
        if let Some(updated_at) = updated_at {
            *updated_at = now.max(*updated_at);
        }
    }

    pub(super) fn membership(&self, of: Access) -> Option<Membership> {
        let (parent, workspace) = match of {
            Access::Project(id) => self.project_place(id)?,
            Access::Workspace(id) => self.workspace_place(id)?,
            Access::Channel(id) => self.channel_place(id)?,
        };
        Some(Membership {
            roles: self.roles(parent),
            workspace,
        })
    }

    fn project_place(&self, id: ProjectId) -> Option<(ObjectId, Option<WorkspaceId>)> {
        let project = &self.projects.get(&id)?.document;
        Some((id.0, Some(project.workspace)))
    }

    fn workspace_place(&self, id: WorkspaceId) -> Option<(ObjectId, Option<WorkspaceId>)> {
        self.workspaces.get(&id).map(|_| (id.0, Some(id)))
    }

    fn channel_place(&self, id: ChannelId) -> Option<(ObjectId, Option<WorkspaceId>)> {
        let Some(stored) = self.channels.get(&id) else {
            return self
                .project_place(ProjectId(id.0))
                .or_else(|| self.workspace_place(WorkspaceId(id.0)));
        };
        let channel = &stored.document;
        let own = (id.0, channel.workspace);
        if !self.roles(id.0).is_empty() {
            return Some(own);
        }
        let of_project = channel.project.and_then(|id| self.project_place(id));
        let of_workspace = channel.workspace.and_then(|id| self.workspace_place(id));
        Some(of_project.or(of_workspace).unwrap_or(own))
    }
}
