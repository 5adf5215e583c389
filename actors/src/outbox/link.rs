//! What an outbox is connected with.

use std::{
    io::{self, IoSlice},
    sync::{Arc, Weak},
};

use super::{CloseReason, Outbox, parked::Parked};

/// The side of a connection that can be written to without waiting. Dropping it gives that side up.
pub trait Socket: Send {
    /// Writes what the system takes right now of these buffers, in order.
    ///
    /// # Errors
    /// `WouldBlock` where it takes nothing now; anything else ends the connection.
    fn try_write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Says why the connection ends, as its last word. Called at most once, and never in the middle of a frame.
    fn say_goodbye(&mut self, reason: CloseReason);
}

pub(super) enum Link {
    /// Frames wait until a poll takes them.
    Polling,
    Socket(Box<dyn Socket>),
    /// The connection is gone.
    Gone(Box<Parked>),
    /// The session has recovered: that connection's outbox is its outbox now, also for rooms that do not know it yet.
    Moved(Weak<Outbox>),
}

impl Link {
    /// The outbox that has taken this one's place, if there is one that is still in use.
    pub(super) fn next(&self) -> Option<Arc<Outbox>> {
        match self {
            Self::Moved(next) => next.upgrade(),
            _ => None,
        }
    }
}
