//! A stored change: who hears of it, and what is remembered for who does not.

use collabflow_protocol::id::UserId;
use tokio::time::Instant;

use crate::{
    id::SessionId,
    node::Echo,
    room::{
        entry::{By, Changed, Origin},
        members::{Absence, Seat},
        state::RoomState,
        told::{ANNOUNCED_WITHIN, Change, Kind, LeftOut, OVERTAKEN_WITHIN},
    },
};

impl RoomState {
    /// A change is stored: it is told, and remembered. A change of nothing is only remembered.
    pub(in crate::room) fn deliver_change(&mut self, changed: Changed, now: Instant) {
        let (by, told_after) = (changed.by.clone(), changed.told_after);
        let mut change = changed.into_change(now);
        let is_told = change.kind == Kind::Deleted || !change.fields.is_empty();
        if is_told {
            let left_out = self.leave_out(&by, &mut change, now);
            self.tell_change(&change, left_out, now);
        }
        change.told_at = told_after.map(|after| now + after).or(change.told_at);
        // A change of nothing matters only to who may announce it.
        if is_told || change.by_rest {
            self.ledger.told.record(change);
        }
    }

    /// Who does not hear of a change: the session that made it, or the page that will announce it.
    fn leave_out(&self, by: &By, change: &mut Change, now: Instant) -> Vec<SessionId> {
        match by.origin {
            Origin::Session(session) => vec![session],
            Origin::Rest(Echo::All) => Vec::new(),
            Origin::Rest(Echo::NotSocket(session)) => {
                let seat = self.members.get(session);
                let is_own = seat.is_some_and(|seat| seat.entry.user_id() == by.user_id());
                is_own.then_some(session).into_iter().collect()
            }
            Origin::Rest(Echo::NotAuthor) => {
                self.await_announcement(by.user_id(), change, now);
                change.untold().collect()
            }
        }
    }

    /// Leaves the author's sessions out of a change until it is announced.
    fn await_announcement(&self, author: UserId, change: &mut Change, now: Instant) {
        let (told, task) = (&self.ledger.told, change.task_id());
        let has_older = change.kind != Kind::Deleted && told.has_in_flight(author, task, now);
        let may_be_overtaken = told.was_just_changed(author, task, &change.fields, now);
        let mut away = 0;
        for seat in self.members.of_user(author) {
            away += usize::from(seat.is_away());
            // Its page may have made the change, and lay something older over it: the answer to an older change of its
            // own, or what it has yet to hear of those fields. Then it is told of the change in its place.
            let may_be_taken_back = if seat.is_away() {
                has_older
            } else {
                may_be_overtaken
            };
            if !may_be_taken_back && !self.has_yet_to_hear(seat, change, now) {
                let session = seat.entry.id;
                change.left_out.push(LeftOut::new(session, seat.is_away()));
            }
        }
        // A page whose connection is gone cannot announce what it changes: then the clock does, unless nobody but that
        // page was left out.
        let is_sole_maker = away == 1 && change.left_out.iter().all(|one| one.is_gone);
        if away > 0 && !is_sole_maker {
            change.told_at = Some(change.at + ANNOUNCED_WITHIN);
        }
    }

    /// Whether a session has yet to hear, or has just begun to, what it missed of the fields of a change.
    fn has_yet_to_hear(&self, seat: &Seat, change: &Change, now: Instant) -> bool {
        let is_just_back = |absence: &Absence| absence.until + OVERTAKEN_WITHIN >= now;
        let back = seat
            .absence
            .filter(is_just_back)
            .map(|absence| absence.since);
        seat.away_since.or(back).is_some_and(|since| {
            let (session, told) = (seat.entry.id, &self.ledger.told);
            told.was_missed(session, since, change.task_id(), &change.fields)
        })
    }
}

impl Changed {
    /// As it is remembered when it is told.
    pub(in crate::room) fn into_change(self, now: Instant) -> Change {
        let is_page = self.by.origin == Origin::Rest(Echo::NotAuthor);
        Change {
            at: now,
            author: self.by.user,
            by_rest: matches!(self.by.origin, Origin::Rest(_)),
            from: self.from,
            fields: self.fields,
            task: self.task,
            index: self.index,
            left_out: Vec::new(),
            is_in_flight: is_page && self.kind != Kind::Deleted,
            told_at: None,
            kind: self.kind,
        }
    }
}
