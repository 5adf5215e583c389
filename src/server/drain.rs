//! The drain: sessions are closed a batch at a time, so that their clients do not all come to another server at once.
//!
//! A session is closed by its transport alone, after what waits for it is written; its client comes back by itself. One
//! that does not take what waits for it is closed all the same, in time.

use std::{sync::Arc, time::Duration};

use collabflow_actors::{
    node::Node,
    outbox::{CloseReason, Outbox},
};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};

/// The batches of a drain; each begins a tenth of its time after the one before.
const BATCHES: u32 = 7;
/// The tenths of its time that a drain leaves to the last batch.
const TENTHS_TO_FLUSH: u32 = 2;
/// A batch is no smaller: few sessions are closed in less time.
const BATCH_MIN: usize = 10;
/// How often is looked whether a batch is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Closes every session of the node; returns when they are closed, after `within` at most.
pub(super) async fn sessions(node: &Node, within: Duration) {
    let tenth = within / 10;
    let start = Instant::now();
    let sessions = node.outboxes();
    tracing::info!(sessions = sessions.len(), "sessions are closed in batches");
    let mut batches = JoinSet::new();
    for (turn, batch) in (0..).zip(sessions.chunks(batch_size(sessions.len()))) {
        time::sleep_until(start + tenth * turn).await;
        batches.spawn(close(batch.to_vec(), tenth * TENTHS_TO_FLUSH));
    }
    // Those that had their connection before the drain, and their session since.
    batches.spawn(close(node.outboxes(), tenth * TENTHS_TO_FLUSH));
    batches.join_all().await;
}

fn batch_size(sessions: usize) -> usize {
    sessions.div_ceil(BATCHES as usize).max(BATCH_MIN)
}

/// Closes a batch, each session when what waits for it is written, and the rest when the time is up.
async fn close(batch: Vec<Arc<Outbox>>, within: Duration) {
    for outbox in &batch {
        outbox.close_when_flushed(CloseReason::Draining);
    }
    let closed = async {
        while batch.iter().any(|outbox| outbox.closed().is_none()) {
            time::sleep(LOOK_EVERY).await;
        }
    };
    // Who has not taken it by now may find it where it comes back.
    let _ = time::timeout(within, closed).await;
    for outbox in &batch {
        outbox.close(CloseReason::Draining);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sessions_are_one_batch_and_many_are_seven() {
        assert_eq!(batch_size(0), 10);
        assert_eq!(batch_size(10), 10);
        assert_eq!(1_000_usize.div_ceil(batch_size(1_000)), 7);
        assert_eq!(1_001_usize.div_ceil(batch_size(1_001)), 7);
    }
}
