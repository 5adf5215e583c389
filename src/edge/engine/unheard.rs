//! What a client cannot have read of what was written to it just before its connection ended.
//!
//! A write that succeeded says nothing of whether anybody read it. If the other side closed the connection at a time t,
//! we learn of it half a round trip later, and what we wrote within half a round trip before t arrived after it: so
//! everything that was written less than one round trip before we learnt of the end came too late. Where it did, the
//! other side's system answers our bytes with a reset; where it never resets, everything was read. A connection that
//! fell silent (no pong in time) heard nothing after our last ping.

use std::time::Duration;

use collabflow_actors::outbox::CloseReason;
use tokio::time::Instant;

/// How long the reset that belongs to an end may take to arrive.
pub(super) const SETTLES_WITHIN: Duration = Duration::from_millis(20);

/// How an end came about.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) reason: CloseReason,
    pub(super) at: Instant,
    /// The other side has closed its side, and nothing was left unread.
    pub(super) is_orderly: bool,
}

/// Since when nothing that was written has been read; `None`: all of it was.
pub(super) fn unheard_since(
    end: End,
    round_trip: Duration,
    handed_out: Option<Instant>,
    silence: Duration,
) -> Option<Instant> {
    if handed_out.is_some() {
        return handed_out;
    }
    match end.reason {
        CloseReason::PingTimeout => end.at.checked_sub(silence),
        _ if end.is_orderly => None,
        _ => end.at.checked_sub(round_trip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_came_too_late_was_not_heard() {
        let at = Instant::now() + Duration::from_secs(60);
        let ms = Duration::from_millis;
        let end = |reason, is_orderly| End {
            reason,
            at,
            is_orderly,
        };
        let since = |end| unheard_since(end, ms(30), None, ms(20_000));
        assert_eq!(since(end(CloseReason::PeerClosed, true)), None);
        assert_eq!(
            since(end(CloseReason::PeerClosed, false)),
            Some(at - ms(30))
        );
        assert_eq!(
            since(end(CloseReason::PingTimeout, false)),
            Some(at - ms(20_000))
        );
        let handed_out = Some(at - ms(5));
        assert_eq!(
            unheard_since(
                end(CloseReason::PeerClosed, true),
                ms(30),
                handed_out,
                ms(1)
            ),
            handed_out
        );
    }
}
