//! The sessions that are in a room.

use std::{collections::HashMap, sync::Arc};

use collabflow_protocol::id::UserId;
use tokio::time::Instant;

use crate::{id::SessionId, session::entry::SessionEntry};

/// A session's seat in a room.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) entry: Arc<SessionEntry>,
    /// Since when its connection is gone; durable events are kept for it until it is back or given up.
    pub(crate) away_since: Option<Instant>,
    /// The last time that the session came back, if it ever did.
    pub(crate) absence: Option<Absence>,
}

/// When a session was away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absence {
    pub(crate) since: Instant,
    pub(crate) until: Instant,
}

impl Seat {
    pub(crate) const fn is_away(&self) -> bool {
        self.away_since.is_some()
    }
}

/// All seats, dense for broadcasts, and findable by session.
#[derive(Debug, Default)]
pub(crate) struct Members {
    seats: Vec<Seat>,
    index: HashMap<SessionId, usize>,
}

impl Members {
    pub(crate) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(crate) fn get(&self, session: SessionId) -> Option<&Seat> {
        self.index.get(&session).map(|&at| &self.seats[at])
    }

    /// Seats a session; false where it had a seat.
    pub(crate) fn add(&mut self, entry: Arc<SessionEntry>) -> bool {
        if let Some(&at) = self.index.get(&entry.id) {
            self.seats[at].away_since = None;
            return false;
        }
        self.index.insert(entry.id, self.seats.len());
        self.seats.push(Seat {
            entry,
            away_since: None,
            absence: None,
        });
        true
    }

    /// The session is there again after an absence.
    pub(crate) fn set_back(&mut self, session: SessionId, absence: Absence) {
        if let Some(&at) = self.index.get(&session) {
            self.seats[at].absence = Some(absence);
        }
    }

    /// The session's connection is gone; false where it has no seat, or was away already.
    pub(crate) fn set_away(&mut self, entry: &Arc<SessionEntry>, now: Instant) -> bool {
        match self.index.get(&entry.id).map(|&at| &mut self.seats[at]) {
            Some(seat) if Arc::ptr_eq(&seat.entry, entry) && !seat.is_away() => {
                seat.away_since = Some(now);
                true
            }
            _ => false,
        }
    }

    /// Puts a session that has recovered in the seat that it had by another connection; the answer is since when it was
    /// away. `None`: that seat is not there.
    pub(crate) fn renew(
        &mut self,
        old: &Arc<SessionEntry>,
        new: &Arc<SessionEntry>,
    ) -> Option<Option<Instant>> {
        let seat = &mut self.seats[*self.index.get(&old.id)?];
        if !Arc::ptr_eq(&seat.entry, old) {
            return None;
        }
        seat.entry = Arc::clone(new);
        Some(seat.away_since.take())
    }

    /// Takes away a session's seat, unless it has come back to it by another connection.
    pub(crate) fn remove(&mut self, entry: &Arc<SessionEntry>) -> Option<Seat> {
        let at = *self.index.get(&entry.id)?;
        if !Arc::ptr_eq(&self.seats[at].entry, entry) {
            return None;
        }
        self.index.remove(&entry.id);
        let seat = self.seats.swap_remove(at);
        if let Some(moved) = self.seats.get(at) {
            self.index.insert(moved.entry.id, at);
        }
        Some(seat)
    }

    /// The sessions of one user, connected or away.
    pub(crate) fn of_user(&self, user: UserId) -> impl Iterator<Item = &Seat> {
        self.seats
            .iter()
            .filter(move |seat| seat.entry.user_id() == user)
    }
}
