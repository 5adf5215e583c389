//! What a room has told lately of its tasks: by whom a change was made, how, and who was left out of hearing of it.
//!
//! This is what announcements (contract, rule 2) are judged by. It spans a minute, and is bounded; what it no longer
//! knows is looked up in the store.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use collabflow_protocol::{
    id::{TaskId, UserId},
    model::{Status, Task, TaskField, UserBrief},
};
use tokio::time::Instant;

use crate::id::SessionId;

/// For how long a REST change may be repeated by its announcement.
pub(crate) const ANNOUNCED_WITHIN: Duration = Duration::from_secs(10);
/// How long an author's other socket may take to announce a change after one of them closed: the one that closed may
/// not have been the page that made it.
const SETTLES_WITHIN: Duration = Duration::from_millis(500);
const KEPT_FOR: Duration = Duration::from_secs(60);
const CHANGES_MAX: usize = 4_096;
/// Bytes of text in the tasks of remembered changes, about.
const BYTES_MAX: usize = 16_000_000;

/// How a task was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The task after it; of a deleted one, as it was last.
    pub(crate) task: Arc<Task>,
    /// Its index in its column after it, where that was part of the change.
    pub(crate) index: Option<u64>,
    /// Sessions of the author that have not been told.
    pub(crate) untold: Vec<SessionId>,
    /// Sessions of the author whose connection has gone: one of them may have been the page that made the change.
    pub(crate) gone: Vec<SessionId>,
    /// When the untold that are not gone are told although nobody has announced it.
    pub(crate) told_at: Option<Instant>,
}

impl Change {
    /// Whether the request said something of this field.
    pub(crate) fn named(&self, field: TaskField) -> bool {
        match &self.kind {
            Kind::Created => true,
            Kind::Updated(named) => named.contains(&field),
            Kind::Moved(_) => matches!(field, TaskField::Status | TaskField::Position),
            Kind::Deleted => false,
        }
    }
}

/// The last that is known of a task.
#[derive(Clone, Debug)]
pub(crate) enum Latest {
    Stored(Arc<Task>),
    Deleted(Arc<UserBrief>),
}

#[derive(Debug, Default)]
pub(crate) struct Told {
    changes: VecDeque<Change>,
    latest: HashMap<TaskId, (Latest, Instant)>,
    /// Whether any change waits for the clock.
    is_timed: bool,
    /// Bytes of text in the tasks of all changes.
    bytes: usize,
}

impl Told {
    /// A change was stored and told to all but `change.untold`.
    pub(crate) fn record(&mut self, change: Change) {
        let latest = match change.kind {
            Kind::Deleted => {
                self.forget_untold(change.task.id);
                Latest::Deleted(Arc::clone(&change.author))
            }
            _ => Latest::Stored(Arc::clone(&change.task)),
        };
        self.is_timed |= change.told_at.is_some();
        self.latest.insert(change.task.id, (latest, change.at));
        self.bytes += text_len(&change.task);
        self.changes.push_back(change);
        while self.changes.len() > CHANGES_MAX || self.bytes > BYTES_MAX {
            self.forget_first();
        }
    }

    /// What is known of a task, if it was changed lately.
    pub(crate) fn latest(&self, task: TaskId) -> Option<&Latest> {
        self.latest.get(&task).map(|(latest, _)| latest)
    }

    /// The author's REST changes of a task that an announcement may repeat, oldest first.
    pub(crate) fn announceable(
        &self,
        author: UserId,
        task: TaskId,
        now: Instant,
    ) -> impl DoubleEndedIterator<Item = &Change> {
        self.of_task(task).filter(move |change| {
            change.by_rest && change.author.id == author && change.at + ANNOUNCED_WITHIN >= now
        })
    }

    /// All that is known to have happened to a task, oldest first.
    pub(crate) fn of_task(&self, task: TaskId) -> impl DoubleEndedIterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |change| change.task.id == task)
    }

    /// Takes a session off the untold of those changes of a task that `is_told` picks; these are the answer.
    pub(crate) fn settle(
        &mut self,
        session: SessionId,
        task: TaskId,
        is_told: impl Fn(&Change) -> bool,
    ) -> Vec<Change> {
        let mut settled = Vec::new();
        for change in self
            .changes
            .iter_mut()
            .filter(|change| change.task.id == task && is_told(change))
        {
            if let Some(at) = change.untold.iter().position(|untold| *untold == session) {
                change.untold.swap_remove(at);
                settled.push(change.clone());
            }
        }
        settled
    }

    /// The fields of a change that a session has not heard of by a later one.
    pub(crate) fn unheard(&self, session: SessionId, change: &Change) -> Vec<TaskField> {
        let later = |other: &&Change| {
            other.task.version > change.task.version && !other.untold.contains(&session)
        };
        let heard: Vec<_> = self
            .of_task(change.task.id)
            .filter(later)
            .flat_map(|other| &other.fields)
            .collect();
        change
            .fields
            .iter()
            .copied()
            .filter(|field| !heard.contains(&field))
            .collect()
    }

    /// Whether a session that is away since `since` will hear of an earlier change of these fields of a task.
    pub(crate) fn was_missed(
        &self,
        session: SessionId,
        since: Instant,
        task: TaskId,
        fields: &[TaskField],
    ) -> bool {
        self.of_task(task).any(|change| {
            change.at >= since
                && !change.untold.contains(&session)
                && change.fields.iter().any(|field| fields.contains(field))
        })
    }

    /// The changes that `is_announced` picks need no telling by the clock any more.
    pub(crate) fn announced(&mut self, task: TaskId, is_announced: impl Fn(&Change) -> bool) {
        for change in self
            .changes
            .iter_mut()
            .filter(|change| change.task.id == task && is_announced(change))
        {
            change.told_at = None;
        }
    }

    /// A session of `user` has closed: unless an announcement comes at once, the user's others are told.
    pub(crate) fn closed(&mut self, session: SessionId, user: UserId, now: Instant) {
        for change in self
            .changes
            .iter_mut()
            .filter(|change| change.author.id == user)
        {
            if change.untold.contains(&session) && !change.gone.contains(&session) {
                change.gone.push(session);
                // Who was left out alone made the change.
                if change.untold.len() > 1 {
                    change.told_at = Some(now + SETTLES_WITHIN);
                    self.is_timed = true;
                }
            }
        }
    }

    /// A session has come back under another id.
    pub(crate) fn returned(&mut self, old: SessionId, new: SessionId) {
        for change in &mut self.changes {
            for session in change
                .untold
                .iter_mut()
                .chain(&mut change.gone)
                .filter(|session| **session == old)
            {
                *session = new;
            }
        }
    }

    /// The changes that have waited long enough for an announcement: they wait no more.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<Change> {
        let is_overdue = |change: &&mut Change| change.told_at.is_some_and(|at| at <= now);
        let mut overdue = Vec::new();
        for change in self.changes.iter_mut().filter(is_overdue) {
            change.told_at = None;
            overdue.push(change.clone());
        }
        self.is_timed = self.changes.iter().any(|change| change.told_at.is_some());
        overdue
    }

    /// Forgets what is older than a minute.
    pub(crate) fn prune(&mut self, now: Instant) {
        while self
            .changes
            .front()
            .is_some_and(|change| change.at + KEPT_FOR <= now)
        {
            self.forget_first();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// When there is something to tell, or to forget.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let told = if self.is_timed {
            self.changes
                .iter()
                .filter_map(|change| change.told_at)
                .min()
        } else {
            None
        };
        let forgotten = self.changes.front().map(|change| change.at + KEPT_FOR);
        told.into_iter().chain(forgotten).min()
    }

    fn forget_first(&mut self) {
        let Some(change) = self.changes.pop_front() else {
            return;
        };
        self.bytes -= text_len(&change.task);
        let is_latest = |(_, at): &(Latest, Instant)| *at == change.at;
        if self.latest.get(&change.task.id).is_some_and(is_latest) {
            self.latest.remove(&change.task.id);
        }
    }

    fn forget_untold(&mut self, task: TaskId) {
        for change in self
            .changes
            .iter_mut()
            .filter(|change| change.task.id == task)
        {
            change.untold.clear();
            change.told_at = None;
        }
    }
}

fn text_len(task: &Task) -> usize {
    let subtasks = task.subtasks.iter().map(|subtask| subtask.title.len());
    let labels = task
        .labels
        .iter()
        .map(|label| label.name.len() + label.color.len());
    let description = task.description.as_ref().map_or(0, String::len);
    task.title.len() + description + subtasks.chain(labels).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::fixture::{task, user};

    #[tokio::test]
    async fn large_tasks_are_forgotten_sooner() {
        let (now, mut told) = (Instant::now(), Told::default());
        let large = Task {
            description: Some("x".repeat(80_000)),
            ..task(1, "large")
        };
        for second in 0..1_000 {
            told.record(Change {
                at: now + Duration::from_secs(second),
                author: user(1),
                by_rest: false,
                kind: Kind::Updated(Vec::new()),
                from: large.status.clone(),
                fields: vec![TaskField::Description],
                task: Arc::new(large.clone()),
                index: None,
                untold: Vec::new(),
                gone: Vec::new(),
                told_at: None,
            });
        }
        assert!(told.bytes <= BYTES_MAX);
        assert_eq!(told.changes.len(), BYTES_MAX / text_len(&large));
        assert!(told.latest(large.id).is_some());
        told.prune(now + Duration::from_secs(1_000) + KEPT_FOR);
        assert_eq!(told.bytes, 0);
    }
}
