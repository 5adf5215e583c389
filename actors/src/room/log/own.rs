//! Entries of this node: appended, and told when they come back, or at once while the log is away.

use bytes::Bytes;
use collabflow_protocol::model::TaskField;
use tokio::time::Instant;

use super::{EARLY_AGAIN, Link, ORDER_WAIT};
use crate::{
    backplane::{Append, Appended, BackplaneError, EntryId, Turn},
    id::SessionId,
    key::RoomKey,
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
    pub(super) entry: Entry,
    pub(super) reply: Reply,
    pub(super) answer: Result<Done, Refusal>,
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
            is_base_new: turn.is_base_new && !self.is_in_log(turn.task, turn.base),
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
        if log.link == Link::Up && log.behind.is_on_its_way() {
            self.effects.push(Effect::Append(own.append.clone()));
            self.ledger.log.own.push_back(own);
        } else {
            self.tell_here(own, now);
        }
    }

    /// The log has answered.
    pub(in crate::room) fn take_appended(
        &mut self,
        id: EntryId,
        appended: Result<Appended, BackplaneError>,
        now: Instant,
    ) {
        if self.take_caught_up(id, appended.as_ref(), now) {
            return;
        }
        let log = &mut self.ledger.log;
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
            Ok(Appended::Late) => {
                if let Some(own) = log.own.remove(place) {
                    self.answer_own(own.reply, own.answer);
                }
                self.log_missed(now);
            }
            Err(error) => {
                tracing::debug!(room = %self.key, %error, "an entry is told here alone");
                self.tell_own_here(now);
            }
        }
    }

    /// Answers whoever waits. What changed nothing has no turn: a later version may have been told before it.
    pub(super) fn answer_own(&mut self, reply: Reply, answer: Result<Done, Refusal>) {
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

    /// A later version of a task was told already, and nobody knows to whom this one was not: everybody is to reload.
    pub(super) fn log_missed(&mut self, now: Instant) {
        let is_missed = |own: &Own| matches!(own.entry, Entry::Missed);
        if !self.ledger.log.own.iter().any(is_missed) {
            self.log(Entry::Missed, Reply::nobody(), Ok(Done::Plain), now);
        }
    }

    /// Tells an entry of this node's that has come back; whether it was one is the answer.
    pub(super) fn settle_own(&mut self, id: EntryId, now: Instant) -> bool {
        let own = &mut self.ledger.log.own;
        let Some(own) = own
            .iter()
            .position(|own| own.append.id == id)
            .and_then(|place| own.remove(place))
        else {
            return false;
        };
        self.ledger.log.told.insert(id);
        if !self.is_overtaken(&own.entry) {
            self.deliver(own.entry, now);
        }
        self.answer_own(own.reply, own.answer);
        true
    }

    /// Appends again what was early, and what was told here alone.
    pub(in crate::room) fn append_again(&mut self, now: Instant) {
        let log = &mut self.ledger.log;
        if log.again_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        self.mend_order();
        let log = &mut self.ledger.log;
        if log.link != Link::Up {
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
}

impl Own {
    /// The version before it does not come: whoever missed it is told everything.
    fn tell_whole(&mut self) {
        let Some(turn) = &mut self.append.turn else {
            return;
        };
        turn.base = 0;
        turn.is_base_new = false;
        if let Entry::Changed(changed) = &mut self.entry {
            changed.tell_whole();
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

    /// What appends it under a name of its own.
    pub(super) fn append(&self, room: RoomKey) -> Append {
        Append {
            room,
            id: rand::random(),
            turn: self.turn(),
            payload: self.encode(),
        }
    }

    /// The session that is answered with a task.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self {
            Self::Changed(changed) => changed.by.session(),
            _ => None,
        }
    }

    /// As it goes into the log.
    pub(super) fn encode(&self) -> Bytes {
        serde_json::to_vec(self)
            .expect("entries have text for keys, and no failing parts")
            .into()
    }
}

impl Changed {
    /// The version before it does not come.
    pub(super) fn tell_whole(&mut self) {
        self.base = 0;
        // What changed nothing tells nothing: somebody else's change has told that version.
        if self.fields.is_empty() {
            return;
        }
        // What its author has named stays what may be announced.
        if let Kind::Moved(_) = self.kind {
            self.kind = Kind::Updated(vec![TaskField::Status, TaskField::Position]);
        }
        if let Kind::Updated(_) = self.kind {
            self.fields = TaskField::ALL.to_vec();
        }
    }

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
