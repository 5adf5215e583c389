//! One change of a task, and what those of its author's sessions know of it that were left out.

use std::sync::Arc;

use collabflow_protocol::{
    id::TaskId,
    model::{Status, Task, TaskField, UserBrief},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::ANNOUNCED_WITHIN;
use crate::id::SessionId;

/// How a task was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Created,
    /// The request named these fields.
    Updated(Vec<TaskField>),
    /// The request asked for this index.
    Moved(Option<u64>),
    Deleted,
}

/// A change of a task that was stored, and told to all but some.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) at: Instant,
    pub(crate) author: Arc<UserBrief>,
    /// Made by REST: it may be announced.
    pub(crate) by_rest: bool,
    pub(crate) kind: Kind,
    /// The column that the task was in before.
    pub(crate) from: Status,
    /// What it really changed.
    pub(crate) fields: Vec<TaskField>,
    /// The task after it; of a deleted one, as it was last. Once there is a later change, of long fields only what this
    /// one named: the task as a whole is the last one's.
    pub(crate) task: Arc<Task>,
    /// Its index in its column after it, where that was part of the change.
    pub(crate) index: Option<u64>,
    /// Sessions of the author that were not told of it with everybody.
    pub(crate) left_out: Vec<LeftOut>,
    /// A page made it that has not announced it yet: it may lay the answer over newer values.
    pub(crate) is_in_flight: bool,
    /// When the untold that are not gone are told although nobody has announced it.
    pub(crate) told_at: Option<Instant>,
}

/// A session that was not told of a change with everybody.
#[derive(Clone, Debug)]
pub(crate) struct LeftOut {
    pub(crate) session: SessionId,
    /// Its connection has gone: its page may have made the change.
    pub(crate) is_gone: bool,
    /// Whether it needs to be told.
    pub(crate) standing: Standing,
    /// It has been told something with the version that the change left.
    pub(crate) has_heard_version: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits for the change to be announced.
    Untold,
    /// It has announced the change: it needs no telling.
    Maker,
    /// What the change made of its fields was told late.
    ToldLate(Instant),
}

impl LeftOut {
    pub(crate) const fn new(session: SessionId, is_gone: bool) -> Self {
        Self {
            session,
            is_gone,
            standing: Standing::Untold,
            has_heard_version: false,
        }
    }

    pub(crate) fn is_untold(&self) -> bool {
        self.standing == Standing::Untold
    }
}

impl Change {
    pub(crate) fn task_id(&self) -> TaskId {
        self.task.id
    }

    /// Whether the request said something of this field.
    pub(crate) fn named(&self, field: TaskField) -> bool {
        match &self.kind {
            Kind::Created => true,
            Kind::Updated(named) => named.contains(&field),
            Kind::Moved(_) => matches!(field, TaskField::Status | TaskField::Position),
            Kind::Deleted => false,
        }
    }

    /// Whether its answer may not be on its page's card yet.
    pub(super) fn is_in_flight_at(&self, now: Instant) -> bool {
        self.is_in_flight && self.at + ANNOUNCED_WITHIN >= now
    }

    /// The sessions that have still to be told.
    pub(crate) fn untold(&self) -> impl Iterator<Item = SessionId> {
        self.left_out
            .iter()
            .filter(|one| one.is_untold())
            .map(|one| one.session)
    }

    pub(crate) fn is_untold(&self, session: SessionId) -> bool {
        self.untold().any(|untold| untold == session)
    }

    /// Whether a session has been told something with the version that the change left.
    pub(crate) fn has_told_version(&self, session: SessionId) -> bool {
        self.left_out
            .iter()
            .find(|one| one.session == session)
            .is_none_or(|one| one.has_heard_version)
    }

    /// Whether a session that is away since `since` hears of the change when it is back.
    pub(crate) fn is_missed(&self, session: SessionId, since: Instant) -> bool {
        let told_at = match self.left_out.iter().find(|one| one.session == session) {
            None => Some(self.at),
            Some(one) => match one.standing {
                Standing::ToldLate(at) => Some(at),
                Standing::Untold | Standing::Maker => None,
            },
        };
        told_at.is_some_and(|at| at >= since)
    }

    /// Forgets the long fields that it did not name; the answer is how much text that was.
    pub(super) fn slim(&mut self) -> usize {
        let before = self.text_len();
        let unnamed = |field| !self.named(field);
        let description = unnamed(TaskField::Description) && self.task.description.is_some();
        let subtasks = unnamed(TaskField::Subtasks) && !self.task.subtasks.is_empty();
        let labels = unnamed(TaskField::Labels) && !self.task.labels.is_empty();
        if description || subtasks || labels {
            let task = Arc::make_mut(&mut self.task);
            if description {
                task.description = None;
            }
            if subtasks {
                task.subtasks = Vec::new();
            }
            if labels {
                task.labels = Vec::new();
            }
        }
        before - self.text_len()
    }

    /// Bytes of text in the task, about.
    /// Bytes that it holds which may be many.
    pub(super) fn weight(&self) -> usize {
        self.text_len() + self.left_out.len() * size_of::<LeftOut>()
    }

    fn text_len(&self) -> usize {
        let task = &self.task;
        let subtasks = task.subtasks.iter().map(|subtask| subtask.title.len());
        let labels = task
            .labels
            .iter()
            .map(|label| label.name.len() + label.color.len());
        let description = task.description.as_ref().map_or(0, String::len);
        task.title.len() + description + subtasks.chain(labels).sum::<usize>()
    }

    pub(super) fn left_out_mut(&mut self, session: SessionId) -> Option<&mut LeftOut> {
        self.left_out.iter_mut().find(|one| one.session == session)
    }
}
