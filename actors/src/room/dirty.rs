//! Outboxes with frames to write: each is written once, however much was queued, and none is forgotten.

use std::sync::Arc;

use crate::outbox::Outbox;

/// So many sockets are written before others get a turn on the thread.
const WRITES_PER_TURN: usize = 128;

/// Who pushes to an outbox and is told to see to its flush puts it here. Dropped, as by a room that breaks, it writes
/// what is left: nobody else would, as each of these outboxes believes that somebody will.
#[derive(Debug, Default)]
pub(super) struct Dirty(Vec<Arc<Outbox>>);

impl Dirty {
    pub(super) fn push(&mut self, outbox: Arc<Outbox>) {
        self.0.push(outbox);
    }

    pub(super) async fn flush(&mut self) {
        while !self.0.is_empty() {
            let turn = self.0.len().min(WRITES_PER_TURN);
            self.0.drain(..turn).for_each(|outbox| outbox.flush());
            if !self.0.is_empty() {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Extend<Arc<Outbox>> for Dirty {
    fn extend<T: IntoIterator<Item = Arc<Outbox>>>(&mut self, outboxes: T) {
        self.0.extend(outboxes);
    }
}

impl Drop for Dirty {
    fn drop(&mut self) {
        self.0.iter().for_each(|outbox| outbox.flush());
    }
}

#[cfg(test)]
mod tests {
    use collabflow_protocol::socket;

    use super::*;

    #[test]
    fn what_a_room_that_breaks_has_queued_is_written() {
        let outbox = Outbox::for_tests();
        let frame = socket::connect("sid", None);
        assert!(outbox.push(&frame), "the first to push has to flush");
        assert!(!outbox.push(&frame), "somebody else will flush");
        let mut dirty = Dirty::default();
        dirty.push(Arc::clone(&outbox));
        drop(dirty);
        assert!(outbox.push(&frame), "it was flushed");
    }
}
