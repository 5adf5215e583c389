//! Announcements (contract, rule 2): the old client changes a task by REST, and then says so over its socket.
//!
//! An announcement writes nothing, so it can never take back what somebody else has changed since. It is told, with
//! the present values, to those whom the change left out; and where its sender's page must have ended up with older
//! values, the sender is told the present ones too.

mod news;
mod overdue;
mod told_late;

use collabflow_protocol::{
    event::{MoveCommand, TaskCommand},
    id::{TaskId, UserId},
    model::{Task, TaskField, TaskPatch},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    message::Author,
    state::RoomState,
    told::{Change, Kind, Latest, Told},
};
use crate::store::Claim;

/// What somebody announces, with the values that their page has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Announcement {
    /// A task, whole.
    Created(TaskId, Whole),
    /// A task, whole, after a change.
    UpdatedWhole(TaskId, Whole),
    /// Some fields of a task.
    Updated(TaskId, TaskPatch),
    /// A task's place.
    Moved(MoveCommand),
    /// That a task is gone.
    Deleted(TaskId),
}

/// A whole task as somebody's page has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Whole {
    patch: TaskPatch,
    version: Option<u64>,
    position: Option<String>,
}

impl Whole {
    fn read(sent: &Map<String, Value>) -> Self {
        Self {
            patch: TaskPatch::announced(sent),
            version: sent.get("version").and_then(Value::as_u64),
            position: sent
                .get("position")
                .and_then(Value::as_str)
                .map(str::to_owned),
        }
    }
}

impl Announcement {
    /// Tells an announcement from a change; a change is handed back.
    pub(super) fn judge(
        command: Box<TaskCommand>,
        author: &Author,
        room: &RoomState,
        now: Instant,
    ) -> Result<Self, Box<TaskCommand>> {
        let Author::Session(entry) = author else {
            return Err(command);
        };
        let (told, user) = (&room.ledger.told, entry.user_id());
        let always = !room.settings.write_by_socket;
        match *command {
            TaskCommand::Create {
                id: Some(id), sent, ..
            } => Ok(Self::Created(id, Whole::read(&sent))),
            TaskCommand::Update {
                task,
                whole: Some(sent),
                expected: None,
                ..
            } => Ok(Self::UpdatedWhole(task, Whole::read(&sent))),
            TaskCommand::Update {
                task,
                patch: Ok(patch),
                ..
            } if always || repeats_patch(told, user, task, &patch, now) => {
                Ok(Self::Updated(task, patch))
            }
            TaskCommand::Move(command) if always || repeats_move(told, user, &command, now) => {
                Ok(Self::Moved(command))
            }
            TaskCommand::Delete { task } if always || is_deleted(told, task) => {
                Ok(Self::Deleted(task))
            }
            other => Err(Box::new(other)),
        }
    }

    pub(super) fn task(&self) -> TaskId {
        match self {
            Self::Created(task, _)
            | Self::UpdatedWhole(task, _)
            | Self::Updated(task, _)
            | Self::Deleted(task) => *task,
            Self::Moved(command) => command.task,
        }
    }

    /// What another program may have changed that is told by it.
    pub(super) fn claim(&self) -> Claim {
        Claim::Fields(match self {
            Self::Created(..) | Self::UpdatedWhole(..) => TaskField::ALL.to_vec(),
            Self::Updated(_, patch) => patch.named(),
            Self::Moved(_) => vec![TaskField::Status],
            Self::Deleted(_) => return Claim::Deleted,
        })
    }

    /// Whether it speaks of what this change, by its author, did.
    fn speaks_of(&self, change: &Change) -> bool {
        match self {
            Self::Created(..) | Self::UpdatedWhole(..) => change.kind != Kind::Deleted,
            Self::Updated(_, patch) => patch.named().into_iter().any(|field| change.named(field)),
            Self::Moved(_) => change.named(TaskField::Status) || change.named(TaskField::Position),
            Self::Deleted(_) => change.kind == Kind::Deleted,
        }
    }

    /// Whether it is what a page says that has the answer to this change.
    fn repeats(&self, change: &Change) -> bool {
        match self {
            Self::Created(_, whole) | Self::UpdatedWhole(_, whole) => {
                // Its answer may have shown it what others have made of the change meanwhile.
                whole
                    .version
                    .is_some_and(|version| version >= change.task.version)
            }
            Self::Updated(_, patch) => patch
                .named()
                .into_iter()
                .all(|field| change.named(field) && patch.agrees(field, &change.task)),
            Self::Moved(command) => {
                change.named(TaskField::Status) && change.task.status == command.to
            }
            Self::Deleted(_) => false,
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self, Self::Created(..) | Self::UpdatedWhole(..))
    }

    /// Whether its sender knows that the field is cleared.
    fn clears(&self, field: TaskField) -> bool {
        match self {
            Self::Created(_, whole) | Self::UpdatedWhole(_, whole) => {
                whole.patch.named().contains(&field)
            }
            Self::Updated(_, patch) => patch.named().contains(&field),
            Self::Moved(_) | Self::Deleted(_) => false,
        }
    }

    /// The fields whose value in the announcement is not the present one.
    fn outdated(&self, present: &Task) -> Vec<TaskField> {
        match self {
            Self::Created(_, whole) | Self::UpdatedWhole(_, whole) => {
                let mut fields = disagreeing(&whole.patch, present);
                if whole
                    .position
                    .as_ref()
                    .is_some_and(|position| position != present.position.as_str())
                {
                    fields.push(TaskField::Position);
                }
                fields
            }
            Self::Updated(_, patch) => disagreeing(patch, present),
            Self::Moved(command) if command.to != present.status => {
                vec![TaskField::Status, TaskField::Position]
            }
            Self::Moved(_) | Self::Deleted(_) => Vec::new(),
        }
    }
}

fn disagreeing(patch: &TaskPatch, present: &Task) -> Vec<TaskField> {
    patch
        .named()
        .into_iter()
        .filter(|field| !patch.agrees(*field, present))
        .collect()
}

/// Whether each field of a patch repeats what its author has set it to by REST.
fn repeats_patch(told: &Told, user: UserId, task: TaskId, patch: &TaskPatch, now: Instant) -> bool {
    let named = patch.named();
    let is_repeated = |field: &TaskField| {
        told.announceable(user, task, now)
            .any(|change| change.named(*field) && patch.agrees(*field, &change.task))
    };
    !named.is_empty() && named.iter().all(is_repeated)
}

/// Whether a move repeats its author's change of status, or its move, by REST.
fn repeats_move(told: &Told, user: UserId, command: &MoveCommand, now: Instant) -> bool {
    told.announceable(user, command.task, now).any(|change| {
        change.task.status == command.to
            && match &change.kind {
                // A page that drags by changing the status has a place in mind that nobody has stored.
                Kind::Updated(named) => named.contains(&TaskField::Status),
                Kind::Moved(index) => command.index == *index || command.index == change.index,
                Kind::Created | Kind::Deleted => false,
            }
    })
}

fn is_deleted(told: &Told, task: TaskId) -> bool {
    matches!(told.latest(task), Some(Latest::Deleted(_)))
}
