//! What the server tells, by name and payload.

use std::sync::Arc;

use serde::Serialize;

use super::Scope;
use crate::{
    error::ClientError,
    id::{ChannelId, ProjectId, TaskId, UserId, WorkspaceId},
    model::{
        Channel, Message, Position, Project, ProjectUpdates, Status, Task, TaskUpdates, UserBrief,
    },
    time::Timestamp,
};

/// An event for clients. Its payload is what serializes; [`ServerEvent::name`] is apart from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[allow(missing_docs)] // The contract's table describes the fields; doubling it here would only let it drift.
pub enum ServerEvent {
    /// `user:joined`: this user's first session is in the room.
    UserJoined {
        user_id: UserId,
        user: UserBrief,
        #[serde(flatten)]
        scope: ScopeField,
    },
    /// `user:left`: this user's last session has gone.
    UserLeft {
        user_id: UserId,
        #[serde(flatten)]
        scope: ScopeField,
    },
    /// `room:users`: everybody who is in the room.
    RoomUsers {
        #[serde(flatten)]
        scope: ScopeField,
        users: Vec<UserId>,
    },
    /// `room:resync`: what was missed cannot be told; reload.
    RoomResync { room: String },
    /// `task:created`.
    TaskCreated {
        task: Arc<Task>,
        created_by: UserBrief,
    },
    /// `task:updated`.
    TaskUpdated {
        task_id: TaskId,
        updates: Box<TaskUpdates>,
        updated_by: UserBrief,
        version: u64,
    },
    /// `task:deleted`.
    TaskDeleted {
        task_id: TaskId,
        deleted_by: UserBrief,
    },
    /// `task:moved`.
    TaskMoved {
        project_id: ProjectId,
        task_id: TaskId,
        from_status: Status,
        to_status: Status,
        new_index: u64,
        position: Position,
        version: u64,
        moved_by: UserBrief,
    },
    /// `chat:newMessage`.
    NewMessage(Arc<Message>),
    /// `chat:userTyping`.
    UserTyping {
        channel_id: ChannelId,
        user_id: UserId,
        user: UserBrief,
        is_typing: bool,
    },
    /// `project:created`.
    ProjectCreated {
        project: Box<Project>,
        created_by: UserBrief,
    },
    /// `project:updated`.
    ProjectUpdated {
        project_id: ProjectId,
        updates: Box<ProjectUpdates>,
        updated_by: UserBrief,
    },
    /// `project:deleted`.
    ProjectDeleted {
        project_id: ProjectId,
        deleted_by: UserBrief,
    },
    /// `workspace:deleted`.
    WorkspaceDeleted {
        workspace_id: WorkspaceId,
        deleted_by: UserBrief,
    },
    /// `channel:created`.
    ChannelCreated {
        channel: Box<Channel>,
        created_by: UserBrief,
    },
    /// `channel:deleted`.
    ChannelDeleted {
        channel_id: ChannelId,
        project_id: Option<ProjectId>,
        deleted_by: UserBrief,
    },
    /// `session`, over plain WebSocket: who it is, and the id of the session.
    PlainSession {
        id: String,
        user_id: UserId,
        expires_at: Option<Timestamp>,
    },
    /// `auth:expiring`: the session's token ends soon.
    AuthExpiring { expires_at: Timestamp },
    /// `auth:expired`: it has ended, and so does the connection.
    AuthExpired { expires_at: Timestamp },
    /// `error`: an event without an acknowledgement has failed.
    Error {
        event: String,
        #[serde(flatten)]
        error: ClientError,
    },
}

/// `projectId` or `workspaceId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[allow(missing_docs)]
pub enum ScopeField {
    /// A project's room.
    Project { project_id: ProjectId },
    /// A workspace's room.
    Workspace { workspace_id: WorkspaceId },
}

impl From<Scope> for ScopeField {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Project(project_id) => Self::Project { project_id },
            Scope::Workspace(workspace_id) => Self::Workspace { workspace_id },
        }
    }
}

impl ServerEvent {
    /// The event's name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::UserJoined { .. } => "user:joined",
            Self::UserLeft { .. } => "user:left",
            Self::RoomUsers { .. } => "room:users",
            Self::RoomResync { .. } => "room:resync",
            Self::TaskCreated { .. } => "task:created",
            Self::TaskUpdated { .. } => "task:updated",
            Self::TaskDeleted { .. } => "task:deleted",
            Self::TaskMoved { .. } => "task:moved",
            Self::NewMessage(_) => "chat:newMessage",
            Self::UserTyping { .. } => "chat:userTyping",
            Self::ProjectCreated { .. } => "project:created",
            Self::ProjectUpdated { .. } => "project:updated",
            Self::ProjectDeleted { .. } => "project:deleted",
            Self::WorkspaceDeleted { .. } => "workspace:deleted",
            Self::ChannelCreated { .. } => "channel:created",
            Self::ChannelDeleted { .. } => "channel:deleted",
            Self::PlainSession { .. } => "session",
            Self::AuthExpiring { .. } => "auth:expiring",
            Self::AuthExpired { .. } => "auth:expired",
            Self::Error { .. } => "error",
        }
    }

    /// Whether the event has a place in its room's log: whoever misses it must hear it later.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        !matches!(
            self,
            Self::UserJoined { .. }
                | Self::UserLeft { .. }
                | Self::RoomUsers { .. }
                | Self::UserTyping { .. }
                | Self::PlainSession { .. }
                | Self::AuthExpiring { .. }
                | Self::AuthExpired { .. }
                | Self::Error { .. }
        )
    }
}
