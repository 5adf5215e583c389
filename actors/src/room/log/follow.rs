//! Following the log: entries are told in the order of their offsets, none twice, and none left out unseen.

use collabflow_protocol::event::ServerEvent;
use tokio::time::Instant;

use super::{AGAIN, Following, Link, Payload, Telling};
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
                log.following = Following::At(top.unwrap_or_else(beginning));
                self.tell_ahead(now);
                self.take_present(present, now);
            }
            Err(error) => {
                // It is in the rooms all the same; the log is followed when it is back.
                tracing::debug!(room = %self.key, %error, "the room goes on without its log");
                log.following = Following::No;
                log.try_again(now + AGAIN);
            }
        }
        self.release_waiting(now);
    }

    fn release_waiting(&mut self, now: Instant) {
        for message in std::mem::take(&mut self.ledger.log.waiting) {
            self.take_message(message, now);
        }
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
            Following::No => {
                self.settle_own(id, now);
                return;
            }
        };
        let position = &place.position;
        // Nobody had written to the log when it was followed: its first entries are all after that.
        if at.epoch.is_empty() {
            at.epoch.clone_from(&position.epoch);
        }
        if position.epoch != at.epoch {
            let position = position.clone();
            self.lose_track(position);
            self.settle_own(id, now);
            return;
        }
        if position.offset <= at.offset {
            // It was told: as itself, or to whoever was told to reload.
            self.settle_own(id, now);
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
                log.telling = Telling::Entry(stamp);
                self.note_history(stamp, ahead.id, ahead.payload.as_ref());
                self.tell_logged(ahead.id, ahead.payload, now);
                self.ledger.log.telling = Telling::Beside;
                self.history_goes_on();
            } else {
                self.settle_own(ahead.id, now);
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

    fn tell_logged(&mut self, id: EntryId, payload: Option<Payload>, now: Instant) {
        if self.settle_own(id, now) || self.ledger.log.told_here.contains(id) {
            return;
        }
        let log = &mut self.ledger.log;
        log.is_disordered |= !log.told_here.coming.is_empty();
        let entry = payload.map(|payload| serde_json::from_slice::<Entry>(&payload));
        match entry {
            Some(Ok(entry)) => self.deliver(entry, now),
            // A newer version's, perhaps: whoever is here cannot be told of it.
            Some(Err(error)) => {
                tracing::warn!(room = %self.key, %error, "an entry of the log cannot be read");
                self.resync();
            }
            None => {}
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
            None if has_moved => {}
            None => *at = beginning(),
        }
    }

    /// Reads what is missing of the log.
    pub(super) fn read_missing(&mut self) {
        let log = &mut self.ledger.log;
        if let (Following::At(at), false) = (&log.following, log.is_reading) {
            log.is_reading = true;
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
                return self.release_waiting(now);
            }
        };
        log.is_unread = false;
        let before = at.offset;
        let top = tail.top.clone().unwrap_or_else(beginning);
        let is_same = at.epoch == top.epoch || (at.epoch.is_empty() && before == 0);
        let first = tail
            .entries
            .first()
            .map(|entry| entry.place.position.offset);
        let is_whole = first.map_or(top.offset <= before, |first| first <= before + 1);
        if is_same && is_whole {
            for entry in tail.entries {
                self.take_logged(entry, now);
            }
        } else {
            self.lose_track(top);
            self.tell_ahead(now);
        }
        self.append_behind();
        self.release_waiting(now);
    }

    /// What is missing cannot be told any more.
    fn lose_track(&mut self, now_at: Position) {
        let log = &mut self.ledger.log;
        log.ahead.retain(|_, ahead| {
            ahead.place.position.epoch == now_at.epoch
                && ahead.place.position.offset > now_at.offset
        });
        log.following = Following::At(now_at);
        log.has_moved = true;
        log.told_here.coming.clear();
        log.is_disordered = false;
        self.resync();
    }

    /// What was told here has come from the log, or never will. When nothing is still to come, and something else has come
    /// before it, members here had them in another order than all others.
    pub(super) fn has_come(&mut self, id: EntryId) {
        let log = &mut self.ledger.log;
        let is_last = log.told_here.coming.remove(&id) && log.told_here.coming.is_empty();
        if is_last && std::mem::take(&mut log.is_disordered) {
            self.resync();
        }
    }

    /// Something was missed, and nobody knows what: everybody here is told to reload.
    pub(in crate::room) fn resync(&mut self) {
        let room = self.key.to_string();
        self.tell(ServerEvent::RoomResync { room }, Audience::All);
        self.tell_everybody();
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
        } else {
            log.link = Link::Down;
            log.is_reading = false;
            self.alone_from = Some(alone::begins_at(self.key, now));
            self.tell_own_here(now);
            if self.ledger.log.following == Following::Beginning {
                let away = BackplaneError::Away("it is gone".into());
                self.take_following(Err(away), now);
            }
            self.release_waiting(now);
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
                // Whatever was told meanwhile, nobody here has heard.
                self.resync();
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
        self.say_present();
    }

    fn append_behind(&mut self) {
        let behind = self.ledger.log.behind.iter().cloned();
        self.effects.extend(behind.map(Effect::Append));
    }
}

fn beginning() -> Position {
    Position {
        epoch: String::new(),
        offset: 0,
    }
}
