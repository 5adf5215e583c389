//! What a room has told lately of its tasks: by whom a change was made, how, and who was left out of hearing of it.
//!
//! This is what announcements (contract, rule 2) are judged by. It spans a minute, and is bounded; what it no longer
//! knows is looked up in the store.

mod change;
mod forget;
mod in_flight;

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use collabflow_protocol::{
    id::{TaskId, UserId},
    model::{Task, TaskField, UserBrief},
};
use tokio::time::Instant;

pub(crate) use self::change::{Change, Kind, LeftOut, Standing};
use crate::id::SessionId;

/// For how long a REST change may be repeated by its announcement.
pub(crate) const ANNOUNCED_WITHIN: Duration = Duration::from_secs(10);
/// For how long the answer to a REST call may overtake what a socket was told before it.
pub(crate) const OVERTAKEN_WITHIN: Duration = Duration::from_secs(1);
/// How long an author's other socket may take to announce a change after one of them closed: the one that closed may
/// not have been the page that made it.
const SETTLES_WITHIN: Duration = Duration::from_millis(500);
const KEPT_FOR: Duration = Duration::from_secs(60);
const CHANGES_MAX: usize = 4_096;
/// Changes of one task: as many as one user may make while they can be announced.
const OF_TASK_MAX: usize = 1_024;
/// Bytes of text in the tasks of remembered changes, and of whom they left out, about.
const BYTES_MAX: usize = 8_000_000;

/// The last that is known of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Latest<'a> {
    Stored(&'a Arc<Task>),
    Deleted(&'a Arc<UserBrief>),
}

#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The changes of each task, oldest first; none is empty.
    tasks: HashMap<TaskId, VecDeque<Change>>,
    /// Which task each change was of, and when, oldest first.
    order: VecDeque<(TaskId, Instant)>,
    /// Whether any change waits for the clock.
    is_timed: bool,
    /// What all changes weigh.
    bytes: usize,
}

impl Told {
    /// A change was stored and told to all but those it leaves out.
    pub(crate) fn record(&mut self, change: Change) {
        let id = change.task_id();
        let Some(change) = self.of_present(change) else {
            return;
        };
        if change.kind == Kind::Deleted {
            for change in self.tasks.get_mut(&id).into_iter().flatten() {
                self.bytes -= change.weight();
                change.left_out.clear();
                self.bytes += change.weight();
                change.told_at = None;
            }
        }
        self.is_timed |= change.told_at.is_some();
        self.bytes += change.weight();
        self.order.push_back((id, change.at));
        let changes = self.tasks.entry(id).or_default();
        if let Some(former) = changes.back_mut() {
            self.bytes -= former.slim();
        }
        changes.push_back(change);
        if changes.len() > OF_TASK_MAX {
            self.forget_first_of(id);
        }
        while self.order.len() > CHANGES_MAX || self.bytes > BYTES_MAX {
            self.forget_first();
        }
    }

    /// A change of nothing has no turn in a log: what it found may have been overtaken by what was told before it, or be
    /// gone.
    fn of_present(&self, mut change: Change) -> Option<Change> {
        let is_of_nothing = change.kind != Kind::Deleted && change.fields.is_empty();
        match self.latest(change.task_id()).filter(|_| is_of_nothing) {
            Some(Latest::Deleted(_)) => None,
            Some(Latest::Stored(told)) if told.version > change.task.version => {
                change.task = Arc::clone(told);
                Some(change)
            }
            Some(Latest::Stored(_)) | None => Some(change),
        }
    }

    /// What is known of a task, if it was changed lately.
    pub(crate) fn latest(&self, task: TaskId) -> Option<Latest<'_>> {
        self.of_task(task)
            .next_back()
            .map(|change| match change.kind {
                Kind::Deleted => Latest::Deleted(&change.author),
                _ => Latest::Stored(&change.task),
            })
    }

    /// The task as it is now, if it was changed lately, and is there.
    pub(crate) fn present(&self, task: TaskId) -> Option<Arc<Task>> {
        match self.latest(task)? {
            Latest::Stored(task) => Some(Arc::clone(task)),
            Latest::Deleted(_) => None,
        }
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

    /// Whether this version of a task was told, or a later one.
    pub(crate) fn has(&self, task: TaskId, version: u64) -> bool {
        self.of_task(task)
            .any(|change| change.task.version >= version && !change.fields.is_empty())
    }

    /// All that is known to have happened to a task, oldest first.
    pub(crate) fn of_task(&self, task: TaskId) -> impl DoubleEndedIterator<Item = &Change> {
        self.tasks.get(&task).into_iter().flatten()
    }

    fn of_task_mut(&mut self, task: TaskId) -> impl DoubleEndedIterator<Item = &mut Change> {
        self.tasks.get_mut(&task).into_iter().flatten()
    }

    fn changes(&self) -> impl Iterator<Item = &Change> {
        self.tasks.values().flatten()
    }

    fn changes_mut(&mut self) -> impl Iterator<Item = &mut Change> {
        self.tasks.values_mut().flatten()
    }

    /// A session is told late of those changes of a task that `is_told` picks, with what the task is now; the answer are
    /// those that it had not been told of.
    pub(crate) fn settle(
        &mut self,
        session: SessionId,
        task: TaskId,
        now: Instant,
        is_told: impl Fn(&Change) -> bool,
    ) -> Vec<Change> {
        let mut settled = Vec::new();
        for change in self.of_task_mut(task).filter(|change| is_told(change)) {
            if let Some(one) = change.left_out_mut(session).filter(|one| one.is_untold()) {
                one.standing = Standing::ToldLate(now);
                settled.push(change.clone());
            }
        }
        settled
    }

    /// A session is told something of a task with the version that it has now.
    pub(crate) fn told_present(&mut self, session: SessionId, task: TaskId) {
        let Some(present) = self.of_task(task).next_back().map(|one| one.task.version) else {
            return;
        };
        for change in self.of_task_mut(task).rev() {
            if change.task.version < present {
                break;
            }
            if let Some(one) = change.left_out_mut(session) {
                one.has_heard_version = true;
            }
        }
    }

    /// The fields of these changes of one task that a session has not heard of by later ones.
    pub(crate) fn unheard(&self, session: SessionId, missed: &[Change]) -> BTreeSet<TaskField> {
        let (mut heard, mut unheard) = (BTreeSet::<TaskField>::new(), BTreeSet::new());
        let Some(task) = missed.first().map(Change::task_id) else {
            return unheard;
        };
        let versions: HashSet<_> = missed.iter().map(|change| change.task.version).collect();
        for change in self.of_task(task).rev() {
            if versions.contains(&change.task.version) {
                unheard.extend(change.fields.iter().filter(|field| !heard.contains(*field)));
            }
            if !change.is_untold(session) {
                heard.extend(&change.fields);
            }
        }
        unheard
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
            change.is_missed(session, since)
                && change.fields.iter().any(|field| fields.contains(field))
        })
    }

    /// Whether somebody else has changed these fields of a task so lately that the user's pages may not have heard it yet.
    pub(crate) fn was_just_changed(
        &self,
        user: UserId,
        task: TaskId,
        fields: &[TaskField],
        now: Instant,
    ) -> bool {
        self.of_task(task).any(|change| {
            change.author.id != user
                && change.at + OVERTAKEN_WITHIN >= now
                && change.fields.iter().any(|field| fields.contains(field))
        })
    }

    /// A task is not here any more: nobody is told of it later.
    pub(crate) fn take_away(&mut self, task: TaskId) {
        let mut freed = 0;
        for change in self.of_task_mut(task) {
            freed += change.weight();
            change.left_out.clear();
            change.told_at = None;
            freed -= change.weight();
        }
        self.bytes -= freed;
    }

    /// A session has announced the changes that `is_announced` picks: they need no telling by the clock any more.
    pub(crate) fn announced(
        &mut self,
        maker: SessionId,
        task: TaskId,
        is_announced: impl Fn(&Change) -> bool,
    ) {
        for change in self.of_task_mut(task).filter(|change| is_announced(change)) {
            change.told_at = None;
            if let Some(one) = change.left_out_mut(maker).filter(|one| one.is_untold()) {
                one.standing = Standing::Maker;
            }
        }
    }

    /// A session of `user` has closed: unless an announcement comes at once, the user's others are told. The answer is
    /// whether it was left out of anything, so that others may be on other nodes.
    pub(crate) fn closed(&mut self, session: SessionId, user: UserId, now: Instant) -> bool {
        let (mut is_timed, mut was_left_out) = (self.is_timed, false);
        for change in self.changes_mut().filter(|change| change.author.id == user) {
            let may_be_sole_maker = change.untold().nth(1).is_none();
            let closed = change.left_out_mut(session);
            let Some(closed) = closed.filter(|one| one.is_untold() && !one.is_gone) else {
                continue;
            };
            closed.is_gone = true;
            was_left_out = true;
            // Who was left out alone made the change.
            if !may_be_sole_maker {
                change.told_at = Some(now + SETTLES_WITHIN);
                is_timed = true;
            }
        }
        self.is_timed = is_timed;
        was_left_out
    }

    /// The same on another node.
    pub(crate) fn closed_elsewhere(&mut self, user: UserId, now: Instant) {
        let mut is_timed = self.is_timed;
        for change in self.changes_mut().filter(|change| change.author.id == user) {
            if change.untold().next().is_some() {
                change.told_at = Some(now + SETTLES_WITHIN);
                is_timed = true;
            }
        }
        self.is_timed = is_timed;
    }

    /// A session has come back under another id.
    pub(crate) fn returned(&mut self, old: SessionId, new: SessionId) {
        for one in self
            .changes_mut()
            .filter_map(|change| change.left_out_mut(old))
        {
            one.session = new;
        }
    }

    /// The changes that have waited long enough for an announcement: they wait no more.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<Change> {
        if !self.is_timed {
            return Vec::new();
        }
        let is_overdue = |change: &&mut Change| change.told_at.is_some_and(|at| at <= now);
        let mut overdue = Vec::new();
        for change in self.changes_mut().filter(is_overdue) {
            change.told_at = None;
            overdue.push(change.clone());
        }
        let is_timed = self.changes().any(|change| change.told_at.is_some());
        self.is_timed = is_timed;
        overdue
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// When there is something to tell, or to forget.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let told = if self.is_timed {
            self.changes().filter_map(|change| change.told_at).min()
        } else {
            None
        };
        let forgotten = self.order.front().map(|(_, at)| *at + KEPT_FOR);
        told.into_iter().chain(forgotten).min()
    }
}

#[cfg(test)]
mod tests;
