//! What the task of a connection does for its writing side: frames go out by themselves, as long as the socket takes them.

use std::time::Duration;

use collabflow_actors::outbox::{CloseReason, Outbox};
use tokio::net::tcp::OwnedWriteHalf;

/// Goes on writing when a socket that was full has room again; ends when the outbox is closed.
pub(in crate::edge) async fn write_on(outbox: &Outbox, writer: &OwnedWriteHalf) -> CloseReason {
    loop {
        if let Some(reason) = outbox.closed() {
            return reason;
        }
        let Some(blocked) = outbox.blocked_for() else {
            outbox.changed().await;
            continue;
        };
        let patience = outbox.stall_max().saturating_sub(blocked);
        // Boxed, as few connections ever need it.
        let has_room = Box::pin(async {
            tokio::select! {
                () = outbox.changed() => None,
                has_room = until_room(writer, patience) => Some(has_room),
            }
        });
        match has_room.await {
            Some(true) => outbox.resume(),
            Some(false) => return CloseReason::OutboxStalled,
            None => {}
        }
    }
}

/// Waits until the socket has room again; false where it took too long.
async fn until_room(writer: &OwnedWriteHalf, patience: Duration) -> bool {
    let writable = tokio::time::timeout(patience, writer.writable());
    matches!(writable.await, Ok(Ok(())))
}

/// Whether the other side can be expected to answer the end with its own.
pub(in crate::edge) const fn is_answered(reason: CloseReason) -> bool {
    !matches!(
        reason,
        CloseReason::ConnectionLost
            | CloseReason::PingTimeout
            | CloseReason::OutboxFull
            | CloseReason::OutboxStalled
    )
}
