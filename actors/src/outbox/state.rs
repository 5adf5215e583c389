//! What an outbox's lock guards.

use std::io::{self, IoSlice};

use tokio::time::Instant;

use super::{
    CloseReason,
    link::Link,
    log::Log,
    parked::Parked,
    queue::{Place, Queue},
    unproven::{Unproven, Unread},
};
use crate::metrics;

/// Frames that one write takes at most.
const FRAMES_PER_WRITE: usize = 32;
/// Frames written to a socket that are remembered until they are proven to be read.
pub(super) const UNPROVEN_MAX: usize = 32;

pub(super) struct State {
    pub(super) link: Link,
    pub(super) queue: Queue,
    /// Somebody has undertaken to flush.
    pub(super) is_dirty: bool,
    /// Since when the socket has taken nothing.
    pub(super) blocked_since: Option<Instant>,
    /// When the ping was put in line that is not answered yet.
    pub(super) pinged: Option<Instant>,
    pub(super) closed: Option<CloseReason>,
    /// Of sessions that keep no log.
    pub(super) unproven: Unproven,
    /// Of sessions that can recover.
    pub(super) log: Option<Box<Log>>,
    /// Counts the connection by its transport, while there is one.
    pub(super) counted: Option<metrics::Connected>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            link: Link::Polling,
            queue: Queue::default(),
            is_dirty: false,
            blocked_since: None,
            pinged: None,
            closed: None,
            unproven: Unproven::default(),
            log: None,
            counted: Some(metrics::Connected::new("polling")),
        }
    }

    pub(super) fn write_once(&mut self) -> io::Result<usize> {
        let Link::Socket(socket) = &mut self.link else {
            return Ok(0);
        };
        // Nearly always one frame waits alone.
        if let Some(only) = self.queue.only() {
            return socket.try_write(&[IoSlice::new(only)]);
        }
        let mut bufs = [IoSlice::new(&[]); FRAMES_PER_WRITE];
        socket.try_write(self.queue.slices(&mut bufs))
    }

    pub(super) fn written(&mut self, count: usize) {
        self.blocked_since = None;
        let unproven = &mut self.unproven;
        let mut now = None;
        self.queue.advance(count, |place, frame| {
            if let Place::Room(room) = place {
                unproven.make_room(UNPROVEN_MAX);
                unproven.add(*now.get_or_insert_with(Instant::now), room, frame);
            }
        });
    }

    /// Whoever polls again, or upgrades, has read all that its polls were answered with.
    pub(super) fn prove_polled(&mut self) {
        self.unproven.prove_all();
        if let Some(log) = &mut self.log {
            log.prove_polled();
        }
    }

    pub(super) fn park(&mut self, bytes_max: usize) {
        let unanswered = match self.link {
            Link::Gone(_) | Link::Moved(_) => return,
            // The poll that would have proven that these arrived never came.
            Link::Polling => self.unproven.take_all(),
            Link::Socket(_) => Unread::default(),
        };
        metrics::frames_dropped("closed", self.queue.passing());
        self.counted = None;
        let mut parked = Parked::default();
        parked.push_front(unanswered, bytes_max);
        for (room, frame) in self.queue.drain() {
            parked.push(room, frame, bytes_max);
        }
        self.blocked_since = None;
        self.link = Link::Gone(Box::new(parked));
    }

    /// What was written since the connection fell silent was not read; where it did not, everything was.
    pub(super) fn settle(&mut self, silent_since: Option<Instant>, bytes_max: usize) {
        let unread = silent_since.map(|since| self.unproven.unread_since(since));
        self.unproven.prove_all();
        if let (Link::Gone(parked), Some(unread)) = (&mut self.link, unread) {
            parked.push_front(unread, bytes_max);
        }
    }
}
