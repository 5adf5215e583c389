//! What a session that was on another node has missed of this room: taken from the log, before it has its seat here.
//!
//! It gets the seat in the very turn in which it is given what it missed up to where the room has come: so it hears
//! everything once. Of what cannot be told for certain it is told to reload.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use collabflow_protocol::event::ServerEvent;
use tokio::{sync::oneshot, time::Instant};

use super::{
    effect::Effect,
    entry::{Changed, Entry, Found, Origin},
    message::Departure,
    state::RoomState,
    told::{ANNOUNCED_WITHIN, Kind},
};
use crate::{
    backplane::{BackplaneError, Tail},
    directory::somebody,
    id,
    key::RoomKey,
    node::Echo,
    outbox::{Broadcast, Heard},
    session::{entry::SessionEntry, reply::Reply},
};

/// A session that waits for so long is on its way without its seat: nobody waits for that any more.
const WAITS_MAX: Duration = Duration::from_secs(5);

/// A session that was on another node, and is to have a seat here.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) entry: Arc<SessionEntry>,
    /// How far it was told; `None`: nobody knows, and it is to reload.
    pub(crate) after: Option<After>,
    /// It has its seat.
    pub(crate) done: oneshot::Sender<()>,
}

/// How far a session was told a room's log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum After {
    /// Up to this stamp, as its node says that has let go of it.
    Told(u64),
    /// Up to this place, as its client says.
    Heard(Heard),
}

/// Sessions that wait for the log to be read.
#[derive(Debug, Default)]
pub(super) struct History {
    waiting: Vec<Adoption>,
    /// When the last of them has waited for long enough.
    until: Option<Instant>,
    is_reading: bool,
    /// So many of them, the first, waited when the log was asked for: it is not read for who has come since.
    asked: usize,
    /// What was told since the log was asked for, with its stamps.
    recent: Vec<(u64, Bytes)>,
}

/// It cannot be said what the session was told.
struct Unknown;

impl History {
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.until.filter(|_| !self.is_empty())
    }

    /// Whether what is told now is to be noted.
    pub(super) const fn is_reading(&self) -> bool {
        self.is_reading
    }

    pub(super) fn note(&mut self, stamp: u64, payload: Bytes) {
        self.recent.push((stamp, payload));
    }
}

impl Adoption {
    /// Whether somebody waits for it still.
    fn waits(&self) -> bool {
        self.entry.is_away() && !self.done.is_closed()
    }
}

impl After {
    /// Whether an entry with this stamp was told.
    const fn is_told(self, stamp: u64) -> bool {
        match self {
            Self::Told(told) => stamp <= told,
            Self::Heard(heard) => stamp <= heard.stamp,
        }
    }

    /// Where the log ends before a stamp that its node gave, that is the clock's of when its room began to follow: it was
    /// told all that there is.
    const fn in_log_to(self, end: u64, told_to: u64) -> Self {
        match self {
            Self::Told(stamp) if stamp > told_to && end <= told_to => Self::Told(told_to),
            after => after,
        }
    }

    pub(crate) const fn stamp(self) -> u64 {
        match self {
            Self::Told(stamp) => stamp,
            Self::Heard(heard) => heard.stamp,
        }
    }
}

impl RoomState {
    pub(super) fn adopt(&mut self, adoption: Adoption, now: Instant) {
        if adoption.after.is_none() {
            return self.seat_adopted(adoption, Err(Unknown), now);
        }
        self.history.waiting.push(adoption);
        self.history.until = Some(now + WAITS_MAX);
        self.read_history();
    }

    /// The log does not come as far as somebody says it was told.
    pub(super) fn give_up_waiting(&mut self, now: Instant) {
        if self.history.until.take_if(|until| *until <= now).is_none() {
            return;
        }
        let waiting = &mut self.history.waiting;
        let in_vain: Vec<_> = waiting.extract_if(.., |one| !one.waits()).collect();
        // Who is left has another place now: at worst the log is read once more.
        self.history.asked = 0;
        for adoption in in_vain {
            self.seat_adopted(adoption, Err(Unknown), now);
        }
    }

    /// Reads the log for those who wait.
    fn read_history(&mut self) {
        if !self.history.waiting.is_empty() && !self.history.is_reading {
            self.history.is_reading = true;
            self.history.asked = self.history.waiting.len();
            self.history.recent.clear();
            self.effects.push(Effect::ReadHistory);
        }
    }

    /// The room's log, whole.
    pub(super) fn take_history(&mut self, log: Result<Tail, BackplaneError>, now: Instant) {
        self.history.is_reading = false;
        let recent = std::mem::take(&mut self.history.recent);
        // What was told here at once, the log does not have.
        let told_to = self
            .ledger
            .log
            .told_to()
            .filter(|_| !self.is_ahead_of_log());
        let Some((log, (epoch, stamp))) = log.ok().zip(told_to) else {
            for adoption in std::mem::take(&mut self.history.waiting) {
                self.seat_adopted(adoption, Err(Unknown), now);
            }
            return;
        };
        let is_same = epoch.is_empty() || log.top.as_ref().is_none_or(|top| top.epoch == epoch);
        // It keeps its last entries alone.
        let has_all = match log.entries.first() {
            Some(first) => first.place.position.offset == 1,
            None => log.top.is_none_or(|top| top.offset == 0),
        };
        let end = log.entries.last().map_or(0, |last| last.place.stamp);
        let logged = log.entries.iter();
        let mut entries: Vec<_> = logged
            .map(|logged| (logged.place.stamp, logged.payload.clone()))
            .chain(recent)
            .filter(|(at, _)| *at <= stamp)
            .collect();
        entries.sort_by_key(|(at, _)| *at);
        entries.dedup_by_key(|(at, _)| *at);
        let window = self.settings.recovery_window;
        let knows = |after: After| {
            let began = has_all && log.began.is_some_and(|began| began <= after.stamp());
            let reaches = entries.first().is_some_and(|(at, _)| *at <= after.stamp());
            is_same && after.stamp() <= stamp && (began || reaches)
        };
        let (asked, mut is_to_be_read) = (self.history.asked, false);
        let waiting = std::mem::take(&mut self.history.waiting);
        for (number, adoption) in waiting.into_iter().enumerate() {
            // What its node has told since may not have been there yet.
            if number >= asked && adoption.after.is_some_and(|after| after.stamp() > stamp) {
                self.history.waiting.push(adoption);
                is_to_be_read = true;
                continue;
            }
            let after = adoption.after.map(|after| after.in_log_to(end, stamp));
            match after {
                // Its node was ahead: what comes next here is no news to it. But a client may say any stamp.
                Some(after)
                    if after.stamp() > stamp && end > stamp && is_same && adoption.waits() =>
                {
                    self.history.waiting.push(adoption);
                }
                Some(after) if knows(after) => {
                    let missed = missed(self.key, &adoption.entry, after, &entries, window);
                    self.seat_adopted(adoption, missed, now);
                }
                _ => self.seat_adopted(adoption, Err(Unknown), now),
            }
        }
        if is_to_be_read {
            self.read_history();
        }
    }

    /// The room has come further in its log: perhaps as far as somebody who waits.
    pub(super) fn history_goes_on(&mut self) {
        if !self.history.is_empty() {
            self.read_history();
        }
    }

    /// A session goes to another node, and has no seat here any more.
    pub(super) fn release(
        &mut self,
        entry: &Arc<SessionEntry>,
        told: oneshot::Sender<Option<u64>>,
        now: Instant,
    ) {
        self.depart(entry, Departure::Dropped, Reply::nobody(), now);
        let log = &self.ledger.log;
        let stamp = log.stamp().filter(|_| !log.is_in_doubt());
        self.effects.push(Effect::ToldTo(told, stamp));
    }

    /// Gives a session its seat, with what it missed.
    fn seat_adopted(
        &mut self,
        adoption: Adoption,
        missed: Result<Vec<(u64, Arc<Broadcast>)>, Unknown>,
        now: Instant,
    ) {
        let Adoption { entry, after, done } = adoption;
        // It may have come back without waiting for this.
        if entry.is_in(self.key) && entry.is_away() && self.members.get(entry.id).is_none() {
            match missed {
                Ok(missed) => {
                    for (stamp, event) in missed {
                        let again = Effect::TellAgain(Arc::clone(&entry), event, stamp);
                        self.effects.push(again);
                    }
                }
                Err(Unknown) => {
                    tracing::debug!(room = %self.key, session = %entry.id, ?after, "what a session missed is not known");
                    entry.outbox.lose(self.key);
                }
            }
            self.members.add(Arc::clone(&entry));
            self.members.set_away(&entry, now);
        }
        self.effects.push(Effect::Confirm(done));
    }
}

/// What a session has missed of these entries, with their stamps.
fn missed(
    room: RoomKey,
    session: &SessionEntry,
    after: After,
    entries: &[(u64, Bytes)],
    window: Duration,
) -> Result<Vec<(u64, Arc<Broadcast>)>, Unknown> {
    let mut missed = Vec::new();
    for (stamp, payload) in entries {
        let is_told = after.is_told(*stamp);
        // Of its node's word, what was told before is settled.
        if is_told && matches!(after, After::Told(_)) {
            continue;
        }
        let entry: Entry = serde_json::from_slice(payload).map_err(|_| Unknown)?;
        if is_told {
            let is_last = *stamp == after.stamp();
            if may_be_told_late(&entry, session, window) || is_last && may_say_more(&entry, session)
            {
                return Err(Unknown);
            }
            continue;
        }
        missed.extend(told_to(entry, room, session)?.map(|event| (*stamp, event)));
    }
    Ok(missed)
}

/// Whether a session was left out of a change that it may have been told of later, beside the log.
fn may_be_told_late(entry: &Entry, session: &SessionEntry, window: Duration) -> bool {
    let Entry::Changed(changed) = entry else {
        return false;
    };
    let age = id::now().millis() - changed.task.updated_at.millis();
    let is_lately =
        u128::try_from(age).is_ok_and(|age| age <= (window + ANNOUNCED_WITHIN).as_millis());
    is_lately
        && changed.by.origin == Origin::Rest(Echo::NotAuthor)
        && changed.by.user_id() == session.user_id()
}

/// Whether an entry tells a session several events, the first of which alone it may have heard.
fn may_say_more(entry: &Entry, session: &SessionEntry) -> bool {
    matches!(entry, Entry::Announced(announced) if announced.user.id == session.user_id())
}

/// What an entry says to a session that was left out of nothing before.
fn told_to(
    entry: Entry,
    room: RoomKey,
    session: &SessionEntry,
) -> Result<Option<Arc<Broadcast>>, Unknown> {
    let event = match entry {
        Entry::Changed(changed) => {
            if !hears(&changed, session)? {
                return Ok(None);
            }
            changed.event()
        }
        // It tells its author's sessions alone, unless it is news.
        Entry::Announced(announced) => {
            let is_news = match &announced.found {
                Found::Stored(_, _, news) => !news.is_empty(),
                Found::Gone(is_news) => *is_news,
            };
            let is_own = announced.user.id == session.user_id();
            return if is_news || is_own {
                Err(Unknown)
            } else {
                Ok(None)
            };
        }
        Entry::Gone(task_id) => ServerEvent::TaskDeleted {
            task_id,
            deleted_by: somebody(),
        },
        Entry::Posted(message) => ServerEvent::NewMessage(message),
        // What is missing nobody knows.
        Entry::Missed => return Err(Unknown),
        Entry::Shared(shared) => {
            let hears = !shared.is_told_before(session, room) && shared.is_for(session);
            return Ok(hears.then(|| Arc::new(shared.event.clone())));
        }
    };
    Ok(Some(Arc::new(Broadcast::new(&event))))
}

/// Whether a change was told to a session with everybody.
fn hears(changed: &Changed, session: &SessionEntry) -> Result<bool, Unknown> {
    if changed.kind != Kind::Deleted && changed.fields.is_empty() {
        return Ok(false);
    }
    match changed.by.origin {
        Origin::Session(author) => Ok(author != session.id),
        Origin::Rest(Echo::NotSocket(author)) => Ok(author != session.id),
        Origin::Rest(Echo::All) => Ok(true),
        Origin::Rest(Echo::NotAuthor) if changed.by.user_id() == session.user_id() => Err(Unknown),
        Origin::Rest(Echo::NotAuthor) => Ok(true),
    }
}
