//! What a client cannot have read of what was written to it before its connection ended.
//!
//! A write that succeeded says nothing of whether anybody read it, and telling twice is as wrong as not telling. Two
//! things are proof: a poll that was answered and not followed by another one, and a connection that fell silent, which
//! has heard nothing since the ping that it did not answer. Everything else that was written counts as read.

use std::time::Duration;

use collabflow_actors::outbox::CloseReason;
use tokio::time::Instant;

/// Since when nothing that was written has been read; `None`: all of it was. `handed_out` is when the last poll was
/// answered, if none followed it.
pub(super) fn unheard_since(
    reason: CloseReason,
    now: Instant,
    ping_timeout: Duration,
    handed_out: Option<Instant>,
) -> Option<Instant> {
    let silent_since = (reason == CloseReason::PingTimeout)
        .then(|| now.checked_sub(ping_timeout))
        .flatten();
    [silent_since, handed_out].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_silence_and_an_unfollowed_poll_prove_that_something_was_not_read() {
        let now = Instant::now() + Duration::from_secs(60);
        let s = Duration::from_secs;
        let since = |reason, handed_out| unheard_since(reason, now, s(20), handed_out);
        assert_eq!(since(CloseReason::PeerClosed, None), None);
        assert_eq!(since(CloseReason::ConnectionLost, None), None);
        assert_eq!(since(CloseReason::PingTimeout, None), Some(now - s(20)));
        assert_eq!(
            since(CloseReason::ConnectionLost, Some(now - s(1))),
            Some(now - s(1))
        );
        assert_eq!(
            since(CloseReason::PingTimeout, Some(now - s(21))),
            Some(now - s(21))
        );
    }
}
