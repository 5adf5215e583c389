//! When to ping, and when to give up. Pure: the time is given.
//!
//! The server pings `ping_interval` after the last pong, and gives up where no pong comes within `ping_timeout`; other
//! traffic proves nothing (Engine.IO 4).

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(in crate::edge) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    beat: Beat,
    connect_timeout: Duration,
    /// When a connection that is in no namespace is closed.
    connect_by: Option<Instant>,
}

#[derive(Debug)]
enum Beat {
    PingAt(Instant),
    Pinged { at: Instant, pong_by: Instant },
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing before this.
    At(Instant),
    Ping,
    PingTimeout,
    ConnectTimeout,
}

impl Heartbeat {
    pub(in crate::edge) fn new(
        interval: Duration,
        timeout: Duration,
        connect_timeout: Duration,
        now: Instant,
    ) -> Self {
        Self {
            interval,
            timeout,
            beat: Beat::PingAt(now + interval),
            connect_timeout,
            connect_by: Some(now + connect_timeout),
        }
    }

    /// What is due now. A ping that is due counts as sent.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        if self.connect_by.is_some_and(|by| by <= now) {
            return Due::ConnectTimeout;
        }
        let next = match self.beat {
            Beat::PingAt(at) if at <= now => {
                self.beat = Beat::Pinged {
                    at: now,
                    pong_by: now + self.timeout,
                };
                return Due::Ping;
            }
            Beat::Pinged { pong_by, .. } if pong_by <= now => return Due::PingTimeout,
            Beat::PingAt(at) => at,
            // No pong wakes who waits for this: the next ping may be due before the patience for this one ends.
            Beat::Pinged { pong_by, .. } => pong_by.min(now + self.interval),
        };
        Due::At(self.connect_by.map_or(next, |by| by.min(next)))
    }

    /// A pong has come, or the transport has changed under the ping, which then needs no answer. Gives the time of the
    /// ping, if there was one.
    pub(super) fn pong(&mut self, now: Instant) -> Option<Instant> {
        let pinged = self.unanswered()?;
        self.beat = Beat::PingAt(now + self.interval);
        Some(pinged)
    }

    /// When the ping was sent that is not answered yet.
    pub(super) const fn unanswered(&self) -> Option<Instant> {
        match self.beat {
            Beat::Pinged { at, .. } => Some(at),
            Beat::PingAt(_) => None,
        }
    }

    /// A namespace was joined.
    pub(super) fn connected(&mut self) {
        self.connect_by = None;
    }

    /// The namespace was left again.
    pub(super) fn disconnected(&mut self, now: Instant) {
        self.connect_by = Some(now + self.connect_timeout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn the_next_ping_is_an_interval_after_the_last_pong() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(25 * S, 20 * S, 45 * S, start);
        heart.connected();
        assert_eq!(heart.due(start), Due::At(start + 25 * S));
        assert_eq!(heart.due(start + 25 * S), Due::Ping);
        assert_eq!(heart.due(start + 25 * S), Due::At(start + 45 * S));
        assert_eq!(heart.pong(start + 30 * S), Some(start + 25 * S));
        assert_eq!(heart.pong(start + 31 * S), None, "one pong is enough");
        assert_eq!(heart.due(start + 45 * S), Due::At(start + 55 * S));
        assert_eq!(heart.due(start + 55 * S), Due::Ping);
        assert_eq!(heart.due(start + 75 * S), Due::PingTimeout);
    }

    #[tokio::test]
    async fn patience_longer_than_the_interval_does_not_delay_the_next_ping() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(3 * S, 20 * S, 45 * S, start);
        heart.connected();
        assert_eq!(heart.due(start + 3 * S), Due::Ping);
        assert_eq!(heart.due(start + 3 * S), Due::At(start + 6 * S));
        assert!(heart.pong(start + 4 * S).is_some());
        assert_eq!(heart.due(start + 6 * S), Due::At(start + 7 * S));
        assert_eq!(heart.due(start + 7 * S), Due::Ping);
        assert_eq!(heart.due(start + 26 * S), Due::At(start + 27 * S));
        assert_eq!(heart.due(start + 27 * S), Due::PingTimeout);
    }

    #[tokio::test]
    async fn a_connection_without_a_namespace_is_closed_in_time() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(25 * S, 20 * S, 10 * S, start);
        assert_eq!(heart.due(start), Due::At(start + 10 * S));
        assert_eq!(heart.due(start + 10 * S), Due::ConnectTimeout);
        heart.connected();
        assert_eq!(heart.due(start + 10 * S), Due::At(start + 25 * S));
        heart.disconnected(start + 12 * S);
        assert_eq!(heart.due(start + 12 * S), Due::At(start + 22 * S));
        assert_eq!(heart.due(start + 22 * S), Due::ConnectTimeout);
    }

    #[tokio::test]
    async fn a_ping_that_an_upgrade_has_overtaken_needs_no_pong() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(S, S, 45 * S, start);
        assert_eq!(heart.due(start + S), Due::Ping);
        assert_eq!(heart.pong(start + S), Some(start + S));
        assert_eq!(heart.due(start + S), Due::At(start + 2 * S));
    }
}
