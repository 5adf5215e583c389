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

/// How far the answer to a poll has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its connection has not taken it yet.
    Given,
    /// The connection has taken it: it is on its way as much as what is written to a socket.
    Sent,
}

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
    /// It is to be closed once all that waits is on its way.
    pub(super) closing: Option<CloseReason>,
    pub(super) closed: Option<CloseReason>,
    /// Of the last poll, while nothing has followed it.
    pub(super) answer: Option<Answer>,
    /// What was read, and what was not, is decided.
    is_settled: bool,
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
            closing: None,
            closed: None,
            answer: None,
            is_settled: false,
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
        self.answer = None;
        self.unproven.prove_all();
        if let Some(log) = &mut self.log {
            log.prove_polled();
        }
    }

    pub(super) fn park(&mut self, bytes_max: usize) {
        let unread = match self.link {
            Link::Gone(_) | Link::Moved(_) => return,
            Link::Polling if self.answer == Some(Answer::Given) => self.unproven.take_all(),
            Link::Polling | Link::Socket(_) => Unread::default(),
        };
        metrics::frames_dropped("closed", self.queue.passing());
        self.counted = None;
        let mut parked = Parked::default();
        parked.push_front(unread, bytes_max);
        for (room, frame) in self.queue.drain() {
            parked.push(room, frame, bytes_max);
        }
        self.blocked_since = None;
        self.link = Link::Gone(Box::new(parked));
    }

    /// What was written since the connection fell silent was not read, nor was the answer to a poll that no other poll
    /// followed. Where it did not fall silent, everything was read, as far as one can know.
    pub(super) fn settle(&mut self, silent_since: Option<Instant>, bytes_max: usize) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let unread = match silent_since {
            None => return,
            Some(_) if self.answer.is_some() => self.unproven.take_all(),
            Some(since) => self.unproven.take_since(since),
        };
        self.put_back(unread, bytes_max);
    }

    /// Nothing that is not proven was read.
    pub(super) fn disprove(&mut self, bytes_max: usize) {
        let unread = self.unproven.take_all();
        self.put_back(unread, bytes_max);
    }

    fn put_back(&mut self, unread: Unread, bytes_max: usize) {
        if let Link::Gone(parked) = &mut self.link {
            parked.push_front(unread, bytes_max);
        }
    }
}
