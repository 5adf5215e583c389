//! The sessions that are in a room.

use std::{collections::HashMap, sync::Arc};

use collabflow_protocol::id::UserId;

use crate::{id::SessionId, session::entry::SessionEntry};

/// A session's seat in a room.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) entry: Arc<SessionEntry>,
    /// Its connection is gone; durable events are kept for it until it is back or given up.
    pub(crate) is_away: bool,
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
            self.seats[at].is_away = false;
            return false;
        }
        self.index.insert(entry.id, self.seats.len());
        self.seats.push(Seat {
            entry,
            is_away: false,
        });
        true
    }

    /// The session's connection is gone; false where it has no seat, or was away already.
    pub(crate) fn set_away(&mut self, session: SessionId) -> bool {
        self.index
            .get(&session)
            .is_some_and(|&at| !std::mem::replace(&mut self.seats[at].is_away, true))
    }

    pub(crate) fn remove(&mut self, session: SessionId) -> Option<Seat> {
        let at = self.index.remove(&session)?;
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
