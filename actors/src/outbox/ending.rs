//! How a connection ends, and what is then taken to be unread: that, and what comes later, is kept for a return.

use tokio::time::Instant;

use super::{CloseReason, Missed, Outbox, link::Link, state::State};
use crate::{key::RoomKey, metrics};

impl Outbox {
    /// Closes the session's connection, after what its socket takes now of all that waits. Only the first reason counts.
    pub fn close(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        if state.blocked_since.is_none() {
            self.write_locked(&mut state);
        }
        self.close_locked(&mut state, reason);
    }

    /// Closes the connection as soon as all that waits is written. One that polls is closed by the answer to a poll, so
    /// that its client hears of it; as long as none comes, it stays open. Whoever asks for this closes it in the end.
    pub fn close_when_flushed(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        state.closing = Some(reason);
        match state.link {
            Link::Polling => self.polled.notify_one(),
            Link::Socket(_) if state.blocked_since.is_none() => self.write_locked(&mut state),
            Link::Socket(_) | Link::Gone(_) | Link::Moved(_) => {}
        }
    }

    /// Why it is to be closed once all that waits is on its way.
    #[must_use]
    pub fn closing(&self) -> Option<CloseReason> {
        self.state.lock().closing
    }

    pub(super) fn close_locked(&self, state: &mut State, reason: CloseReason) {
        if state.closed.is_none() {
            state.closed = Some(reason);
            metrics::connection_closed(reason);
            tracing::debug!(%reason, "a connection is closed");
            if let Link::Socket(socket) = &mut state.link
                && !state.queue.is_torn()
            {
                socket.say_goodbye(reason);
            }
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

    /// The connection is gone: what cannot have been read, and is durable, is kept from now on.
    pub fn park(&self) {
        self.state.lock().park(self.limits.bytes_max);
    }

    /// The connection has ended. Where it fell silent, nothing that was written since then was read; where it did not,
    /// everything was.
    pub fn end(&self, reason: CloseReason, silent_since: Option<Instant>) {
        self.close(reason);
        let mut state = self.state.lock();
        state.settle(silent_since, self.limits.bytes_max);
    }

    /// What was missed in a room since the connection was gone.
    pub fn take_missed(&self, room: RoomKey) -> Missed {
        let mut state = self.state.lock();
        // What a log has was numbered for a client that recovers: one that does not any more has to reload.
        let complete = state.log.is_none();
        match &mut state.link {
            Link::Gone(parked) if complete => parked.take(room),
            _ => Missed {
                frames: Vec::new(),
                complete,
            },
        }
    }

    /// Another connection takes the session's place, though this one may still seem to live.
    pub(crate) fn replace(&self) {
        let mut state = self.state.lock();
        let silent_since = state.pinged.take();
        self.close_locked(&mut state, CloseReason::Replaced);
        state.settle(silent_since, self.limits.bytes_max);
    }

    /// The client has come back without having read anything that it was told here, unless that is proven.
    pub(crate) fn disprove(&self) {
        self.state.lock().disprove(self.limits.bytes_max);
    }
}
