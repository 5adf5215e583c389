//! A node: one tree of actors over one store, and the calls by which the edge reaches into it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use collabflow_protocol::{
    error::ClientError,
    event::{ClientEvent, MoveCommand, ServerEvent},
    id::{ChannelId, ProjectId, TaskId, UserId},
    model::{Message, MessageDraft, Task, TaskDraft, TaskPatch, UserBrief},
};

use crate::{
    id::{IdSource, PrivateId, SessionId},
    key::RoomKey,
    outbox::Outbox,
    store::{Once, Store},
};

/// What the engine can be told about its ways.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a dropped user may stay away without having left (`presence.grace`).
    pub presence_grace: Duration,
    /// How long a session may be away and still come back to its rooms (`recovery.window`).
    pub recovery_window: Duration,
    /// Whether a session may come back to its rooms at all (`recovery.rejoin`).
    pub rejoin: bool,
    /// For how long a membership that was read is good (`membership.max_age`).
    pub membership_max_age: Duration,
    /// Whether `task:*` events may change tasks, or only announce (`tasks.write_by_socket`).
    pub write_by_socket: bool,
    /// Rooms that one session may be in (`limits.rooms_per_session`).
    pub rooms_per_session_max: usize,
}

/// A new connection that has proven who it is.
#[derive(Debug)]
pub struct Hello {
    /// Who it is.
    pub user: UserBrief,
    /// Where its frames go; the answer to CONNECT is the first.
    pub outbox: Arc<Outbox>,
    /// The secret of the session whose place it wants to take.
    pub pid: Option<PrivateId>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client said goodbye: it has left its rooms, at once.
    Goodbye,
    /// Anything else: it may be back within the grace.
    Dropped,
}

/// One event as it came in.
#[derive(Debug)]
pub struct Inbound {
    /// The event's name, for the answer.
    pub name: String,
    /// The event, or what is wrong with it.
    pub event: Result<ClientEvent, ClientError>,
    /// The id under which the client waits for an acknowledgement.
    pub ack: Option<u64>,
}

/// A live session as the edge holds it.
#[derive(Clone, Debug)]
pub struct Session {}

impl Session {
    /// The public id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        todo!()
    }

    /// Hands an event over; waits while too many of this session's are under way.
    pub async fn receive(&self, _inbound: Inbound) {
        todo!()
    }

    /// The connection has ended. Frames that were not written are kept for who comes back.
    pub fn end(&self, _how: Ended) {
        todo!()
    }
}

/// Who does something by REST, and who is left out of hearing of it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub user: Arc<UserBrief>,
    /// Who is left out of task changes.
    pub echo: Echo,
}

/// Who is left out of hearing of a task change that was made by REST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// Nobody.
    All,
    /// The author's own sockets, until one of them announces the change.
    NotAuthor,
    /// One socket, if it is the author's.
    NotSocket(SessionId),
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// For a reason that says everything.
    Error(ClientError),
    /// The task has another version than the expected one: this is it.
    Conflict(Box<Task>),
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        Self::Error(error)
    }
}

/// A node of the engine. Clones are the same node.
#[derive(Clone)]
pub struct Node {}

impl Node {
    /// Starts the tree.
    pub async fn start(_store: Arc<dyn Store>, _settings: Settings) -> Self {
        todo!()
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        todo!()
    }

    /// Where ids come from.
    #[must_use]
    pub fn ids(&self) -> &IdSource {
        todo!()
    }

    /// Opens a session and answers its CONNECT; what it missed and its rooms follow by themselves.
    ///
    /// # Errors
    /// `unavailable` while the node is ending.
    pub async fn open_session(&self, _hello: Hello) -> Result<Session, ClientError> {
        todo!()
    }

    /// Makes a task; false where its `once` key had made it before.
    ///
    /// # Errors
    /// `not_found` for who is no member, `forbidden` for viewers, `validation_failed`, `unavailable`.
    pub async fn create_task(
        &self,
        _caller: Caller,
        _project: ProjectId,
        _draft: TaskDraft,
        _once: Option<Once>,
    ) -> Result<(Task, bool), Refusal> {
        todo!()
    }

    /// Changes a task.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `validation_failed`, `unavailable`, or the winner of a conflict.
    pub async fn update_task(
        &self,
        _caller: Caller,
        _project: ProjectId,
        _task: TaskId,
        _patch: TaskPatch,
        _expected: Option<u64>,
    ) -> Result<Task, Refusal> {
        todo!()
    }

    /// Moves a task.
    ///
    /// # Errors
    /// As [`Self::update_task`].
    pub async fn move_task(
        &self,
        _caller: Caller,
        _project: ProjectId,
        _command: MoveCommand,
    ) -> Result<Task, Refusal> {
        todo!()
    }

    /// Deletes a task.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `unavailable`.
    pub async fn delete_task(
        &self,
        _caller: Caller,
        _project: ProjectId,
        _task: TaskId,
    ) -> Result<(), Refusal> {
        todo!()
    }

    /// Writes a message to a channel.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn post_message(
        &self,
        _caller: Caller,
        _channel: ChannelId,
        _draft: MessageDraft,
    ) -> Result<Message, Refusal> {
        todo!()
    }

    /// Tells an event to everybody in the rooms, once a session whatever rooms it is in; with `only`, to these users.
    pub async fn tell(
        &self,
        _rooms: &[RoomKey],
        _event: ServerEvent,
        _only: Option<HashSet<UserId>>,
    ) {
        todo!()
    }

    /// Memberships behind these rooms have changed: when this returns, who is no member any more is out, and roles
    /// are read anew.
    pub async fn membership_changed(&self, _rooms: &[RoomKey]) {
        todo!()
    }

    /// What these rooms belong to is gone: everybody is out of them when this returns, without `user:left`.
    pub async fn close_rooms(&self, _rooms: &[RoomKey]) {
        todo!()
    }
}
