//! Changes that another program has made in the database: told, or in force, as if they had been made here.
//!
//! Nobody knows who made them, so their author is [`somebody`]. In a cluster every node sees them. Of what is gone, one
//! node alone hears, and tells all; the rest each node tells its own members, by a name that keeps it from being told twice.

use std::sync::Arc;

use collabflow_protocol::{
    error::ClientError,
    event::ServerEvent,
    id::{ChannelId, ObjectId, ProjectId, UserId, WorkspaceId},
    model::{ProjectUpdates, UserBrief},
};

use super::{Directory, concerned, ids, project, together};
use crate::{
    backplane::EntryId,
    key::RoomKey,
    store::{Elsewhere, Membered, Watched},
};

/// Who stands for another program in events.
#[must_use]
pub fn somebody() -> UserBrief {
    UserBrief {
        id: UserId(ObjectId::from_bytes([0; 12])),
        name: "Another program".into(),
        email: None,
    }
}

impl Directory {
    /// Tells who is concerned of a change that another program has made.
    ///
    /// # Errors
    /// When the store fails; the change may be told again then.
    pub async fn tell_elsewhere(&self, watched: Watched) -> Result<(), ClientError> {
        let event = watched.id;
        match watched.change {
            Elsewhere::Task { project, id, seen } => match project {
                Some(project) => self.node.task_seen(project, id, seen, event),
                None => self.node.task_gone(id, event),
            },
            Elsewhere::Message(message) => {
                let room = [RoomKey::Chat(message.channel)];
                let new = ServerEvent::NewMessage(Arc::new(*message));
                self.node.tell_seen(event, &room, new, None).await;
            }
            Elsewhere::ProjectMade(id) => self.tell_project_made(event, id).await?,
            Elsewhere::Project(id, updates) => {
                self.tell_project_changed(event, id, *updates).await?;
            }
            Elsewhere::ProjectGone {
                id,
                workspace,
                members,
            } => self.tell_project_gone(id, workspace, members).await,
            Elsewhere::WorkspaceGone(id) => {
                let event = ServerEvent::WorkspaceDeleted {
                    workspace_id: id,
                    deleted_by: somebody(),
                };
                let rooms = [RoomKey::Workspace(id), RoomKey::Chat(id.0.into())];
                self.node.tell(&rooms, event, None).await;
                self.node.close_rooms(&rooms).await;
            }
            Elsewhere::User(user) => self.node.user_seen(user),
            Elsewhere::Members(of) => {
                let rooms = match of {
                    Membered::Workspace(id) => {
                        vec![RoomKey::Workspace(id), RoomKey::Chat(id.0.into())]
                    }
                    Membered::Project(id) => self.rooms_of_project(id).await?,
                };
                self.seen_in_force(&rooms).await?;
            }
            Elsewhere::ChannelMembers(id) => self.seen_in_force(&[RoomKey::Chat(id)]).await?,
            Elsewhere::ChannelMade(id) => self.tell_channel_made(event, id).await?,
            Elsewhere::ChannelGone {
                id,
                project,
                workspace,
            } => self.tell_channel_gone(id, project, workspace).await?,
            Elsewhere::Missed => self.node.resync_all().await,
            Elsewhere::Unread => self.node.resync_everywhere().await,
        }
        Ok(())
    }

    async fn tell_project_made(&self, event: EntryId, id: ProjectId) -> Result<(), ClientError> {
        if let Some(project) = self.store().project(id).await? {
            let (rooms, members) = concerned(&project);
            let created = ServerEvent::ProjectCreated {
                created_by: project.created_by.clone().unwrap_or_else(somebody),
                project: Box::new(project),
            };
            self.node.tell_seen(event, &rooms, created, members).await;
        }
        Ok(())
    }

    async fn tell_project_changed(
        &self,
        event: EntryId,
        id: ProjectId,
        updates: ProjectUpdates,
    ) -> Result<(), ClientError> {
        if let Some(project) = self.store().project(id).await?
            && updates != ProjectUpdates::default()
        {
            let (rooms, members) = concerned(&project);
            let updated = project::updated(id, updates, &somebody());
            self.node.tell_seen(event, &rooms, updated, members).await;
        }
        Ok(())
    }

    async fn tell_project_gone(
        &self,
        id: ProjectId,
        workspace: Option<WorkspaceId>,
        members: Vec<UserId>,
    ) {
        let event = ServerEvent::ProjectDeleted {
            project_id: id,
            deleted_by: somebody(),
        };
        let own = [RoomKey::Project(id), RoomKey::Chat(id.0.into())];
        let mut rooms = own.to_vec();
        rooms.extend(workspace.map(RoomKey::Workspace));
        self.node.tell(&rooms, event, together(members)).await;
        self.node.close_rooms(&own).await;
    }

    async fn tell_channel_gone(
        &self,
        id: ChannelId,
        project: Option<ProjectId>,
        workspace: Option<WorkspaceId>,
    ) -> Result<(), ClientError> {
        let event = ServerEvent::ChannelDeleted {
            channel_id: id,
            project_id: project,
            deleted_by: somebody(),
        };
        let members = match project {
            Some(project) => self.store().project(project).await?,
            None => None,
        };
        let own = [RoomKey::Chat(id)];
        self.node.tell(&own, event.clone(), None).await;
        let mut rooms: Vec<_> = project.map(RoomKey::Project).into_iter().collect();
        rooms.extend(workspace.map(RoomKey::Workspace));
        let only = members.and_then(|project| together(ids(&project.members)));
        self.node.tell(&rooms, event, only).await;
        self.node.close_rooms(&own).await;
        Ok(())
    }

    async fn tell_channel_made(&self, event: EntryId, id: ChannelId) -> Result<(), ClientError> {
        let Some(channel) = self.store().channel(id).await? else {
            return Ok(());
        };
        let project = match channel.project {
            Some(project) => self.store().project(project).await?,
            None => None,
        };
        let workspace = channel.workspace.map(RoomKey::Workspace);
        let created = ServerEvent::ChannelCreated {
            created_by: channel.created_by.clone().unwrap_or_else(somebody),
            channel: Box::new(channel),
        };
        let (rooms, members) = match &project {
            Some(project) => {
                let (rooms, members) = concerned(project);
                (rooms.to_vec(), members)
            }
            None => (workspace.into_iter().collect(), None),
        };
        self.node.tell_seen(event, &rooms, created, members).await;
        Ok(())
    }
}
