//! How much one connection may say. Pure: the time is given.
//!
//! A bucket of `limits.events_burst` permits, refilled by `limits.events_per_second`. What comes without a permit is
//! refused; a connection that goes on so for five seconds is closed. Events have one bucket, and everything else that
//! costs something has another, so that no heartbeat takes an event's permit. They are the connection's: a session
//! that ends and begins again on it fills none.

use std::time::Duration;

use collabflow_actors::outbox::CloseReason;
use tokio::time::Instant;

use crate::edge::engine::Settings;

/// A flood that lasts so long ends its session.
const LASTS: Duration = Duration::from_secs(5);
/// So long without a refusal, and the flood is over.
const PAUSE: Duration = Duration::from_secs(1);

/// What becomes of what has come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Passage {
    Admitted,
    Refused,
}

/// What one connection may still say.
#[derive(Debug)]
pub(in crate::edge) struct Allowance {
    events: Flood,
    others: Flood,
}

impl Allowance {
    pub(in crate::edge) fn new(settings: &Settings) -> Self {
        let full = || Flood::new(settings.events_burst, Instant::now());
        Self {
            events: full(),
            others: full(),
        }
    }

    /// Judges an event.
    pub(super) fn event(&mut self, settings: &Settings) -> Result<Passage, CloseReason> {
        self.events.judge_now(settings)
    }

    /// Judges whatever else is said.
    pub(in crate::edge) fn other(&mut self, settings: &Settings) -> Result<Passage, CloseReason> {
        self.others.judge_now(settings)
    }
}

#[derive(Debug)]
struct Flood {
    permits: f64,
    at: Instant,
    /// When the flood began, and its last refusal.
    refused: Option<(Instant, Instant)>,
}

impl Flood {
    fn new(burst: u32, now: Instant) -> Self {
        Self {
            permits: burst.into(),
            at: now,
            refused: None,
        }
    }

    fn judge_now(&mut self, settings: &Settings) -> Result<Passage, CloseReason> {
        let (per_second, burst) = (settings.events_per_second, settings.events_burst);
        self.judge(per_second, burst, Instant::now())
    }

    /// Judges one message; an error, where the connection is to be closed.
    fn judge(&mut self, per_second: u32, burst: u32, now: Instant) -> Result<Passage, CloseReason> {
        self.permits = (self.permits + (now - self.at).as_secs_f64() * f64::from(per_second))
            .min(burst.into());
        self.at = now;
        if self.permits >= 1.0 {
            self.permits -= 1.0;
            return Ok(Passage::Admitted);
        }
        let since = match self.refused {
            Some((since, last)) if now - last < PAUSE => since,
            _ => now,
        };
        self.refused = Some((since, now));
        if now - since >= LASTS {
            Err(CloseReason::Flood)
        } else {
            Ok(Passage::Refused)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_burst_is_admitted_and_then_so_many_a_second() {
        let now = Instant::now();
        let mut flood = Flood::new(3, now);
        let judged: Vec<_> = (0..4).map(|_| flood.judge(10, 3, now)).collect();
        assert_eq!(judged[..3], [Ok(Passage::Admitted); 3]);
        assert_eq!(judged[3], Ok(Passage::Refused));
        assert_eq!(flood.judge(10, 3, now + 101 * MS), Ok(Passage::Admitted));
        assert_eq!(flood.judge(10, 3, now + 102 * MS), Ok(Passage::Refused));
    }

    #[tokio::test]
    async fn who_goes_on_for_five_seconds_is_closed_and_who_pauses_is_not() {
        let start = Instant::now();
        let mut flood = Flood::new(1, start);
        let at = |flood: &mut Flood, ms| flood.judge(1, 1, start + ms * MS);
        assert_eq!(
            (0..4_900)
                .step_by(10)
                .filter(|ms| at(&mut flood, *ms) == Err(CloseReason::Flood))
                .count(),
            0
        );
        assert_eq!(
            (4_900..5_200)
                .step_by(10)
                .filter(|ms| at(&mut flood, *ms) == Err(CloseReason::Flood))
                .count(),
            19
        );
        let mut flood = Flood::new(1, start);
        for ms in (0..60_000).step_by(300).filter(|ms| ms % 3_000 < 1_500) {
            assert!(at(&mut flood, ms).is_ok(), "{ms}");
        }
    }
}
