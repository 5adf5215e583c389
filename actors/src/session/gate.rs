//! What of a session's events may be under way at the same time.
//!
//! Each session sees its answers and events in the order in which it caused them. Changes in one room keep their order
//! there, so they may be under way together; anything else waits until what was before it is answered.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use ractor::ActorRef;
use tokio::sync::OwnedSemaphorePermit;

use super::actor::SessionMessage;
use crate::key::RoomKey;

/// What an event is to the ones before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A change in this room: it may follow other changes there without waiting.
    Changes(RoomKey),
    /// It goes alone.
    Alone,
}

/// Decides when the next event may start.
#[derive(Debug)]
pub(crate) struct Gate {
    shared: Arc<Shared>,
    /// The lane of what is under way.
    lane: Lane,
}

#[derive(Debug)]
struct Shared {
    under_way: AtomicUsize,
    /// The session holds events back until nothing is under way.
    is_awaited: AtomicBool,
    session: ActorRef<SessionMessage>,
}

/// One event under way; dropped when it is answered.
#[derive(Debug)]
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    /// Lets the reader hand over another event.
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    pub(crate) fn new(session: ActorRef<SessionMessage>) -> Self {
        let shared = Shared {
            under_way: AtomicUsize::new(0),
            is_awaited: AtomicBool::new(false),
            session,
        };
        Self {
            shared: Arc::new(shared),
            lane: Lane::Alone,
        }
    }

    /// Whether an event may start now. If not, the session is told [`SessionMessage::GateOpen`] when it may.
    pub(crate) fn admits(&self, lane: Lane) -> bool {
        let is_clear = || self.shared.under_way.load(Ordering::SeqCst) == 0;
        if is_clear() || (lane == self.lane && lane != Lane::Alone) {
            return true;
        }
        self.shared.is_awaited.store(true, Ordering::SeqCst);
        // What was under way may have ended before it could see that it is awaited.
        is_clear() && self.shared.is_awaited.swap(false, Ordering::SeqCst)
    }

    /// Starts an event that was admitted.
    pub(crate) fn start(&mut self, lane: Lane, permit: OwnedSemaphorePermit) -> Ticket {
        self.lane = lane;
        self.start_beside(permit)
    }

    /// Starts an event that has no place in the order.
    pub(crate) fn start_beside(&self, permit: OwnedSemaphorePermit) -> Ticket {
        self.shared.under_way.fetch_add(1, Ordering::SeqCst);
        Ticket {
            shared: Arc::clone(&self.shared),
            _permit: permit,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let was_last = self.shared.under_way.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last && self.shared.is_awaited.swap(false, Ordering::SeqCst) {
            // A session that has ended needs no waking.
            let _ = self.shared.session.cast(SessionMessage::GateOpen);
        }
    }
}
