//! How often somebody may do something: a bucket of permits for each, refilled evenly.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Full buckets are thrown away once there are so many; who comes back starts with a full one anyway.
const SWEEP_MIN: usize = 1_024;

/// Permits for each key.
pub(super) struct RateLimit<K> {
    per_second: f64,
    burst: f64,
    buckets: Mutex<Buckets<K>>,
}

struct Buckets<K> {
    by_key: HashMap<K, Bucket>,
    sweep_at: usize,
}

struct Bucket {
    permits: f64,
    at: Instant,
}

impl<K: Eq + Hash> RateLimit<K> {
    /// `burst` permits at once, and `per_second` in the long run.
    pub(super) fn new(per_second: f64, burst: u32) -> Self {
        let buckets = Buckets {
            by_key: HashMap::new(),
            sweep_at: SWEEP_MIN,
        };
        Self {
            per_second,
            burst: burst.into(),
            buckets: Mutex::new(buckets),
        }
    }

    /// Takes a permit, or says how long to wait for one.
    pub(super) fn take(&self, key: K) -> Result<(), Duration> {
        self.take_at(key, Instant::now())
    }

    fn take_at(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.by_key.len() >= buckets.sweep_at {
            buckets
                .by_key
                .retain(|_, bucket| self.filled(bucket, now) < self.burst);
            buckets.sweep_at = SWEEP_MIN.max(buckets.by_key.len() * 2);
        }
        let bucket = buckets.by_key.entry(key).or_insert(Bucket {
            permits: self.burst,
            at: now,
        });
        let permits = self.filled(bucket, now);
        let is_granted = permits >= 1.0;
        *bucket = Bucket {
            permits: if is_granted { permits - 1.0 } else { permits },
            at: now,
        };
        if is_granted {
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - permits) / self.per_second))
        }
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.permits + since * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_rate_holds() {
        let (limit, start) = (RateLimit::new(2.0, 3), Instant::now());
        for _ in 0..3 {
            assert_eq!(limit.take_at("ada", start), Ok(()));
        }
        assert_eq!(limit.take_at("ada", start), Err(Duration::from_millis(500)));
        assert_eq!(
            limit.take_at("ada", start + Duration::from_millis(500)),
            Ok(())
        );
        assert!(
            limit
                .take_at("ada", start + Duration::from_millis(600))
                .is_err()
        );
    }

    #[test]
    fn one_key_does_not_cost_another() {
        let (limit, now) = (RateLimit::new(1.0, 1), Instant::now());
        assert!(limit.take_at("ada", now).is_ok());
        assert!(limit.take_at("ada", now).is_err());
        assert!(limit.take_at("ben", now).is_ok());
    }

    #[test]
    fn full_buckets_are_thrown_away_and_the_others_kept() {
        let (limit, start) = (RateLimit::new(1.0, 2), Instant::now());
        // The first takes both of its permits, and has one back a second later; the others are full then.
        for key in iter::once(0).chain(0..SWEEP_MIN) {
            assert!(limit.take_at(key, start).is_ok());
        }
        assert!(
            limit
                .take_at(SWEEP_MIN, start + Duration::from_secs(1))
                .is_ok()
        );
        let buckets = limit.buckets.lock().expect("nobody panicked");
        assert!(buckets.by_key.len() == 2 && buckets.by_key.contains_key(&0));
    }
}
