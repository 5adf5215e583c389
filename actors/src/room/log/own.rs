//! Entries of this node: appended, and told when they come back, or at once while the log is away.

use bytes::Bytes;
use collabflow_protocol::model::TaskField;
use tokio::time::Instant;

use super::{AGAIN, BEHIND_MAX, EARLY_AGAIN, Link, ORDER_WAIT, Telling};
use crate::{
    backplane::{Append, Appended, BackplaneError, EntryId, Turn},
    node::Refusal,
    room::{
        effect::Effect,
        entry::{Changed, Entry},
        state::RoomState,
        told::Kind,
    },
    session::reply::{Done, Reply},
};

/// An entry that was appended and not told yet.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) append: Append,
    entry: Entry,
    reply: Reply,
    answer: Result<Done, Refusal>,
    since: Instant,
    /// It is early: it is to be appended again.
    pub(super) is_early: bool,
}

impl RoomState {
    /// Puts an entry into the room's log; whoever waits for it is answered after it was told.
    pub(in crate::room) fn log(
        &mut self,
        entry: Entry,
        reply: Reply,
        answer: Result<Done, Refusal>,
        now: Instant,
    ) {
        self.log_as(rand::random(), entry, reply, answer, now);
    }

    /// Puts an entry into the room's log that other nodes may append by the same name: it is told once.
    pub(in crate::room) fn log_as(
        &mut self,
        id: EntryId,
        entry: Entry,
        reply: Reply,
        answer: Result<Done, Refusal>,
        now: Instant,
    ) {
        if self.ledger.log.link == Link::Alone {
            self.deliver(entry, now);
            return self.effects.push(Effect::Answer(reply, answer));
        }
        let turn = entry.turn().map(|turn| Turn {
            is_base_new: turn.is_base_new && !self.ledger.told.has(turn.task, turn.base),
            ..turn
        });
        let own = Own {
            append: Append {
                room: self.key,
                id,
                turn,
                payload: entry.encode(),
            },
            entry,
            reply,
            answer,
            since: now,
            is_early: false,
        };
        let log = &self.ledger.log;
        // What was told here before is to be appended first.
        if log.link == Link::Up && log.behind.is_empty() {
            self.effects.push(Effect::Append(own.append.clone()));
            self.ledger.log.own.push_back(own);
        } else {
            self.tell_here(own, now);
        }
    }

    /// The log is away: the members here are told at once, and the others when it is back.
    pub(super) fn tell_here(&mut self, own: Own, now: Instant) {
        if self.ledger.log.behind.is_empty() {
            self.doubt(u64::MAX);
        }
        self.keep_behind(own.append);
        let log = &mut self.ledger.log;
        log.try_again(now + AGAIN);
        log.telling = Telling::Here;
        self.deliver(own.entry, now);
        self.ledger.log.telling = Telling::Beside;
        self.effects.push(Effect::Answer(own.reply, own.answer));
    }

    /// Keeps what was told here for the others; what is too much for that, they are told that they have missed.
    fn keep_behind(&mut self, append: Append) {
        let log = &mut self.ledger.log;
        if log.behind.len() >= BEHIND_MAX {
            tracing::warn!(room = %self.key, "more was told here alone than can be kept: others are to reload");
            log.behind.clear();
            log.told_here.coming.clear();
            let missed = Append {
                room: self.key,
                id: rand::random(),
                turn: None,
                payload: Entry::Missed.encode(),
            };
            log.told_here.insert(missed.id);
            log.behind.push_back(missed);
        }
        log.told_here.insert(append.id);
        log.behind.push_back(append);
    }

    /// The log has answered.
    pub(in crate::room) fn take_appended(
        &mut self,
        id: EntryId,
        appended: Result<Appended, BackplaneError>,
        now: Instant,
    ) {
        let log = &mut self.ledger.log;
        if log.behind.iter().any(|append| append.id == id) {
            return self.take_caught_up(id, appended, now);
        }
        let Some(place) = log.own.iter().position(|own| own.append.id == id) else {
            return;
        };
        match appended {
            // Another node has appended it, and it was told as that one's.
            Ok(Appended::Before(its)) if log.has_passed(&its.position) => {
                if let Some(own) = log.own.remove(place) {
                    self.effects.push(Effect::Answer(own.reply, own.answer));
                }
            }
            Ok(Appended::At(place) | Appended::Before(place)) => self.arrive(place, id, None, now),
            Ok(Appended::Early(_)) => {
                let own = &mut log.own[place];
                own.is_early = true;
                if own.since + ORDER_WAIT <= now {
                    own.tell_whole();
                }
                log.try_again(now + EARLY_AGAIN);
            }
            // What has become of the task since was told whole.
            Ok(Appended::Late) => {
                if let Some(own) = log.own.remove(place) {
                    self.answer_own(own.reply, own.answer);
                }
            }
            Err(error) => {
                tracing::debug!(room = %self.key, %error, "an entry is told here alone");
                self.tell_own_here(now);
            }
        }
    }

    /// Answers whoever waits. What changed nothing has no turn: a later version may have been told before it.
    fn answer_own(&mut self, reply: Reply, answer: Result<Done, Refusal>) {
        let answer = answer.map(|done| self.no_older_than_told(done));
        self.effects.push(Effect::Answer(reply, answer));
    }

    /// Who was told a later version already is not to go back to this one.
    fn no_older_than_told(&self, done: Done) -> Done {
        match done {
            Done::Task(task) => {
                let told = self.ledger.told.present(task.id);
                let later = told.filter(|told| told.version > task.version);
                Done::Task(later.unwrap_or(task))
            }
            done => done,
        }
    }

    /// Everything of this node's that is not told yet is told here, in its order.
    pub(super) fn tell_own_here(&mut self, now: Instant) {
        for own in std::mem::take(&mut self.ledger.log.own) {
            self.tell_here(own, now);
        }
    }

    /// Tells an entry of this node's that has come back; whether it was one is the answer.
    pub(super) fn settle_own(&mut self, id: EntryId, now: Instant) -> bool {
        self.has_come(id);
        let own = &mut self.ledger.log.own;
        let Some(own) = own
            .iter()
            .position(|own| own.append.id == id)
            .and_then(|place| own.remove(place))
        else {
            return false;
        };
        self.deliver(own.entry, now);
        self.answer_own(own.reply, own.answer);
        true
    }

    /// Appends again what was early, and what was told here alone.
    pub(in crate::room) fn append_again(&mut self, now: Instant) {
        let log = &mut self.ledger.log;
        if log.again_at.take_if(|at| *at <= now).is_none() || log.link != Link::Up {
            return;
        }
        let early = log.own.iter_mut().filter(|own| own.is_early);
        self.effects.extend(early.map(|own| {
            own.is_early = false;
            Effect::Append(own.append.clone())
        }));
        if self.ledger.log.is_behind() {
            self.catch_up(now);
        }
    }

    fn take_caught_up(
        &mut self,
        id: EntryId,
        appended: Result<Appended, BackplaneError>,
        now: Instant,
    ) {
        let log = &mut self.ledger.log;
        match appended {
            Ok(Appended::At(place) | Appended::Before(place)) => {
                let stamp = place.stamp;
                self.arrive(place, id, None, now);
                self.is_not_behind(id, stamp);
            }
            Ok(Appended::Late) => {
                self.is_not_behind(id, 0);
                self.has_come(id);
            }
            Ok(Appended::Early(_)) => {
                // What was told here needs no other's version before it.
                if let Some(turn) = log
                    .behind
                    .iter_mut()
                    .find(|append| append.id == id)
                    .and_then(|append| append.turn.as_mut())
                {
                    turn.base = 0;
                }
                log.try_again(now + EARLY_AGAIN);
            }
            Err(_) => log.try_again(now + AGAIN),
        }
    }

    /// What was told here is in the log now, with this stamp, or need not be there.
    fn is_not_behind(&mut self, id: EntryId, stamp: u64) {
        let log = &mut self.ledger.log;
        log.behind.retain(|append| append.id != id);
        log.behind_to = log.behind_to.max(stamp);
        if log.behind.is_empty() {
            let behind_to = log.behind_to;
            self.doubt(behind_to);
        }
    }
}

impl Own {
    /// The version before it does not come: whoever missed it is told everything.
    fn tell_whole(&mut self) {
        let Some(turn) = &mut self.append.turn else {
            return;
        };
        turn.base = 0;
        if let Entry::Changed(changed) = &mut self.entry {
            changed.base = 0;
            if matches!(changed.kind, Kind::Updated(_) | Kind::Moved(_)) {
                changed.kind = Kind::Updated(TaskField::ALL.to_vec());
                changed.fields = TaskField::ALL.to_vec();
            }
        }
        self.append.payload = self.entry.encode();
    }
}

impl Entry {
    /// Where it stands among those of its task.
    fn turn(&self) -> Option<Turn> {
        match self {
            Self::Changed(changed) => changed.turn(),
            Self::Announced(_)
            | Self::Gone(_)
            | Self::Posted(_)
            | Self::Shared(_)
            | Self::Missed => None,
        }
    }

    /// As it goes into the log.
    fn encode(&self) -> Bytes {
        serde_json::to_vec(self)
            .expect("entries have text for keys, and no failing parts")
            .into()
    }
}

impl Changed {
    fn turn(&self) -> Option<Turn> {
        let task = self.task.id;
        let version = self.task.version;
        match self.kind {
            Kind::Deleted => Some(Turn {
                task,
                version: version + 1,
                base: version,
                is_base_new: self.is_base_new,
            }),
            // A change of nothing is no version.
            _ if self.fields.is_empty() => None,
            _ => Some(Turn {
                task,
                version,
                base: self.base,
                is_base_new: self.is_base_new,
            }),
        }
    }
}
