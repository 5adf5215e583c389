//! What REST asks of a node: changes of tasks, and messages, made as a session would make them.

use std::sync::Arc;

use collabflow_protocol::{
    error::ClientError,
    event::{MoveCommand, TaskCommand},
    id::{ChannelId, ProjectId, TaskId},
    model::{Message, MessageDraft, Task, TaskDraft, TaskPatch, UserBrief},
};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::Node;
use crate::{
    id::SessionId,
    key::RoomKey,
    room::{Author, RoomMessage},
    session::reply::{Done, Reply},
    store::Once,
};

/// Who does something by REST, and who is left out of hearing of it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub user: Arc<UserBrief>,
    /// Who is left out of task changes.
    pub echo: Echo,
}

/// Who is left out of hearing of a task change that was made by REST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl Node {
    /// Makes a task; false where its `once` key had made it before.
    ///
    /// # Errors
    /// `not_found` for who is no member, `forbidden` for viewers, `validation_failed`, `unavailable`.
    pub async fn create_task(
        &self,
        caller: Caller,
        project: ProjectId,
        draft: TaskDraft,
        once: Option<Once>,
    ) -> Result<(Arc<Task>, bool), Refusal> {
        let command = TaskCommand::Create {
            id: None,
            sent: Map::new(),
            draft: Ok(draft),
            client_id: None,
        };
        match self
            .change(Author::Rest(caller, once), project, command)
            .await?
        {
            Done::Task(task) => Ok((task, true)),
            Done::RepeatedTask(task) => Ok((task, false)),
            _ => Err(ClientError::internal().into()),
        }
    }

    /// Changes a task.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `validation_failed`, `unavailable`, or the winner of a conflict.
    pub async fn update_task(
        &self,
        caller: Caller,
        project: ProjectId,
        task: TaskId,
        patch: TaskPatch,
        expected: Option<u64>,
    ) -> Result<Arc<Task>, Refusal> {
        let command = TaskCommand::Update {
            task,
            whole: None,
            patch: Ok(patch),
            expected,
        };
        self.change(Author::Rest(caller, None), project, command)
            .await
            .and_then(Done::into_task)
    }

    /// Moves a task.
    ///
    /// # Errors
    /// As [`Self::update_task`].
    pub async fn move_task(
        &self,
        caller: Caller,
        project: ProjectId,
        command: MoveCommand,
    ) -> Result<Arc<Task>, Refusal> {
        let command = TaskCommand::Move(command);
        self.change(Author::Rest(caller, None), project, command)
            .await
            .and_then(Done::into_task)
    }

    /// Deletes a task.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `unavailable`.
    pub async fn delete_task(
        &self,
        caller: Caller,
        project: ProjectId,
        task: TaskId,
    ) -> Result<(), Refusal> {
        self.change(
            Author::Rest(caller, None),
            project,
            TaskCommand::Delete { task },
        )
        .await
        .map(drop)
    }

    async fn change(
        &self,
        author: Author,
        project: ProjectId,
        command: TaskCommand,
    ) -> Result<Done, Refusal> {
        let is_page = matches!(&author, Author::Rest(caller, _) if caller.echo == Echo::NotAuthor);
        let (reply, answer) = Reply::rest(is_page);
        let message = RoomMessage::Task(author, Box::new(command), reply);
        self.registry.room(RoomKey::Project(project)).send(message);
        answer
            .await
            .unwrap_or_else(|_| Err(ClientError::internal().into()))
    }

    /// Writes a message to a channel.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn post_message(
        &self,
        caller: Caller,
        channel: ChannelId,
        draft: MessageDraft,
    ) -> Result<Arc<Message>, Refusal> {
        let (reply, answer) = Reply::rest(false);
        let message = RoomMessage::Post(Author::Rest(caller, None), draft, reply);
        self.registry.room(RoomKey::Chat(channel)).send(message);
        match answer
            .await
            .unwrap_or_else(|_| Err(ClientError::internal().into()))?
        {
            Done::Message(message) => Ok(message),
            _ => Err(ClientError::internal().into()),
        }
    }
}

impl Done {
    fn into_task(self) -> Result<Arc<Task>, Refusal> {
        match self {
            Self::Task(task) | Self::RepeatedTask(task) => Ok(task),
            _ => Err(ClientError::internal().into()),
        }
    }
}
