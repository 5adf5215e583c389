//! Coming and going: joins, leaves, drops, returns, and who is told of them.

use std::sync::Arc;

use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    event::ServerEvent,
    id::UserId,
    model::UserBrief,
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    crowd::News,
    effect::{Audience, Effect},
    members::Absence,
    message::Departure,
    presence::Went,
    state::RoomState,
};
use crate::{
    id::SessionId,
    session::{
        entry::SessionEntry,
        reply::{Done, Reply},
    },
};

impl RoomState {
    pub(super) fn join(&mut self, entry: Arc<SessionEntry>, reply: Reply, now: Instant) {
        if !entry.is_in(self.key) && entry.room_count() >= self.settings.rooms_per_session_max {
            let most = self.settings.rooms_per_session_max;
            let message = format!("A session may be in at most {most} rooms");
            return self.refuse(reply, ClientError::new(ErrorCode::RateLimited, message));
        }
        let since = self.ledger.log.stamp();
        let Some(left_behind) = entry.joined(self.key, since) else {
            return self.refuse(reply, ClientError::unavailable());
        };
        self.seat(&entry, now);
        self.record(&entry);
        let done = if self.key.scope().is_some() {
            Done::Users(self.presence.briefs())
        } else {
            Done::Plain
        };
        self.tell_users(entry.id);
        // Before the answer, which lets the session's next join go on: that may be for one of these rooms.
        if !left_behind.is_empty() {
            self.effects.push(Effect::MoveOn(entry, left_behind));
        }
        self.effects.push(Effect::Answer(reply, Ok(done)));
    }

    /// A session's rooms have changed: where there are other nodes, they are to know.
    fn record(&mut self, entry: &Arc<SessionEntry>) {
        let log = &self.ledger.log;
        if !log.is_clustered() {
            return;
        }
        if log.is_in_doubt() {
            entry.doubt(self.key, u64::MAX);
        }
        self.effects.push(Effect::Record(Arc::clone(entry)));
    }

    /// Something was told here out of its place in the log, or was not told, up to this stamp, or to one that is not known
    /// yet.
    pub(super) fn doubt_up_to(&mut self, stamp: u64) {
        let log = &self.ledger.log;
        if !log.is_clustered() {
            return;
        }
        let stamp = if log.is_in_doubt() { u64::MAX } else { stamp };
        for seat in self.members.seats() {
            seat.entry.doubt(self.key, stamp);
            self.effects.push(Effect::Record(Arc::clone(&seat.entry)));
        }
    }

    fn seat(&mut self, entry: &Arc<SessionEntry>, now: Instant) {
        if self.members.add(Arc::clone(entry)) {
            self.comes(entry, now);
        }
    }

    /// A session is there: the others are told where its user was not, on whichever node.
    fn comes(&mut self, entry: &SessionEntry, now: Instant) {
        let came = self.presence.arrive(&entry.user());
        if came.is_first_here {
            self.tell_others(Effect::Here(entry.user()));
        }
        if came.is_new && self.crowd.change(entry.user_id(), now) {
            self.tell_joined(&entry.user(), Audience::AllBut(vec![entry.id]));
        }
    }

    /// A user is here no more: the others are told where it is on no other node either.
    fn goes(&mut self, user: UserId, went: Went, now: Instant) {
        if went != Went::Stays {
            self.tell_others(Effect::NotHere(user));
        }
        if went == Went::Left {
            self.has_left(user, now);
        }
    }

    pub(super) fn depart(
        &mut self,
        entry: &Arc<SessionEntry>,
        how: Departure,
        reply: Reply,
        now: Instant,
    ) {
        entry.left(self.key);
        self.record(entry);
        self.stop_typing(entry);
        if let Some(seat) = self.members.remove(entry) {
            self.has_closed(entry, now);
            // One that is away has departed already.
            if !seat.is_away() {
                let went = self.presence.depart(entry.user_id(), how, now);
                self.goes(entry.user_id(), went, now);
            }
        }
        self.effects.push(Effect::Answer(reply, Ok(Done::Plain)));
    }

    /// A session's connection is gone; false where that was known.
    pub(super) fn away(&mut self, entry: &Arc<SessionEntry>, now: Instant) -> bool {
        let is_news = self.members.set_away(entry, now);
        if is_news {
            self.has_closed(entry, now);
            self.stop_typing(entry);
            let user = entry.user_id();
            let went = self.presence.depart(user, Departure::Dropped, now);
            self.goes(user, went, now);
        }
        is_news
    }

    /// A session has closed, and with it perhaps the page that was to announce a change.
    fn has_closed(&mut self, entry: &SessionEntry, now: Instant) {
        let user = entry.user_id();
        let was_left_out = self.ledger.told.closed(entry.id, user, now);
        if was_left_out && self.ledger.log.is_clustered() {
            self.effects.push(Effect::Closed(user));
        }
    }

    /// Gives the seat of a session that is away to the one that has come in its place. A session that says it is in the
    /// room, and has no seat, was in one that broke too often: what it has missed nobody knows.
    pub(super) fn give_back(
        &mut self,
        old: &Arc<SessionEntry>,
        new: &Arc<SessionEntry>,
        now: Instant,
    ) {
        let was_in = old.is_in(self.key);
        let (is_cut_off, away_since) = self.vacate(old, now);
        if !was_in {
            return new.left(self.key);
        }
        if !new.restore(self.key, self.ledger.log.stamp()) {
            return;
        }
        self.ledger.told.returned(old.id, new.id);
        self.record(new);
        if !new.has_ended() {
            self.seat(new, now);
        } else if self.members.add(Arc::clone(new)) {
            // Its connection is gone as well. For the others the user is still within the grace of the first drop.
            self.members.set_away(new, now);
            self.has_closed(new, now);
        }
        if let Some(since) = away_since {
            self.members.set_back(new.id, Absence { since, until: now });
            self.effects.push(Effect::Replay {
                old: Arc::clone(old),
                new: Arc::clone(new),
            });
        } else {
            self.tell_resync(new.id);
        }
        if is_cut_off {
            self.tell_in_flight(new, now);
        }
        self.tell_users(new.id);
    }

    /// A session that has recovered keeps its seat, by another connection.
    pub(super) fn renew(&mut self, old: &Arc<SessionEntry>, new: &Arc<SessionEntry>, now: Instant) {
        self.stop_typing(old);
        if !new.is_in(self.key) {
            // It is out again, and was before the room knew of it.
            self.vacate(old, now);
            return;
        }
        let renewed = self.members.renew(old, new);
        // It may have lost the seat in between; or the room has broken, and has found the session as it is now, or not.
        if renewed.is_none() && self.members.get(new.id).is_none() {
            if !old.is_in(self.key) {
                return new.left(self.key);
            }
            self.seat(new, now);
            self.tell_resync(new.id);
        }
        let was_away = renewed.flatten().is_some();
        if was_away {
            self.comes(new, now);
        }
        self.tell_users(new.id);
    }

    /// Takes away the seat of a session that is away, and that the one in its place may not have.
    pub(super) fn unseat(
        &mut self,
        old: &Arc<SessionEntry>,
        new: &Arc<SessionEntry>,
        now: Instant,
    ) {
        self.vacate(old, now);
        new.left(self.key);
    }

    /// A session that was taken over is away from now on at least, and without a seat. The answer is whether that was
    /// news, and since when it is away, if it had a seat.
    fn vacate(&mut self, old: &Arc<SessionEntry>, now: Instant) -> (bool, Option<Instant>) {
        let is_news = self.away(old, now);
        old.left(self.key);
        let seat = self.members.remove(old);
        (is_news, seat.and_then(|seat| seat.away_since))
    }

    /// Lets nobody stay who is no member by the last read.
    pub(super) fn evict_strangers(&mut self, now: Instant) {
        let strangers: Vec<_> = self
            .members
            .seats()
            .iter()
            .filter(|seat| self.access.is_stranger(seat.entry.user_id()))
            .map(|seat| (Arc::clone(&seat.entry), seat.is_away()))
            .collect();
        let mut gone = Vec::new();
        for (entry, is_away) in strangers {
            entry.put_out(self.key);
            self.record(&entry);
            self.members.remove(&entry);
            self.stop_typing(&entry);
            if !is_away {
                let went = self.presence.remove(entry.user_id());
                gone.push((entry.user_id(), went));
            }
        }
        for (user, went) in gone {
            self.goes(user, went, now);
        }
    }

    pub(super) fn close(&mut self, done: oneshot::Sender<()>) {
        self.access.invalidate();
        for user in self.presence.here().collect::<Vec<_>>() {
            self.tell_others(Effect::NotHere(user.id));
        }
        self.presence.clear();
        self.crowd.forget();
        for entry in self
            .members
            .seats()
            .iter()
            .map(|seat| Arc::clone(&seat.entry))
            .collect::<Vec<_>>()
        {
            entry.left(self.key);
            self.record(&entry);
            self.members.remove(&entry);
            self.typing.stop(entry.id);
        }
        self.effects.push(Effect::Confirm(done));
    }

    pub(super) fn tell_gone(&mut self, now: Instant) {
        for (user, went) in self.presence.take_gone(now) {
            self.goes(user, went, now);
        }
    }

    /// Tells what was held back in a crush.
    pub(super) fn tell_crowd(&mut self, now: Instant) {
        for news in self.crowd.take_due(now) {
            match news {
                News::Everybody => self.tell_everybody(),
                News::One(user, audience) => match self.presence.brief(user) {
                    Some(user) => self.tell_joined(&user, audience),
                    None => self.tell_left(user, audience),
                },
            }
        }
    }

    /// Tells everybody who is present.
    pub(super) fn tell_everybody(&mut self) {
        self.tell_present(Audience::All);
    }

    /// Tells one session who is present, where the room has presence at all.
    fn tell_users(&mut self, session: SessionId) {
        self.crowd.inform(session);
        self.tell_present(Audience::Only(vec![session]));
    }

    /// Tells one session that it has missed something.
    pub(super) fn tell_resync(&mut self, session: SessionId) {
        let room = self.key.to_string();
        self.tell(
            ServerEvent::RoomResync { room },
            Audience::Only(vec![session]),
        );
    }

    fn tell_present(&mut self, audience: Audience) {
        if let Some(scope) = self.key.scope() {
            let event = ServerEvent::RoomUsers {
                scope: scope.into(),
                users: self.presence.users(),
            };
            self.tell(event, audience);
        }
    }

    pub(super) fn has_left(&mut self, user: UserId, now: Instant) {
        if self.crowd.change(user, now) {
            self.tell_left(user, Audience::All);
        }
    }

    pub(super) fn tell_joined(&mut self, user: &UserBrief, audience: Audience) {
        if let Some(scope) = self.key.scope() {
            let event = ServerEvent::UserJoined {
                user_id: user.id,
                user: user.clone(),
                scope: scope.into(),
            };
            self.tell(event, audience);
        }
    }

    fn tell_left(&mut self, user_id: UserId, audience: Audience) {
        if let Some(scope) = self.key.scope() {
            let event = ServerEvent::UserLeft {
                user_id,
                scope: scope.into(),
            };
            self.tell(event, audience);
        }
    }
}
