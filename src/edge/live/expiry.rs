//! The life of a session's token. Pure: the time is given.
//!
//! A token ends by the clock on the wall, so that is what is looked at each time: a clock that is set, or a machine that
//! slept, puts nothing off for longer than the next look.

use std::time::Duration;

use collabflow_protocol::time::Timestamp;

/// How long before the end the client is told of it.
const NOTICE: Duration = Duration::from_secs(60);

/// When the token ends that a session lives by.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// `None`: never, or nobody minds.
    at: Option<Timestamp>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Untold,
    Told,
    Expired,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Never,
    /// Nothing for so long.
    In(Duration),
    /// The client is to be told when its token ends. Counts as done.
    Expiring(Timestamp),
    /// The token has ended.
    Expired(Timestamp),
}

impl Expiry {
    /// The session lives by a token that ends then, and by no earlier one.
    pub(super) fn set(&mut self, at: Option<Timestamp>) {
        *self = Self {
            at,
            stage: Stage::Untold,
        };
    }

    /// What is due now.
    pub(super) fn due(&mut self, now: Timestamp) -> Due {
        let Some(at) = self.at else {
            return Due::Never;
        };
        let left = left(at, now);
        if left.is_zero() {
            self.stage = Stage::Expired;
            return Due::Expired(at);
        }
        if self.stage != Stage::Untold {
            return Due::In(left);
        }
        let until_notice = left.saturating_sub(NOTICE);
        if !until_notice.is_zero() {
            return Due::In(until_notice);
        }
        self.stage = Stage::Told;
        Due::Expiring(at)
    }

    /// The token was seen to have ended.
    pub(super) fn has_expired(&self) -> bool {
        self.stage == Stage::Expired
    }
}

fn left(at: Timestamp, now: Timestamp) -> Duration {
    let millis = at.millis().saturating_sub(now.millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(NOW + seconds * 1_000).expect("a year with four digits")
    }

    fn until(seconds: i64) -> Expiry {
        let mut expiry = Expiry::default();
        expiry.set(Some(at(seconds)));
        expiry
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_client_is_told_a_minute_ahead_once_and_the_end_comes_to_the_millisecond() {
        let mut expiry = until(100);
        assert_eq!(expiry.due(at(0)), Due::In(secs(40)));
        assert_eq!(expiry.due(at(39)), Due::In(secs(1)));
        assert_eq!(expiry.due(at(40)), Due::Expiring(at(100)));
        assert_eq!(expiry.due(at(40)), Due::In(secs(60)));
        let eve = Timestamp::from_millis(at(100).millis() - 1).expect("a date");
        assert_eq!(expiry.due(eve), Due::In(Duration::from_millis(1)));
        assert!(!expiry.has_expired());
        assert_eq!(expiry.due(at(100)), Due::Expired(at(100)));
        assert!(expiry.has_expired());
    }

    #[test]
    fn a_token_with_less_than_a_minute_left_is_told_of_at_once() {
        let mut expiry = until(5);
        assert_eq!(expiry.due(at(0)), Due::Expiring(at(5)));
        assert_eq!(expiry.due(at(0)), Due::In(secs(5)));
    }

    #[test]
    fn a_token_that_has_ended_already_is_not_told_of_first() {
        assert_eq!(until(-1).due(at(0)), Due::Expired(at(-1)));
        assert_eq!(until(0).due(at(0)), Due::Expired(at(0)));
    }

    #[test]
    fn a_fresh_token_cancels_the_old_end_and_is_told_of_in_its_turn() {
        let mut expiry = until(10);
        assert_eq!(expiry.due(at(0)), Due::Expiring(at(10)));
        expiry.set(Some(at(200)));
        assert_eq!(expiry.due(at(10)), Due::In(secs(130)));
        assert_eq!(expiry.due(at(140)), Due::Expiring(at(200)));
        expiry.set(None);
        assert_eq!(expiry.due(at(500)), Due::Never);
    }

    #[test]
    fn a_token_without_an_end_never_ends() {
        assert_eq!(Expiry::default().due(at(0)), Due::Never);
    }

    #[test]
    fn the_end_of_all_years_is_no_trouble() {
        let last = Timestamp::parse("9999-12-31T23:59:59.999Z").expect("a date");
        let mut expiry = Expiry::default();
        expiry.set(Some(last));
        assert!(matches!(expiry.due(at(0)), Due::In(left) if left > secs(200_000_000_000)));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_tell_twice() {
        let mut expiry = until(30);
        assert_eq!(expiry.due(at(0)), Due::Expiring(at(30)));
        assert_eq!(expiry.due(at(-3_600)), Due::In(secs(3_630)));
    }
}
