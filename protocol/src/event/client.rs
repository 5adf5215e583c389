//! What clients send: read and validated in one step, before anything else sees it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    error::{ClientError, ErrorCode},
    id::{ChannelId, ObjectId, ProjectId, TaskId, WorkspaceId},
    model::{MessageDraft, Status, TaskDraft, TaskPatch},
    validate::{Fields, Unknown},
};

/// A room with presence: a project's or a workspace's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A project's room.
    Project(ProjectId),
    /// A workspace's room.
    Workspace(WorkspaceId),
}

/// A change of a task, or the announcement of one that was already made: which of them it is, the room decides.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskCommand {
    /// `task:create`.
    Create {
        /// The task's `_id`, where it is an ObjectId.
        id: Option<TaskId>,
        /// What it was sent as.
        sent: Map<String, Value>,
        /// The fields of a new task, or why it could not become one.
        draft: Result<TaskDraft, ClientError>,
        /// The sender's own id for it, by which a repeat is known.
        client_id: Option<String>,
    },
    /// `task:update`.
    Update {
        /// Which task.
        task: TaskId,
        /// What the change was sent as, where it is a whole task (has an `_id`).
        whole: Option<Map<String, Value>>,
        /// The change, or why it is none.
        patch: Result<TaskPatch, ClientError>,
        /// The version that the sender believes to change.
        expected: Option<u64>,
    },
    /// `task:delete`.
    Delete {
        /// Which task.
        task: TaskId,
    },
    /// `task:move`.
    Move(MoveCommand),
}

/// A task's way to another place on the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveCommand {
    /// Which task.
    pub task: TaskId,
    /// The column it goes to.
    pub to: Status,
    /// Its place there; `None` is the end.
    pub index: Option<u64>,
    /// The version that the sender believes to move.
    pub expected: Option<u64>,
}

/// An event that a client may send.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// `join:project`, `join:workspace`.
    Join(Scope),
    /// `leave:project`, `leave:workspace`.
    Leave(Scope),
    /// `task:create`, `task:update`, `task:delete`, `task:move`.
    Task(ProjectId, Box<TaskCommand>),
    /// `chat:join`.
    ChatJoin(ChannelId),
    /// `chat:leave`.
    ChatLeave(ChannelId),
    /// `chat:message`.
    ChatMessage(ChannelId, MessageDraft),
    /// `chat:typing`.
    ChatTyping(ChannelId, bool),
}

impl ClientEvent {
    /// The names of all of them.
    pub const NAMES: &[&str] = &[
        "join:project",
        "leave:project",
        "join:workspace",
        "leave:workspace",
        "task:create",
        "task:update",
        "task:delete",
        "task:move",
        "chat:join",
        "chat:leave",
        "chat:message",
        "chat:typing",
    ];

    /// Reads an event by its name and its first argument.
    ///
    /// # Errors
    /// `not_found` for an unknown name, `bad_id` where an id alone was expected, `validation_failed` with every bad
    /// field otherwise.
    pub fn parse(name: &str, args: &[&RawValue], unknown: Unknown) -> Result<Self, ClientError> {
        let payload = args.first();
        match name {
            "join:project" => Ok(Self::Join(Scope::Project(sole_id(payload, "projectId")?))),
            "leave:project" => Ok(Self::Leave(Scope::Project(sole_id(payload, "projectId")?))),
            "join:workspace" => Ok(Self::Join(Scope::Workspace(sole_id(
                payload,
                "workspaceId",
            )?))),
            "leave:workspace" => Ok(Self::Leave(Scope::Workspace(sole_id(
                payload,
                "workspaceId",
            )?))),
            "chat:join" => Ok(Self::ChatJoin(sole_id(payload, "channelId")?)),
            "chat:leave" => Ok(Self::ChatLeave(sole_id(payload, "channelId")?)),
            "task:create" => create(object(payload)?, unknown),
            "task:update" => update(&object(payload)?, unknown),
            "task:delete" => delete(&object(payload)?, unknown),
            "task:move" => move_task(&object(payload)?, unknown),
            "chat:message" => message(&object(payload)?, unknown),
            "chat:typing" => typing(&object(payload)?, unknown),
            _ => Err(ClientError::not_found("Unknown event")),
        }
    }
}

/// An id as the only argument; `{projectId}` is as good.
fn sole_id<T: From<ObjectId>>(payload: Option<&&RawValue>, field: &str) -> Result<T, ClientError> {
    let value: Value = payload
        .map_or(Ok(Value::Null), |raw| serde_json::from_str(raw.get()))
        .unwrap_or(Value::Null);
    let text = value
        .as_str()
        .or_else(|| value.get(field).and_then(Value::as_str));
    text.and_then(|text| text.parse::<ObjectId>().ok())
        .map(T::from)
        .ok_or_else(|| {
            ClientError::new(
                ErrorCode::BadId,
                format!("{field} must be an id of 24 hexadecimal characters"),
            )
        })
}

fn object(payload: Option<&&RawValue>) -> Result<Map<String, Value>, ClientError> {
    payload
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .ok_or_else(|| {
            ClientError::new(ErrorCode::ValidationFailed, "The payload must be an object")
        })
}

fn create(mut payload: Map<String, Value>, unknown: Unknown) -> Result<ClientEvent, ClientError> {
    let mut fields = Fields::new(&payload);
    let project = fields.required_id("projectId");
    fields.required_object("task");
    let client_id = fields.optional_text("clientId", 1..=64);
    fields.finish(unknown)?;
    let sent = match payload.remove("task") {
        Some(Value::Object(task)) => task,
        _ => Map::new(),
    };
    let id = sent
        .get("_id")
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok());
    let draft = TaskDraft::parse(&sent, unknown).map_err(|error| below("task", error));
    Ok(ClientEvent::Task(
        project,
        Box::new(TaskCommand::Create {
            id,
            sent,
            draft,
            client_id,
        }),
    ))
}

fn update(payload: &Map<String, Value>, unknown: Unknown) -> Result<ClientEvent, ClientError> {
    let mut fields = Fields::new(payload);
    let project = fields.required_id("projectId");
    let task: TaskId = fields.required_id("taskId");
    let updates = fields.required_object("updates");
    let expected = fields.whole("expectedVersion");
    fields.finish(unknown)?;
    let nothing = Map::new();
    let updates = updates.unwrap_or(&nothing);
    let is_whole = updates
        .get("_id")
        .and_then(Value::as_str)
        .is_some_and(|id| id.parse() == Ok(task));
    let patch = TaskPatch::parse(updates, unknown).map_err(|error| below("updates", error));
    let whole = is_whole.then(|| updates.clone());
    Ok(ClientEvent::Task(
        project,
        Box::new(TaskCommand::Update {
            task,
            whole,
            patch,
            expected,
        }),
    ))
}

fn delete(payload: &Map<String, Value>, unknown: Unknown) -> Result<ClientEvent, ClientError> {
    let mut fields = Fields::new(payload);
    let project = fields.required_id("projectId");
    let task = fields.required_id("taskId");
    fields.finish(unknown)?;
    Ok(ClientEvent::Task(
        project,
        Box::new(TaskCommand::Delete { task }),
    ))
}

fn move_task(payload: &Map<String, Value>, unknown: Unknown) -> Result<ClientEvent, ClientError> {
    let mut fields = Fields::new(payload);
    let project = fields.required_id("projectId");
    let task = fields.required_id("taskId");
    // What the client believes is of no use: where the task really was is told.
    fields.get("fromStatus");
    let command = MoveCommand::read(task, &mut fields);
    fields.finish(unknown)?;
    Ok(ClientEvent::Task(
        project,
        Box::new(TaskCommand::Move(command)),
    ))
}

impl MoveCommand {
    fn read(task: TaskId, fields: &mut Fields<'_>) -> Self {
        if fields.get("toStatus").is_none_or(Value::is_null) {
            fields.refuse("toStatus", "is required");
        }
        Self {
            task,
            to: fields
                .choice("toStatus", Status::WORDS, Status::named)
                .unwrap_or(Status::Todo),
            index: fields.whole("newIndex"),
            expected: fields.whole("expectedVersion"),
        }
    }

    /// Reads the body of `POST /api/tasks/:taskId/move`.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(
        task: TaskId,
        body: &Map<String, Value>,
        unknown: Unknown,
    ) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        for name in ["projectId", "taskId", "fromStatus"] {
            fields.get(name);
        }
        let command = Self::read(task, &mut fields);
        fields.finish(unknown)?;
        Ok(command)
    }
}

fn message(payload: &Map<String, Value>, unknown: Unknown) -> Result<ClientEvent, ClientError> {
    let mut fields = Fields::new(payload);
    let channel = fields.required_id("channelId");
    let draft = MessageDraft::read(&mut fields);
    fields.finish(unknown)?;
    Ok(ClientEvent::ChatMessage(channel, draft))
}

fn typing(payload: &Map<String, Value>, unknown: Unknown) -> Result<ClientEvent, ClientError> {
    let mut fields = Fields::new(payload);
    let channel = fields.required_id("channelId");
    if fields.get("isTyping").is_none_or(Value::is_null) {
        fields.refuse("isTyping", "is required");
    }
    let is_typing = fields.flag("isTyping").unwrap_or(false);
    fields.finish(unknown)?;
    Ok(ClientEvent::ChatTyping(channel, is_typing))
}

/// Puts the fields of an error below the field that they are in.
fn below(parent: &str, error: ClientError) -> ClientError {
    let fields = error
        .fields
        .into_iter()
        .map(|(field, reason)| (format!("{parent}.{field}"), reason))
        .collect();
    ClientError::validation(fields)
}
