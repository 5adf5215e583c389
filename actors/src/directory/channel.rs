//! Chat channels and their history.

use collabflow_protocol::{
    error::ClientError,
    event::ServerEvent,
    id::{ChannelId, MessageId, ProjectId, UserId},
    model::{Channel, ChannelDraft, UserBrief},
};

use super::{Directory, NO_PROJECT, allowed, ids, together};
use crate::{
    id::now,
    key::RoomKey,
    store::{Access, Membership, MessagePage},
};

const NO_CHANNEL: &str = "Channel not found";

impl Directory {
    /// Makes a channel in a project, for its members.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for viewers.
    pub async fn create_channel(
        &self,
        user: &UserBrief,
        draft: ChannelDraft,
    ) -> Result<Channel, ClientError> {
        let (_turn, project, role) = self.project_in_turn(user.id, draft.project).await?;
        allowed(role.may_write())?;
        let id = self.node.ids().next();
        let made = self
            .store()
            .create_channel(id, draft.name, project.id, user.id, now())
            .await?;
        let channel = made.ok_or_else(|| ClientError::not_found(NO_PROJECT))?;
        let event = ServerEvent::ChannelCreated {
            channel: Box::new(channel.clone()),
            created_by: user.clone(),
        };
        self.tell_project(&project, event).await;
        Ok(channel)
    }

    /// The channels of a project.
    ///
    /// # Errors
    /// `not_found` for who is no member.
    pub async fn channels(
        &self,
        user: UserId,
        project: ProjectId,
    ) -> Result<Vec<Channel>, ClientError> {
        self.project_of(user, project).await?;
        Ok(self.store().channels(project).await?)
    }

    /// Deletes a channel and its messages, for admins and owners. A project's or workspace's own channel stays as long
    /// as that does: it has no document to delete.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn delete_channel(&self, user: &UserBrief, id: ChannelId) -> Result<(), ClientError> {
        let not_found = || ClientError::not_found(NO_CHANNEL);
        let before = self.members_of_channel(id).await?;
        let _turn = match before.workspace {
            Some(workspace) => Some(self.turn(workspace).await?),
            None => None,
        };
        let members = self.members_of_channel(id).await?;
        let role = members.roles.get(&user.id);
        let role = role.ok_or_else(|| ClientError::forbidden("Access denied"))?;
        allowed(role.may_manage())?;
        let channel = self.store().channel(id).await?.ok_or_else(not_found)?;
        let project = match channel.project {
            Some(project) => self.store().project(project).await?,
            None => None,
        };
        self.store()
            .delete_channel(id)
            .await?
            .ok_or_else(not_found)?;
        let event = ServerEvent::ChannelDeleted {
            channel_id: id,
            project_id: channel.project,
            deleted_by: user.clone(),
        };
        let mut rooms = vec![RoomKey::Chat(id)];
        rooms.extend(channel.project.map(RoomKey::Project));
        rooms.extend(channel.workspace.map(RoomKey::Workspace));
        let of_project = project.iter().flat_map(|project| ids(&project.members));
        let only = together(of_project.chain(members.roles.keys().copied()));
        self.node.tell(&rooms, event, only).await;
        self.node.close_rooms(&rooms[..1]).await;
        Ok(())
    }

    /// A part of a channel's history, for whom it is open to.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `validation_failed` where `before` is no message of the channel.
    pub async fn messages(
        &self,
        user: UserId,
        channel: ChannelId,
        limit: u32,
        before: Option<MessageId>,
    ) -> Result<MessagePage, ClientError> {
        let members = self.members_of_channel(channel).await?;
        if !members.roles.contains_key(&user) {
            return Err(ClientError::forbidden("Access denied"));
        }
        let page = self.store().messages(channel, limit, before).await?;
        page.ok_or_else(|| ClientError::field("before", "must be a message of this channel"))
    }

    async fn members_of_channel(&self, id: ChannelId) -> Result<Membership, ClientError> {
        let members = self.store().membership(Access::Channel(id)).await?;
        members.ok_or_else(|| ClientError::not_found(NO_CHANNEL))
    }
}
