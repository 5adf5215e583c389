//! What recovery asks of an outbox: to keep a log of what it told, and to hand that on to the next connection's.

use std::sync::Arc;

use collabflow_protocol::frame::Frame;
use tokio::time::Instant;

use super::{CloseReason, Outbox, link::Link, log::Log, progress::Offset, queue::Item};
use crate::key::RoomKey;

impl Outbox {
    /// From now on, durable frames carry offsets, and are kept, up to so many bytes, until they are proven to be read.
    pub(crate) fn keep_log(&self, bytes_max: usize) {
        self.state.lock().log = Some(Box::new(Log::new(bytes_max)));
    }

    /// Whether it keeps a log.
    pub(crate) fn has_log(&self) -> bool {
        self.state.lock().log.is_some()
    }

    /// The rooms of what was told after this offset; `None` where not all of that is known.
    pub(crate) fn rooms_since(&self, after: Offset) -> Option<Vec<RoomKey>> {
        let state = self.state.lock();
        let log = state.log.as_ref().filter(|log| log.reaches(after))?;
        let mut rooms: Vec<_> = log.since(after).map(|entry| entry.room).collect();
        rooms.sort_unstable();
        rooms.dedup();
        Some(rooms)
    }

    /// What was told in that room must not be told again: who was told is no member any more.
    pub(crate) fn forget(&self, room: RoomKey) {
        let next = {
            let mut state = self.state.lock();
            if let Some(log) = &mut state.log {
                log.forget(room);
            }
            state.link.next()
        };
        if let Some(next) = next {
            next.forget(room);
        }
    }

    /// The session is in that room no more. The next connection's, if there is one, is for itself.
    pub(crate) fn leave(&self, room: RoomKey) {
        if let Some(log) = &mut self.state.lock().log {
            log.leave(room);
        }
    }

    /// Hands the log on to the next connection's outbox, which then tells, behind its greeting, what was told after
    /// this offset, and whatever is told by the way of this outbox from now on. That outbox has to be flushed.
    /// False where not all of that is known any more.
    pub(crate) fn hand_on(&self, next: &Arc<Self>, after: Offset, greeting: &Frame) -> bool {
        let mut state = self.state.lock();
        let Some(mut log) = state.log.take_if(|log| log.reaches(after)) else {
            return false;
        };
        self.close_locked(&mut state, CloseReason::Replaced);
        state.link = Link::Moved(Arc::downgrade(next));
        log.resume(after, Instant::now());
        let mut theirs = next.state.lock();
        if !matches!(theirs.link, Link::Gone(_)) {
            theirs.queue.push(Item::text(greeting.clone(), None));
            for (frame, offset) in log.told_again() {
                theirs.queue.push(Item::numbered(frame, offset));
            }
            theirs.queue.excuse();
        }
        theirs.log = Some(log);
        true
    }
}
