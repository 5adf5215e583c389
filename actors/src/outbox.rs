//! Where a session's outbound frames wait for its socket: bounded by bytes and by time.
//!
//! Whoever has something for a session pushes it here; [`Outbox::flush`] is the one place where it is written: all that
//! is queued in one call, on the caller's own thread. Only a socket that is full wakes the connection's task, which
//! waits for room and flushes again. An outbox that is full or stuck closes its session; nobody else ever waits.
//!
//! When the connection is gone, durable frames that were not written, and those that come later, are kept for the
//! session's return.

mod broadcast;
mod parked;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fmt,
    io::{self, IoSlice},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use collabflow_protocol::frame::Frame;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::key::RoomKey;
pub use broadcast::{Broadcast, Wire};
pub use parked::Missed;
use parked::Parked;

/// Frames that one write takes at most.
const FRAMES_PER_WRITE: usize = 32;
/// Durable frames are remembered for so long after they were written, in case they were not read.
const RECENT_FOR: Duration = Duration::from_secs(2);
/// So many are remembered at most.
const RECENT_MAX: usize = 64;

/// When a session that does not read is closed.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    /// Bytes that may wait (`limits.outbox_bytes`).
    pub bytes_max: usize,
    /// How long none of them may be taken (`limits.outbox_stall`).
    pub stall_max: Duration,
}

/// Why a session's connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The other side has closed it.
    PeerClosed,
    /// The network has broken it.
    ConnectionLost,
    /// No sign of life in time.
    PingTimeout,
    /// More is waiting than the limit allows.
    OutboxFull,
    /// What is waiting has not been taken in time.
    OutboxStalled,
    /// The client broke the protocol.
    ProtocolError,
    /// A frame or body was over the limit.
    TooLarge,
    /// The client did not connect to the namespace in time.
    ConnectTimeout,
    /// The node is ending.
    Draining,
    /// An actor has broken.
    Internal,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerClosed => "closed by the client",
            Self::ConnectionLost => "connection lost",
            Self::PingTimeout => "ping timeout",
            Self::OutboxFull => "too much is waiting to be read",
            Self::OutboxStalled => "the client does not read",
            Self::ProtocolError => "protocol error",
            Self::TooLarge => "message too large",
            Self::ConnectTimeout => "no namespace was joined in time",
            Self::Draining => "the server is ending",
            Self::Internal => "internal error",
        })
    }
}

/// The side of a connection that can be written to without waiting.
pub trait Socket: Send {
    /// Writes what the system takes right now of these buffers, in order.
    ///
    /// # Errors
    /// `WouldBlock` where it takes nothing now; anything else ends the connection.
    fn try_write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
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

struct State {
    link: Link,
    queue: VecDeque<Item>,
    /// Bytes in the queue.
    bytes: usize,
    /// Bytes of the first item that are written already.
    written: usize,
    /// Somebody has undertaken to flush.
    is_dirty: bool,
    /// Since when the socket has taken nothing.
    blocked_since: Option<Instant>,
    closed: Option<CloseReason>,
    /// Durable frames that were written lately, and when.
    recent: VecDeque<(Instant, RoomKey, Frame)>,
}

enum Link {
    /// Frames wait until a poll takes them.
    Polling,
    Socket(Box<dyn Socket>),
    /// The connection is gone.
    Gone(Parked),
}

struct Item {
    bytes: Payload,
    /// The room in whose log a durable frame has its place.
    room: Option<RoomKey>,
}

enum Payload {
    Text(Frame),
    Control(Bytes),
}

impl Outbox {
    /// An outbox without a socket.
    #[must_use]
    pub fn new(wire: Wire, limits: OutboxLimits) -> Arc<Self> {
        let state = State {
            link: Link::Polling,
            queue: VecDeque::new(),
            bytes: 0,
            written: 0,
            is_dirty: false,
            blocked_since: None,
            closed: None,
            recent: VecDeque::new(),
        };
        Arc::new(Self {
            wire,
            limits,
            state: Mutex::new(state),
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
        self.queue(Item {
            bytes: Payload::Text(frame.clone()),
            room: None,
        })
    }

    /// Queues a frame that has a place in a room's log. True: the caller has to see to a [`Self::flush`].
    pub fn push_durable(&self, room: RoomKey, frame: &Frame) -> bool {
        self.queue(Item {
            bytes: Payload::Text(frame.clone()),
            room: Some(room),
        })
    }

    /// Queues a WebSocket control frame, as it is on the wire, and writes.
    pub fn send_control(&self, frame: Bytes) {
        if self.queue(Item {
            bytes: Payload::Control(frame),
            room: None,
        }) {
            self.flush();
        }
    }

    /// Queues a frame and writes.
    pub fn send(&self, frame: &Frame) {
        if self.push(frame) {
            self.flush();
        }
    }

    fn queue(&self, item: Item) -> bool {
        let mut state = self.state.lock();
        if let Link::Gone(parked) = &mut state.link {
            if let (Some(room), Payload::Text(frame)) = (item.room, item.bytes) {
                parked.push(room, frame, self.limits.bytes_max);
            }
            return false;
        }
        state.bytes += item.bytes.as_bytes().len();
        state.queue.push_back(item);
        if state.bytes > self.limits.bytes_max {
            self.close_locked(&mut state, CloseReason::OutboxFull);
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
                Ok(count) => {
                    state.blocked_since = None;
                    state.advance(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.blocked_since.get_or_insert_with(Instant::now);
                    return self.changed.notify_one();
                }
                Err(_) => return self.close_locked(state, CloseReason::ConnectionLost),
            }
        }
    }

    /// From now on, frames go to this socket; first those that wait.
    pub fn attach(&self, socket: Box<dyn Socket>) {
        let mut state = self.state.lock();
        if let Link::Polling = state.link {
            state.link = Link::Socket(socket);
            self.write_locked(&mut state);
        }
    }

    /// Takes frames for a poll: one at least if there is any, and no more than fit into `bytes_max`.
    pub fn take(&self, bytes_max: usize) -> Vec<Frame> {
        let mut state = self.state.lock();
        let mut frames = Vec::new();
        let mut bytes = 0;
        while let Some(Item {
            bytes: Payload::Text(frame),
            ..
        }) = state.queue.front()
        {
            bytes += frame.len() + 1;
            if !frames.is_empty() && bytes > bytes_max {
                break;
            }
            frames.push(frame.clone());
            let taken = frame.as_websocket().len();
            state.advance(taken);
        }
        frames
    }

    /// Waits until the socket is full, or all is closed. It may also return for no reason.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until there are frames for a poll, or all is closed. It may also return for no reason.
    pub async fn polled(&self) {
        self.polled.notified().await;
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

    /// Closes the session's connection; only the first reason counts.
    pub fn close(&self, reason: CloseReason) {
        self.close_locked(&mut self.state.lock(), reason);
    }

    fn close_locked(&self, state: &mut State, reason: CloseReason) {
        if state.closed.is_none() {
            state.closed = Some(reason);
            tracing::debug!(%reason, "a connection is closed");
        }
        state.park(self.limits.bytes_max);
        self.changed.notify_one();
        self.polled.notify_one();
    }

    /// Why it is closed, if it is.
    #[must_use]
    pub fn closed(&self) -> Option<CloseReason> {
        self.state.lock().closed
    }

    /// The connection is gone: what was not written, and is durable, is kept from now on.
    pub fn park(&self) {
        self.state.lock().park(self.limits.bytes_max);
    }

    /// As [`Self::park`]; and what was written after `since` was not read either.
    pub fn park_unheard(&self, since: Instant) {
        let mut state = self.state.lock();
        state.park(self.limits.bytes_max);
        let recent = std::mem::take(&mut state.recent);
        if let Link::Gone(parked) = &mut state.link {
            let unheard = recent
                .into_iter()
                .filter(|(at, ..)| *at >= since)
                .map(|(_, room, frame)| (room, frame));
            parked.push_front(unheard, self.limits.bytes_max);
        }
    }

    /// What was missed in a room since the connection was gone.
    pub fn take_missed(&self, room: RoomKey) -> Missed {
        match &mut self.state.lock().link {
            Link::Gone(parked) => parked.take(room),
            Link::Polling | Link::Socket(_) => Missed {
                frames: Vec::new(),
                complete: true,
            },
        }
    }
}

impl State {
    fn write_once(&mut self) -> io::Result<usize> {
        let Link::Socket(socket) = &mut self.link else {
            return Ok(0);
        };
        let mut bufs = [IoSlice::new(&[]); FRAMES_PER_WRITE];
        let mut count = 0;
        for (buf, item) in bufs.iter_mut().zip(&self.queue) {
            let skip = if count == 0 { self.written } else { 0 };
            *buf = IoSlice::new(&item.bytes.as_bytes()[skip..]);
            count += 1;
        }
        socket.try_write(&bufs[..count])
    }

    /// So many bytes of the queue are written.
    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        count += self.written;
        while let Some(item) = self.queue.front() {
            let length = item.bytes.as_bytes().len();
            if count < length {
                break;
            }
            count -= length;
            if let Some(Item {
                bytes: Payload::Text(frame),
                room: Some(room),
            }) = self.queue.pop_front()
            {
                self.remember(room, frame);
            }
        }
        self.written = count;
    }

    fn remember(&mut self, room: RoomKey, frame: Frame) {
        let now = Instant::now();
        while self
            .recent
            .front()
            .is_some_and(|(at, ..)| *at + RECENT_FOR < now || self.recent.len() >= RECENT_MAX)
        {
            self.recent.pop_front();
        }
        self.recent.push_back((now, room, frame));
    }

    fn park(&mut self, bytes_max: usize) {
        if let Link::Gone(_) = self.link {
            return;
        }
        let mut parked = Parked::default();
        for item in std::mem::take(&mut self.queue) {
            if let Item {
                bytes: Payload::Text(frame),
                room: Some(room),
            } = item
            {
                parked.push(room, frame, bytes_max);
            }
        }
        (self.bytes, self.written, self.blocked_since) = (0, 0, None);
        self.link = Link::Gone(parked);
    }
}

impl Payload {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(frame) => frame.as_websocket(),
            Self::Control(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Outbox")
            .field("queued", &state.bytes)
            .field("closed", &state.closed)
            .finish_non_exhaustive()
    }
}
