//! Following the log: entries are told in the order of their offsets, none twice, and none left out unseen.

use std::collections::BTreeMap;

use collabflow_protocol::event::ServerEvent;
use tokio::time::Instant;

use super::{AGAIN, Following, Link, Log, Payload, Telling};
use crate::{
    backplane::{BackplaneError, EntryId, Logged, Place, Position, Tail},
    room::{
        alone,
        effect::{Audience, Effect},
        entry::Entry,
        message::RoomMessage,
        state::{Followed, RoomState},
    },
};

/// An entry that has to wait for those before it; one of this node's own is known here.
#[derive(Debug)]
pub(super) struct Ahead {
    place: Place,
    id: EntryId,
    payload: Option<Payload>,
}

impl RoomState {
    /// Whether the room has to follow its log before this can be done: then it waits.
    pub(in crate::room) fn waits_to_follow(&mut self, message: RoomMessage) -> Option<RoomMessage> {
        let log = &mut self.ledger.log;
        // Its members are told why, before they are out.
        if log.is_reading && matches!(message, RoomMessage::Close(_)) {
            log.waiting.push(message);
            return None;
        }
        let needs = matches!(
            message,
            RoomMessage::Join(..)
                | RoomMessage::Return { .. }
                | RoomMessage::Renew { .. }
                | RoomMessage::Adopt(_)
        );
        if !needs || log.link != Link::Up || matches!(log.following, Following::At(_)) {
            return Some(message);
        }
        log.waiting.push(message);
        if log.following == Following::No {
            log.following = Following::Beginning;
            self.effects.push(Effect::Follow);
        }
        None
    }

    /// The room is subscribed to, and this is the end of its log.
    pub(in crate::room) fn take_following(
        &mut self,
        followed: Result<Followed, BackplaneError>,
        now: Instant,
    ) {
        let has_members = !self.members.is_empty();
        let log = &mut self.ledger.log;
        if log.following != Following::Beginning {
            return;
        }
        match followed {
            Ok(Followed {
                top,
                stamp,
                present,
            }) => {
                log.stamp = Some(stamp);
                log.last = None;
                log.following = Following::At(top.unwrap_or_else(beginning));
                self.take_present(present, now);
                // Whoever is in it already was not told of what others did meanwhile.
                if has_members {
                    self.resync();
                }
                self.drop_passed(now);
                self.tell_ahead(now);
            }
            Err(error) => {
                // It is in the rooms all the same; the log is followed when it is back.
                tracing::debug!(room = %self.key, %error, "the room goes on without its log");
                log.following = Following::No;
                log.try_again(now + AGAIN);
                // What was said is no news any more when it is followed.
                self.stop_reading_present(now);
                for (_, ahead) in std::mem::take(&mut self.ledger.log.ahead) {
                    self.settle_beside(ahead.id, ahead.place.stamp, now);
                }
            }
        }
        self.release_waiting();
    }

    /// Who has waited goes on, when all that was decided before is done: who comes in with this is not told that.
    fn release_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.ledger.log.waiting);
        self.effects.extend(waiting.into_iter().map(Effect::Take));
    }

    /// An entry has come.
    pub(in crate::room) fn take_logged(&mut self, logged: Logged, now: Instant) {
        let Logged { id, place, payload } = logged;
        self.arrive(place, id, Some(payload), now);
    }

    pub(super) fn arrive(
        &mut self,
        place: Place,
        id: EntryId,
        payload: Option<Payload>,
        now: Instant,
    ) {
        let log = &mut self.ledger.log;
        let at = match &mut log.following {
            Following::At(at) => at,
            Following::Beginning => {
                let offset = place.position.offset;
                log.ahead.insert(offset, Ahead { place, id, payload });
                return;
            }
            Following::No => return self.settle_beside(id, place.stamp, now),
        };
        let position = &place.position;
        // Nobody had written to the log when it was followed: its first entries are all after that.
        if at.epoch.is_empty() {
            at.epoch.clone_from(&position.epoch);
        }
        if position.epoch != at.epoch {
            let position = position.clone();
            self.lose_track(position, Some(place.stamp), now);
            self.settle_quietly(id, place.stamp, now);
            return;
        }
        if position.offset <= at.offset {
            // It was told: as itself, or to whoever was told to reload.
            self.settle_quietly(id, place.stamp, now);
            return;
        }
        log.ahead
            .insert(place.position.offset, Ahead { place, id, payload });
        self.tell_ahead(now);
    }

    /// Tells what comes next, as far as it is there; what is missing is read.
    fn tell_ahead(&mut self, now: Instant) {
        loop {
            let log = &mut self.ledger.log;
            let Following::At(at) = &mut log.following else {
                return;
            };
            let Some(first) = log.ahead.first_entry() else {
                return;
            };
            let next = at.offset + 1;
            if *first.key() > next {
                // An answer may overtake the pushes before it, but no push another.
                if log.ahead.values().any(|ahead| ahead.payload.is_some()) {
                    return self.read_missing();
                }
                return log.try_again(now + AGAIN);
            }
            let ahead = first.remove();
            if ahead.place.position.offset == next {
                log.has_moved = true;
                at.offset = next;
                at.epoch = ahead.place.position.epoch;
                let stamp = ahead.place.stamp;
                log.stamp = Some(stamp);
                log.last = Some(ahead.id);
                log.telling = Telling::Entry(stamp);
                self.note_history(stamp, ahead.id, ahead.payload.as_ref());
                self.tell_logged(ahead.id, stamp, ahead.payload, now);
                self.ledger.log.telling = Telling::Beside;
                self.history_goes_on();
            } else {
                self.settle_quietly(ahead.id, ahead.place.stamp, now);
            }
        }
    }

    /// Notes what is told for those who wait to hear what they have missed.
    fn note_history(&mut self, stamp: u64, id: EntryId, payload: Option<&Payload>) {
        if !self.history.is_reading() {
            return;
        }
        let own = self.ledger.log.own.iter().find(|own| own.append.id == id);
        if let Some(payload) = payload.or(own.map(|own| &own.append.payload)) {
            self.history.note(stamp, payload.clone());
        }
    }

    fn tell_logged(&mut self, id: EntryId, stamp: u64, payload: Option<Payload>, now: Instant) {
        if self.has_come(id, stamp) {
            return;
        }
        if self.ledger.log.told.contains(id) {
            // It was told as another log's, or another node's.
            return self.settle_quietly(id, stamp, now);
        }
        if self.is_ahead_of_log() {
            self.pass_over(now, |room| room.tell_entry(id, payload, now));
        } else {
            self.tell_entry(id, payload, now);
        }
    }

    fn tell_entry(&mut self, id: EntryId, payload: Option<Payload>, now: Instant) {
        if self.settle_own(id, now) {
            return;
        }
        let Some(payload) = payload else {
            return;
        };
        self.ledger.log.told.insert(id);
        match serde_json::from_slice::<Entry>(&payload) {
            // Members here were told a later version, perhaps in a log that was lost.
            Ok(entry) if self.is_overtaken(&entry) => {}
            Ok(entry) => self.deliver(entry, now),
            // A newer version's, perhaps: whoever is here cannot be told of it.
            Err(error) => {
                tracing::warn!(room = %self.key, %error, "an entry of the log cannot be read");
                self.resync();
            }
        }
    }

    /// An entry of this node's is in the log at a place that members here reload.
    fn settle_quietly(&mut self, id: EntryId, stamp: u64, now: Instant) {
        let own = self.ledger.log.own.iter().find(|own| own.append.id == id);
        let session = own.and_then(|own| own.entry.session());
        self.quietly(|room| room.settle(id, stamp, now));
        // Its answer may be older than what it has reloaded.
        if let Some(session) = session {
            self.tell_resync(session);
        }
    }

    /// An entry of this node's is in the log, which the room does not follow: members here are told it out of its place.
    fn settle_beside(&mut self, id: EntryId, stamp: u64, now: Instant) {
        self.ledger.log.telling = Telling::Here;
        self.settle(id, stamp, now);
        self.ledger.log.telling = Telling::Beside;
        self.doubt_up_to(stamp);
    }

    /// An entry of this node's is in the log.
    fn settle(&mut self, id: EntryId, stamp: u64, now: Instant) {
        if !self.has_come(id, stamp) {
            self.settle_own(id, now);
        }
    }

    /// Where the log ends: beyond what was told, pushes may have been lost, or are still to come.
    pub(in crate::room) fn take_top(&mut self, top: Option<Position>) {
        let log = &mut self.ledger.log;
        let has_moved = std::mem::take(&mut log.has_moved);
        let Following::At(at) = &mut log.following else {
            return;
        };
        match top {
            Some(top) if top.epoch == at.epoch && top.offset <= at.offset => {}
            Some(_) => self.read_missing(),
            // Nobody has written to it for so long that it is not kept any more, or all was lost. Until the last look
            // nothing was missing. What was told since may have come after it was asked.
            None if !log.ahead.is_empty() => self.read_missing(),
            None if has_moved => {}
            None => *at = beginning(),
        }
    }

    /// Reads what is missing of the log.
    pub(super) fn read_missing(&mut self) {
        let log = &mut self.ledger.log;
        if let (Following::At(at), false) = (&log.following, log.is_reading) {
            log.is_reading = true;
            log.read_from = (at.offset, log.last);
            self.effects.push(Effect::ReadLog(at.offset));
        }
    }

    /// The part of the log that was read.
    pub(in crate::room) fn take_tail(&mut self, tail: Result<Tail, BackplaneError>, now: Instant) {
        let log = &mut self.ledger.log;
        log.is_reading = false;
        let Following::At(at) = &log.following else {
            return;
        };
        let tail = match tail {
            Ok(tail) => tail,
            Err(_) => {
                log.is_unread = true;
                log.try_again(now + AGAIN);
                return self.release_waiting();
            }
        };
        log.is_unread = false;
        let before = at.offset;
        let top = tail.top.clone().unwrap_or_else(beginning);
        // A log that nobody had written to has no name by which its loss could be seen.
        let was_cut = std::mem::take(&mut log.was_cut);
        let is_unwritten = tail.top.is_none() && tail.began.is_some() && tail.began <= log.stamp;
        let is_same = if at.epoch.is_empty() {
            before == 0 && (is_unwritten || !was_cut)
        } else {
            at.epoch == top.epoch
        };
        let first = tail
            .entries
            .first()
            .map(|entry| entry.place.position.offset);
        let is_whole = first.map_or(top.offset <= before, |first| first <= before + 1);
        if is_same && is_whole && !log.has_gone_back(&tail) {
            for entry in tail.entries {
                self.take_logged(entry, now);
            }
        } else {
            let stamp = tail.entries.last().map(|last| last.place.stamp);
            self.lose_track(top, stamp, now);
            self.tell_ahead(now);
        }
        self.append_behind();
        self.release_waiting();
    }

    /// What is missing cannot be told any more.
    fn lose_track(&mut self, now_at: Position, stamp: Option<u64>, now: Instant) {
        let log = &mut self.ledger.log;
        log.stamp = stamp;
        // Of a log that nobody has written to since, nothing can have come.
        let is_new = now_at.epoch.is_empty();
        log.following = Following::At(now_at);
        log.last = None;
        log.has_moved = true;
        let old = if is_new {
            std::mem::take(&mut log.ahead)
        } else {
            BTreeMap::new()
        };
        for (_, ahead) in old {
            self.settle_quietly(ahead.id, ahead.place.stamp, now);
        }
        self.drop_passed(now);
        self.resync();
    }

    /// What had come before it was its turn, and is not told any more: members here reload it.
    fn drop_passed(&mut self, now: Instant) {
        let log = &mut self.ledger.log;
        let Following::At(at) = &log.following else {
            return;
        };
        let is_passed = |_: &u64, ahead: &mut Ahead| {
            let position = &ahead.place.position;
            let is_same = at.epoch == position.epoch || at.epoch.is_empty();
            !is_same || position.offset <= at.offset
        };
        let passed: Vec<_> = log.ahead.extract_if(.., is_passed).collect();
        for (_, ahead) in passed {
            self.settle_quietly(ahead.id, ahead.place.stamp, now);
        }
    }

    /// Something was missed, and nobody knows what: everybody here is told to reload.
    pub(in crate::room) fn resync(&mut self) {
        let room = self.key.to_string();
        self.tell(ServerEvent::RoomResync { room }, Audience::All);
        self.tell_everybody();
        // Who goes to another node before it hears anything more is not to be told from where it was before.
        self.doubt_up_to(self.ledger.log.stamp.unwrap_or(u64::MAX));
    }

    /// The backplane has come, or gone.
    pub(in crate::room) fn take_link(&mut self, is_up: bool, now: Instant) {
        let log = &mut self.ledger.log;
        if log.link == Link::Alone {
            return;
        }
        if is_up {
            log.link = Link::Up;
            self.alone_from = None;
            self.doubt_memberships(now);
            self.catch_up(now);
            self.say_present();
            self.read_present();
        } else {
            log.link = Link::Down;
            log.is_reading = false;
            log.was_cut = true;
            log.behind.unsend();
            self.stop_reading_present(now);
            self.alone_from = Some(alone::begins_at(self.key, now));
            self.tell_own_here(now);
            if self.ledger.log.following == Following::Beginning {
                let away = BackplaneError::Away("it is gone".into());
                self.take_following(Err(away), now);
            }
            self.release_waiting();
        }
    }

    /// Comes up to the end of the log, and appends what was told here alone.
    pub(super) fn catch_up(&mut self, _now: Instant) {
        let has_members = !self.members.is_empty();
        let log = &mut self.ledger.log;
        match log.following {
            Following::At(_) => self.read_missing(),
            Following::No if has_members => {
                log.following = Following::Beginning;
                self.effects.push(Effect::Follow);
                self.append_behind();
            }
            Following::No => self.append_behind(),
            Following::Beginning => {}
        }
    }

    /// The room goes on after it has broken: what it was about to ask of the backplane may never have been asked.
    pub(in crate::room) fn resume_log(&mut self) {
        let log = &mut self.ledger.log;
        if log.link != Link::Up {
            return;
        }
        self.effects.extend(log.own.iter_mut().map(|own| {
            own.is_early = false;
            Effect::Append(own.append.clone())
        }));
        log.is_reading = false;
        match log.following {
            Following::Beginning => self.effects.push(Effect::Follow),
            Following::At(_) => self.read_missing(),
            Following::No => {}
        }
        if !std::mem::replace(&mut self.ledger.log.present.is_read, true) {
            self.read_present();
        }
        self.say_present();
    }
}

impl Log {
    /// Whether what was told is not in the log any more, and other entries are in its place, or will be: another server
    /// has taken over, which had not been given all.
    fn has_gone_back(&self, tail: &Tail) -> bool {
        let (offset, last) = self.read_from;
        let is_short = tail.top.as_ref().is_some_and(|top| top.offset < offset);
        let is_other = |entry: &Logged| {
            entry.place.position.offset == offset && last.is_some_and(|last| entry.id != last)
        };
        is_short || tail.entries.iter().any(is_other)
    }
}

fn beginning() -> Position {
    Position {
        epoch: String::new(),
        offset: 0,
    }
}
