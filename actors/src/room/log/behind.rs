//! What was told here at once, while the log was away: it is appended later, and comes from the log then like anything else.
//!
//! Until all of it has come, members here are ahead of the log. What comes from it before that, they are not told: they have
//! had what follows it, perhaps a later version of the same task. They are told to reload instead.

use std::collections::{HashSet, VecDeque};

use collabflow_protocol::id::TaskId;
use tokio::time::Instant;

use super::{AGAIN, EARLY_AGAIN, Telling, own::Own};
use crate::{
    backplane::{Append, Appended, BackplaneError, EntryId},
    room::{
        effect::Effect,
        entry::Entry,
        state::RoomState,
        told::{Change, Kind},
    },
};

/// Entries that wait for the log to be back. With more, the other nodes' members are told to reload instead.
pub(super) const BEHIND_MAX: usize = 4_096;
/// Entries that were told here and are known by their ids when they come again. More than can wait.
const TOLD_MAX: usize = 8_192;

/// Entries that were told here and have not come from the log.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// In the order in which they were told.
    queue: VecDeque<Waiting>,
    /// Something came from the log that members here were not told.
    is_torn: bool,
}

#[derive(Debug)]
struct Waiting {
    append: Append,
    /// It is being appended.
    is_sent: bool,
}

/// The ids of what was told here, the last of them.
#[derive(Debug, Default)]
pub(super) struct Told {
    ids: HashSet<EntryId>,
    order: VecDeque<EntryId>,
}

impl Told {
    pub(super) fn insert(&mut self, id: EntryId) {
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > TOLD_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, id: EntryId) -> bool {
        self.ids.contains(&id)
    }
}

impl Behind {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether all of it is on its way to the log: what is appended now comes after it.
    pub(super) fn is_on_its_way(&self) -> bool {
        self.queue.iter().all(|waiting| waiting.is_sent)
    }

    /// Whether some of it waits for being appended.
    pub(super) fn waits(&self) -> bool {
        !self.is_on_its_way()
    }

    /// The connection is gone: nobody knows what became of what was on its way.
    pub(super) fn unsend(&mut self) {
        for waiting in &mut self.queue {
            waiting.is_sent = false;
        }
    }

    fn find(&mut self, id: EntryId) -> Option<&mut Waiting> {
        self.queue
            .iter_mut()
            .find(|waiting| waiting.append.id == id)
    }

    fn push(&mut self, append: Append) {
        self.queue.push_back(Waiting {
            append,
            is_sent: false,
        });
    }
}

impl RoomState {
    /// The log is away: the members here are told at once, and the others when it is back.
    pub(super) fn tell_here(&mut self, own: Own, now: Instant) {
        let Own {
            append,
            entry,
            reply,
            answer,
            ..
        } = own;
        // Another node may have told it, under the same name.
        if !self.ledger.log.told.contains(append.id) {
            if !self.is_ahead_of_log() {
                self.doubt_up_to(u64::MAX);
            }
            let log = &mut self.ledger.log;
            log.told.insert(append.id);
            if log.behind.queue.len() >= BEHIND_MAX {
                tracing::warn!(room = %self.key, "more was told here alone than can be kept: others are to reload");
                self.give_up_behind();
            }
            let log = &mut self.ledger.log;
            log.behind.push(append);
            log.try_again(now + AGAIN);
            log.telling = Telling::Here;
            if !self.is_overtaken(&entry) {
                let entry = self.without_base(entry);
                self.deliver(entry, now);
            }
            self.ledger.log.telling = Telling::Beside;
        }
        self.answer_own(reply, answer);
    }

    /// What was told here cannot be put in its place any more: everybody is told to reload instead.
    pub(super) fn give_up_behind(&mut self) {
        let behind = &mut self.ledger.log.behind;
        if !behind.is_empty() {
            behind.queue.clear();
            behind.push(Entry::Missed.append(self.key));
        }
    }

    /// Where another node's change of the task may be on its way to the log, members here are told all of the task.
    fn without_base(&self, entry: Entry) -> Entry {
        match entry {
            Entry::Changed(mut changed) => {
                let is_known = self.ledger.told.has(changed.task.id, changed.base);
                // What was passed over is known, and was not told.
                if self.ledger.log.behind.is_torn || changed.is_base_new && !is_known {
                    changed.tell_whole();
                }
                Entry::Changed(changed)
            }
            entry => entry,
        }
    }

    /// Whether this version of a task is known to have come from the log.
    pub(super) fn is_in_log(&self, task: TaskId, version: u64) -> bool {
        let mut behind = self.ledger.log.behind.queue.iter();
        let is_of_task =
            |waiting: &Waiting| waiting.append.turn.map(|turn| turn.task) == Some(task);
        self.ledger.told.has(task, version) && !behind.any(is_of_task)
    }

    /// Whether members here were told something that has not come from the log yet.
    pub(in crate::room) fn is_ahead_of_log(&self) -> bool {
        !self.ledger.log.behind.is_empty()
    }

    /// Something comes from the log before what members here were told already: they are not told of it.
    pub(super) fn pass_over(&mut self, now: Instant, entry: impl FnOnce(&mut Self)) {
        let log = &mut self.ledger.log;
        log.behind.is_torn = true;
        log.try_again(now + AGAIN);
        self.quietly(entry);
    }

    /// Whether a later version of a task was told.
    pub(super) fn is_overtaken(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Changed(changed) => {
                // What changed nothing was not told: it may know a version that is still to come from the log.
                let tells =
                    |change: &&Change| change.kind == Kind::Deleted || !change.fields.is_empty();
                let mut told = self.ledger.told.of_task(changed.task.id).rev();
                told.find(tells).is_some_and(|last| {
                    let is_gone = last.kind == Kind::Deleted && changed.kind != Kind::Deleted;
                    is_gone || last.task.version > changed.task.version
                })
            }
            _ => false,
        }
    }

    /// Does something that members here are not told of: they reload.
    pub(super) fn quietly(&mut self, entry: impl FnOnce(&mut Self)) {
        let before = self.effects.len();
        entry(self);
        let more = self.effects.split_off(before);
        let is_kept = |effect: &Effect| !matches!(effect, Effect::Tell(..));
        self.effects.extend(more.into_iter().filter(is_kept));
    }

    /// What was told here has come from the log with this stamp, or never will; false where it is nothing of that.
    pub(super) fn has_come(&mut self, id: EntryId, stamp: u64) -> bool {
        let log = &mut self.ledger.log;
        let behind = &mut log.behind;
        let place = behind
            .queue
            .iter()
            .position(|waiting| waiting.append.id == id);
        let Some(place) = place else {
            return false;
        };
        behind.queue.remove(place);
        behind.is_torn |= place > 0;
        log.behind_to = log.behind_to.max(stamp);
        if !self.is_ahead_of_log() {
            let behind_to = self.ledger.log.behind_to;
            self.doubt_up_to(behind_to);
            self.mend_order();
        }
        true
    }

    /// Members here reload what they were not told.
    pub(super) fn mend_order(&mut self) {
        if std::mem::take(&mut self.ledger.log.behind.is_torn) {
            self.resync();
        }
    }

    /// Appends what is not on its way.
    pub(super) fn append_behind(&mut self) {
        let waiting = self.ledger.log.behind.queue.iter_mut();
        let unsent = waiting.filter(|waiting| !waiting.is_sent).map(|waiting| {
            waiting.is_sent = true;
            Effect::Append(waiting.append.clone())
        });
        self.effects.extend(unsent);
    }

    /// The log has answered an entry that was told here; false where it is none.
    pub(super) fn take_caught_up(
        &mut self,
        id: EntryId,
        appended: Result<&Appended, &BackplaneError>,
        now: Instant,
    ) -> bool {
        let log = &mut self.ledger.log;
        let Some(waiting) = log.behind.find(id) else {
            return false;
        };
        match appended {
            Ok(Appended::At(place) | Appended::Before(place)) => {
                self.arrive(place.clone(), id, None, now);
            }
            // What others have made of the task since was not told here, or this not there.
            Ok(Appended::Late) => {
                self.has_come(id, 0);
                self.log_missed(now);
            }
            // What others have made of it before may come yet, and is too late then.
            Ok(Appended::Early(_)) => {
                waiting.is_sent = false;
                if let Some(turn) = &mut waiting.append.turn {
                    turn.base = 0;
                    turn.is_base_new = false;
                }
                waiting.append.payload = Entry::Missed.encode();
                log.try_again(now + EARLY_AGAIN);
            }
            Err(_) => {
                waiting.is_sent = false;
                log.try_again(now + AGAIN);
            }
        }
        true
    }
}
