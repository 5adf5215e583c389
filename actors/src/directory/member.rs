//! Memberships of workspaces and projects.

use std::time::Duration;

use collabflow_protocol::{
    error::ClientError,
    id::{ProjectId, UserId, WorkspaceId},
    model::{Member, MemberDraft, MemberKey, Project, Role, UserBrief, Workspace},
};

use super::{Directory, NO_PROJECT, NO_WORKSPACE, allowed, role_of};
use crate::{
    id::now,
    key::RoomKey,
    store::{MemberChange, MemberOutcome, Membered},
};

/// How long a change may take to be in force in the rooms, once it is stored.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(10);

impl Directory {
    /// Adds a member to a workspace, or changes its role.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn add_workspace_member(
        &self,
        user: &UserBrief,
        id: WorkspaceId,
        draft: MemberDraft,
    ) -> Result<Workspace, ClientError> {
        let (_turn, workspace, role) = self.workspace_in_turn(user.id, id).await?;
        let change = self.addition(&workspace.members, role, draft).await?;
        self.change_workspace(workspace, change).await
    }

    /// Removes a member of a workspace, who leaves its projects too.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn remove_workspace_member(
        &self,
        user: &UserBrief,
        id: WorkspaceId,
        member: UserId,
    ) -> Result<Workspace, ClientError> {
        let (_turn, workspace, role) = self.workspace_in_turn(user.id, id).await?;
        may_remove(&workspace.members, (user.id, role), member)?;
        self.change_workspace(workspace, MemberChange::Remove(member))
            .await
    }

    /// Adds a member to a project, or changes its role.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn add_project_member(
        &self,
        user: &UserBrief,
        id: ProjectId,
        draft: MemberDraft,
    ) -> Result<Project, ClientError> {
        let (_turn, project, role) = self.project_in_turn(user.id, id).await?;
        let change = self.addition(&project.members, role, draft).await?;
        self.change_project(project, change).await
    }

    /// Removes a member of a project.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn remove_project_member(
        &self,
        user: &UserBrief,
        id: ProjectId,
        member: UserId,
    ) -> Result<Project, ClientError> {
        let (_turn, project, role) = self.project_in_turn(user.id, id).await?;
        may_remove(&project.members, (user.id, role), member)?;
        self.change_project(project, MemberChange::Remove(member))
            .await
    }

    /// What a draft comes to, if who has this role may do it.
    async fn addition(
        &self,
        members: &[Member],
        role: Role,
        draft: MemberDraft,
    ) -> Result<MemberChange, ClientError> {
        allowed(role.may_manage())?;
        let found = match draft.key {
            MemberKey::User(id) => self.store().user(id).await?,
            MemberKey::Email(email) => self.store().user_by_email(email).await?,
        };
        let member = found
            .ok_or_else(|| ClientError::not_found("User not found"))?
            .id;
        let makes_owner = draft.role == Some(Role::Owner);
        let demotes_owner = draft.role.is_some() && role_of(members, member) == Some(Role::Owner);
        allowed(role == Role::Owner || !(makes_owner || demotes_owner))?;
        Ok(MemberChange::Put(member, draft.role))
    }

    /// To be called in the workspace's turn.
    async fn change_workspace(
        &self,
        before: Workspace,
        change: MemberChange,
    ) -> Result<Workspace, ClientError> {
        let rooms = self.rooms_concerned(before.id, change).await?;
        let of = Membered::Workspace(before.id);
        let MemberOutcome::Workspace { after, .. } = self.change_member(of, change).await? else {
            return Err(ClientError::internal());
        };
        self.in_force(&rooms).await?;
        Ok(*after)
    }

    /// Waits until a change of memberships is in force in these rooms. Where they cannot read it, it is stored and nobody
    /// is told so: who asks again finds it done.
    pub(super) async fn in_force(&self, rooms: &[RoomKey]) -> Result<(), ClientError> {
        tokio::time::timeout(IN_FORCE_WITHIN, self.node.membership_changed(rooms))
            .await
            .map_err(|_| ClientError::unavailable())
    }

    /// Waits until a change that every node sees is in force here.
    pub(super) async fn seen_in_force(&self, rooms: &[RoomKey]) -> Result<(), ClientError> {
        tokio::time::timeout(IN_FORCE_WITHIN, self.node.membership_seen(rooms))
            .await
            .map_err(|_| ClientError::unavailable())
    }

    /// The rooms whose memberships a change in a workspace changes. They are read before it is made, so that nothing
    /// can keep it from being heeded.
    async fn rooms_concerned(
        &self,
        id: WorkspaceId,
        change: MemberChange,
    ) -> Result<Vec<RoomKey>, ClientError> {
        let mut rooms = vec![RoomKey::Workspace(id), RoomKey::Chat(id.0.into())];
        if let MemberChange::Remove(member) = change {
            for project in self.store().projects_of(member, Some(id)).await? {
                rooms.extend(self.rooms_of_project(project.id).await?);
            }
        }
        Ok(rooms)
    }

    /// To be called in the turn of the project's workspace.
    async fn change_project(
        &self,
        before: Project,
        change: MemberChange,
    ) -> Result<Project, ClientError> {
        let rooms = self.rooms_of_project(before.id).await?;
        let of = Membered::Project(before.id);
        let MemberOutcome::Project(after) = self.change_member(of, change).await? else {
            return Err(ClientError::internal());
        };
        self.in_force(&rooms).await?;
        Ok(*after)
    }

    async fn change_member(
        &self,
        of: Membered,
        change: MemberChange,
    ) -> Result<MemberOutcome, ClientError> {
        let outcome = self.store().change_member(of, change, now()).await?;
        match (outcome, change, of) {
            (MemberOutcome::LastOwner(None), ..) => Err(ClientError::forbidden(
                "The last owner stays: make somebody else an owner first",
            )),
            (MemberOutcome::LastOwner(Some((_, name))), ..) => {
                Err(ClientError::forbidden(format!(
                    "The project \"{name}\" would lose its last owner: make somebody else its owner first"
                )))
            }
            (MemberOutcome::NotFound, MemberChange::Remove(_), _) => {
                Err(ClientError::not_found("Member not found"))
            }
            (MemberOutcome::NotFound, _, Membered::Workspace(_)) => {
                Err(ClientError::not_found(NO_WORKSPACE))
            }
            (MemberOutcome::NotFound, _, Membered::Project(_)) => {
                Err(ClientError::not_found(NO_PROJECT))
            }
            (done, ..) => Ok(done),
        }
    }
}

/// Everybody may leave; admins and owners remove others, and owners only owners.
fn may_remove(
    members: &[Member],
    (user, role): (UserId, Role),
    member: UserId,
) -> Result<(), ClientError> {
    let is_owner = role_of(members, member) == Some(Role::Owner);
    allowed(
        user == member
            || if is_owner {
                role == Role::Owner
            } else {
                role.may_manage()
            },
    )
}
