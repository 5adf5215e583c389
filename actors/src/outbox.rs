//! Where a session's outbound frames wait for its socket: bounded by bytes and by time.
//!
//! Whoever has something for a session pushes it here; [`Outbox::flush`] is the one place where it is written: all that
//! is queued in one call, on the caller's own thread. Only a socket that is full wakes the connection's task, which
//! waits for room and flushes again. An outbox that is full or stuck closes its session; nobody else ever waits.
//!
//! When the connection is gone, durable frames that cannot have been read, and those that come later, are kept for the
//! session's return.

mod broadcast;
mod ending;
mod handover;
mod link;
mod log;
mod parked;
mod polling;
mod progress;
mod queue;
mod reason;
mod recovery;
mod state;
#[cfg(test)]
mod tests;
mod unproven;

use std::{fmt, io, sync::Arc, time::Duration};

use bytes::Bytes;
use collabflow_protocol::frame::Frame;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{key::RoomKey, metrics};
pub use broadcast::{Broadcast, Weight, Wire};
pub(crate) use handover::Unheard;
use link::Link;
pub use link::Socket;
pub use parked::Missed;
pub use progress::{Heard, Mark, Offset, Places, Progress};
use queue::{Item, Place};
pub use reason::CloseReason;
use state::State;

/// When a session that does not read is closed.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    /// Bytes that may wait (`limits.outbox_bytes`).
    pub bytes_max: usize,
    /// How long none of them may be taken (`limits.outbox_stall`).
    pub stall_max: Duration,
}

/// A session's outbound frames.
pub struct Outbox {
    wire: Wire,
    limits: OutboxLimits,
    state: Mutex<State>,
    /// Wakes the connection's task: the socket is full, or all is closed.
    changed: Notify,
    /// Wakes the poll that waits: there are frames, or all is closed.
    polled: Notify,
}

impl Outbox {
    /// An outbox without a socket.
    #[must_use]
    pub fn new(wire: Wire, limits: OutboxLimits) -> Arc<Self> {
        Arc::new(Self {
            wire,
            limits,
            state: Mutex::new(State::new()),
            changed: Notify::new(),
            polled: Notify::new(),
        })
    }

    /// An outbox with usual limits, for tests.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn for_tests() -> Arc<Self> {
        Self::new(
            Wire::SocketIo,
            OutboxLimits {
                bytes_max: 1_000_000,
                stall_max: Duration::from_secs(10),
            },
        )
    }

    /// The form of its frames.
    #[must_use]
    pub const fn wire(&self) -> Wire {
        self.wire
    }

    /// Queues a frame that nobody needs later. True: the caller has to see to a [`Self::flush`].
    pub fn push(&self, frame: &Frame) -> bool {
        self.queue_locked(&mut self.state.lock(), Item::text(frame.clone(), None))
    }

    /// Queues a frame that has a place in a room's log. True: the caller has to see to a [`Self::flush`].
    pub fn push_durable(&self, room: RoomKey, mark: Mark, frame: &Frame) -> bool {
        let mut state = self.state.lock();
        if let Link::Moved(_) = state.link {
            let next = state.link.next();
            drop(state);
            // The caller knows only of this outbox.
            if let Some(next) = next.filter(|next| next.push_durable(room, mark, frame)) {
                next.flush();
            }
            return false;
        }
        let item = match &mut state.log {
            None => Item::text(frame.clone(), Some(Place::Room(room))),
            Some(log) => {
                let numbered = log.add(Instant::now(), room, frame, mark);
                if let Link::Gone(_) = state.link {
                    return false;
                }
                match numbered {
                    Some((frame, offset)) => Item::numbered(frame, offset),
                    None => Item::text(frame.clone(), None),
                }
            }
        };
        self.queue_locked(&mut state, item)
    }

    /// Queues a frame by which the client is told to reload what it has of a room: what it missed, or misses until it is
    /// back, need not be told. True: the caller has to see to a [`Self::flush`].
    pub fn push_resync(&self, room: RoomKey, frame: &Frame) -> bool {
        let mut state = self.state.lock();
        if let Some(log) = &mut state.log {
            log.skip();
        }
        match &mut state.link {
            Link::Moved(_) => {
                let next = state.link.next();
                drop(state);
                if let Some(next) = next.filter(|next| next.push_resync(room, frame)) {
                    next.flush();
                }
                false
            }
            Link::Gone(parked) => {
                parked.give_up(room);
                false
            }
            Link::Polling | Link::Socket(_) => {
                self.queue_locked(&mut state, Item::text(frame.clone(), None))
            }
        }
    }

    /// Queues a WebSocket control frame, as it is on the wire, and writes.
    pub fn send_control(&self, frame: Bytes) {
        if self.queue_locked(&mut self.state.lock(), Item::control(frame)) {
            self.flush();
        }
    }

    /// Queues a frame and writes.
    pub fn send(&self, frame: &Frame) {
        if self.push(frame) {
            self.flush();
        }
    }

    /// Queues a ping and writes. What is put in line from now on is unread where no answer comes.
    pub fn send_ping(&self, frame: &Frame) {
        self.state.lock().pinged.get_or_insert_with(Instant::now);
        self.send(frame);
    }

    fn queue_locked(&self, state: &mut State, item: Item) -> bool {
        match &mut state.link {
            Link::Polling | Link::Socket(_) => {}
            Link::Gone(parked) => {
                match item.into_unlogged() {
                    Some((room, frame)) => parked.push(room, frame, self.limits.bytes_max),
                    None => metrics::frames_dropped("away", 1),
                }
                return false;
            }
            Link::Moved(_) => {
                metrics::frames_dropped("away", 1);
                return false;
            }
        }
        state.queue.push(item);
        if state.queue.bytes_unexcused() > self.limits.bytes_max {
            // Only what the client does not take is too much for it.
            if state.blocked_since.is_none() {
                self.write_locked(state);
            }
            if state.queue.bytes_unexcused() > self.limits.bytes_max {
                self.close_locked(state, CloseReason::OutboxFull);
            }
            return false;
        }
        !std::mem::replace(&mut state.is_dirty, true)
    }

    /// Writes what is queued, as far as the socket takes it now; or wakes the poll that waits for it.
    pub fn flush(&self) {
        let mut state = self.state.lock();
        state.is_dirty = false;
        match state.blocked_since {
            Some(since) if since.elapsed() > self.limits.stall_max => {
                self.close_locked(&mut state, CloseReason::OutboxStalled);
            }
            // The connection's task waits for room.
            Some(_) => {}
            None => self.write_locked(&mut state),
        }
    }

    /// The socket has room again: goes on writing.
    pub fn resume(&self) {
        self.write_locked(&mut self.state.lock());
    }

    fn write_locked(&self, state: &mut State) {
        if let Link::Polling = state.link {
            if !state.queue.is_empty() {
                self.polled.notify_one();
            }
            return;
        }
        while !state.queue.is_empty() {
            match state.write_once() {
                Ok(0) => return self.close_locked(state, CloseReason::ConnectionLost),
                Ok(count) => state.written(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.blocked_since.get_or_insert_with(Instant::now);
                    return self.changed.notify_one();
                }
                Err(_) => return self.close_locked(state, CloseReason::ConnectionLost),
            }
        }
        if let Some(reason) = state.closing {
            self.close_locked(state, reason);
        }
    }

    /// From now on, frames go to this socket; first those that wait. Whoever comes from polling has read all that its
    /// polls were answered.
    pub fn attach(&self, socket: Box<dyn Socket>) {
        let mut state = self.state.lock();
        if let Link::Polling = state.link {
            state.prove_polled();
            state.pinged = None;
            state.link = Link::Socket(socket);
            state.counted = Some(metrics::Connected::new(match self.wire {
                Wire::SocketIo => "websocket",
                Wire::Plain => "plain",
            }));
            self.write_locked(&mut state);
        }
    }

    /// What was written to the socket before then has been read.
    pub fn prove_read(&self, before: Instant) {
        let mut state = self.state.lock();
        state.pinged = None;
        if let Link::Socket(_) = state.link {
            state.unproven.prove(before);
            if let Some(log) = &mut state.log {
                log.prove(before);
            }
        }
    }

    /// Whether anything waits to be written or polled.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.state.lock().queue.is_empty()
    }

    /// Waits until the socket is full, or all is closed. It may also return for no reason.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How long the socket has been full: the connection's task is to wait for room in it.
    #[must_use]
    pub fn blocked_for(&self) -> Option<Duration> {
        self.state.lock().blocked_since.map(|since| since.elapsed())
    }

    /// The longest that a socket may stay full.
    #[must_use]
    pub const fn stall_max(&self) -> Duration {
        self.limits.stall_max
    }

    /// Bytes that wait for the client to read them.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.state.lock().queue.bytes()
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Outbox")
            .field("queued", &state.queue.bytes())
            .field("closed", &state.closed)
            .finish_non_exhaustive()
    }
}
