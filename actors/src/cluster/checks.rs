//! When to compare the rooms' places in their logs with the ends of these: a push can be lost, and nothing is known of the
//! hole until the next one comes.
//!
//! Only what others append can be missed: a node looks while it knows of others, and once more when it knew of some. It
//! costs one call for every [`ROOMS_MAX`] rooms, which reads a field for each, every [`EVERY`]: nothing where nobody is
//! connected, as there are no rooms then, and nothing for a node that is alone, however many clients it has.

use std::time::Duration;

use tokio::time::Instant;

use crate::key::RoomKey;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(40);
/// Rooms that one call asks about: Redis does nothing else meanwhile.
const ROOMS_MAX: usize = 512;

#[derive(Debug)]
pub(super) struct Checks {
    last: Instant,
    were_others: bool,
    /// The last stamp that was given when somebody looked.
    stamp: u64,
}

impl Checks {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            last: now,
            were_others: false,
            stamp: 0,
        }
    }

    /// Which rooms to ask about now, call by call.
    pub(super) fn take_due(
        &mut self,
        is_alone: bool,
        rooms: impl FnOnce() -> Vec<RoomKey>,
        now: Instant,
    ) -> Vec<Vec<RoomKey>> {
        if now < self.last + EVERY {
            return Vec::new();
        }
        self.last = now;
        let were_others = std::mem::replace(&mut self.were_others, !is_alone);
        if is_alone && !were_others {
            return Vec::new();
        }
        rooms().chunks(ROOMS_MAX).map(<[_]>::to_vec).collect()
    }

    /// The last stamp that was given; whether what nodes remember together has been lost since the last look.
    pub(super) fn is_emptied(&mut self, stamp: u64) -> bool {
        std::mem::replace(&mut self.stamp, stamp) > stamp
    }
}

#[cfg(test)]
mod tests {
    use collabflow_protocol::id::{ChannelId, ObjectId};

    use super::*;

    fn rooms(count: usize) -> Vec<RoomKey> {
        let id = |n: usize| {
            let mut bytes = [0; 12];
            bytes[4..].copy_from_slice(&n.to_be_bytes());
            RoomKey::Chat(ChannelId(ObjectId::from_bytes(bytes)))
        };
        (0..count).map(id).collect()
    }

    #[tokio::test]
    async fn a_node_looks_every_forty_seconds_while_it_knows_of_others_and_once_more() {
        let now = Instant::now();
        let mut checks = Checks::new(now);
        let mut looks = |second: u64, is_alone| {
            let now = now + Duration::from_secs(second);
            checks.take_due(is_alone, || rooms(3), now).concat().len()
        };
        assert_eq!(looks(39, false), 0);
        assert_eq!(looks(40, false), 3);
        assert_eq!(looks(41, false), 0);
        assert_eq!(looks(80, true), 3, "it knew of some");
        assert_eq!(looks(120, true), 0);
        assert_eq!(looks(160, true), 0);
    }

    #[tokio::test]
    async fn where_nobody_is_connected_nothing_is_asked() {
        let now = Instant::now();
        let calls = Checks::new(now).take_due(false, Vec::new, now + EVERY);
        assert!(calls.is_empty());
    }

    #[tokio::test]
    async fn many_rooms_are_asked_about_in_several_calls() {
        let now = Instant::now();
        let calls = Checks::new(now).take_due(false, || rooms(ROOMS_MAX + 1), now + EVERY);
        let sizes: Vec<_> = calls.iter().map(Vec::len).collect();
        assert_eq!(sizes, [ROOMS_MAX, 1]);
    }

    #[tokio::test]
    async fn a_clock_that_goes_back_was_lost() {
        let mut checks = Checks::new(Instant::now());
        assert!(!checks.is_emptied(5));
        assert!(!checks.is_emptied(5));
        assert!(checks.is_emptied(0));
        assert!(!checks.is_emptied(3));
    }
}
