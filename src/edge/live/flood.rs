//! How many events one session may send. Pure: the time is given.
//!
//! A bucket of `limits.events_burst` permits, refilled by `limits.events_per_second`. What comes without a permit is
//! refused; a session that goes on so for five seconds is closed.

use std::time::Duration;

use tokio::time::Instant;

/// A flood that lasts so long ends its session.
const LASTS: Duration = Duration::from_secs(5);
/// So long without a refusal, and the flood is over.
const PAUSE: Duration = Duration::from_secs(1);

/// What becomes of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Admitted,
    Refused,
    /// The session is to be closed.
    Closed,
}

#[derive(Debug)]
pub(super) struct Flood {
    permits: f64,
    at: Instant,
    /// When the flood began, and its last refusal.
    refused: Option<(Instant, Instant)>,
}

impl Flood {
    pub(super) fn new(burst: u32, now: Instant) -> Self {
        Self {
            permits: burst.into(),
            at: now,
            refused: None,
        }
    }

    /// Judges one event.
    pub(super) fn judge(&mut self, per_second: u32, burst: u32, now: Instant) -> Passage {
        self.permits = (self.permits + (now - self.at).as_secs_f64() * f64::from(per_second))
            .min(burst.into());
        self.at = now;
        if self.permits >= 1.0 {
            self.permits -= 1.0;
            return Passage::Admitted;
        }
        let since = match self.refused {
            Some((since, last)) if now - last < PAUSE => since,
            _ => now,
        };
        self.refused = Some((since, now));
        if now - since >= LASTS {
            Passage::Closed
        } else {
            Passage::Refused
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
        assert_eq!(
            judged[..3],
            [Passage::Admitted, Passage::Admitted, Passage::Admitted]
        );
        assert_eq!(judged[3], Passage::Refused);
        assert_eq!(flood.judge(10, 3, now + 101 * MS), Passage::Admitted);
        assert_eq!(flood.judge(10, 3, now + 102 * MS), Passage::Refused);
    }

    #[tokio::test]
    async fn who_goes_on_for_five_seconds_is_closed_and_who_pauses_is_not() {
        let start = Instant::now();
        let mut flood = Flood::new(1, start);
        let at = |flood: &mut Flood, ms| flood.judge(1, 1, start + ms * MS);
        assert_eq!(
            (0..4_900)
                .step_by(10)
                .filter(|ms| at(&mut flood, *ms) == Passage::Closed)
                .count(),
            0
        );
        assert_eq!(
            (4_900..5_200)
                .step_by(10)
                .filter(|ms| at(&mut flood, *ms) == Passage::Closed)
                .count(),
            19
        );
        let mut flood = Flood::new(1, start);
        for ms in (0..60_000).step_by(300).filter(|ms| ms % 3_000 < 1_500) {
            assert_ne!(at(&mut flood, ms), Passage::Closed, "{ms}");
        }
    }
}
