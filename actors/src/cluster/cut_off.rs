//! Nodes that are cut off from the backplane, and go on: what they store and tell their own clients, nobody else hears until
//! they are back. So that the others notice when one of them dies before that, it leaves marks in the store, again and
//! again, for as long as it has anything that it alone has told.
//!
//! The others look for marks while there may be any: for a while after the backplane is back, and after a node was lost.
//! Where nobody is cut off, nothing of this is written or read.

use std::{collections::HashMap, time::Duration};

use collabflow_protocol::time::Timestamp;
use tokio::time::Instant;

use crate::id::NodeId;

/// Between two marks, and between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// A node that has left no new mark for so many looks is dead.
const LOOKS: u32 = 4;
/// For how long marks are looked for when the backplane is back.
const AFTER_RETURN: Duration = Duration::from_secs(20);
/// And when a node was lost: it may only be cut off.
const AFTER_LOSS: Duration = Duration::from_mins(30);
/// How much the clocks of two nodes may differ.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct CutOff {
    own: Own,
    next_at: Instant,
    look_until: Instant,
    /// When this node began, by the clock of the wall.
    started: Timestamp,
    marks: HashMap<NodeId, Mark>,
}

/// What this node has to say of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    /// It is not cut off.
    Joined,
    CutOff,
    /// The backplane is back, and what was told here alone is on its way to the others.
    Settling,
}

/// The last mark of another node.
#[derive(Debug)]
struct Mark {
    at: Timestamp,
    /// When it was seen to be another one than before.
    changed: Instant,
    looks: u32,
}

/// What is to be done at the store now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) mark: bool,
    pub(super) look: bool,
}

impl CutOff {
    /// Of a node that has no backplane yet.
    pub(super) fn new(now: Instant, started: Timestamp) -> Self {
        Self {
            own: Own::CutOff,
            next_at: now + EVERY,
            look_until: now,
            started,
            marks: HashMap::new(),
        }
    }

    /// The backplane is gone.
    pub(super) fn begin(&mut self) {
        self.own = Own::CutOff;
    }

    /// The backplane is back.
    pub(super) fn end(&mut self, now: Instant) {
        self.own = Own::Settling;
        self.look_until = self.look_until.max(now + AFTER_RETURN);
    }

    /// What was told here alone was told to the others; whether that was the last of it.
    pub(super) fn settled(&mut self) -> bool {
        let is_last = self.own == Own::Settling;
        if is_last {
            self.own = Own::Joined;
        }
        is_last
    }

    /// A node was lost.
    pub(super) fn lost(&mut self, now: Instant) {
        self.look_until = self.look_until.max(now + AFTER_LOSS);
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Due {
        if now < self.next_at {
            return Due::default();
        }
        self.next_at = now + EVERY;
        Due {
            mark: self.own != Own::Joined,
            look: self.own != Own::CutOff && now < self.look_until,
        }
    }

    /// The marks that were found. The answer is the nodes that have died, cut off, and since when they have left no new one.
    pub(super) fn take_marks(
        &mut self,
        found: &[(NodeId, Timestamp)],
        now: Instant,
    ) -> Vec<(NodeId, Instant)> {
        let allowance = i64::try_from(CLOCKS_DIFFER.as_millis()).unwrap_or(i64::MAX);
        let began = self.started.millis().saturating_sub(allowance);
        self.marks
            .retain(|node, _| found.iter().any(|(marked, _)| marked == node));
        let mut dead = Vec::new();
        // What was stored before this node began, its clients have read.
        for (node, at) in found.iter().filter(|(_, at)| at.millis() >= began) {
            let mark = self.marks.entry(*node).or_insert(Mark {
                at: *at,
                changed: now,
                looks: 0,
            });
            if mark.at == *at {
                mark.looks = mark.looks.saturating_add(1);
            } else {
                *mark = Mark {
                    at: *at,
                    changed: now,
                    looks: 1,
                };
            }
            if mark.looks == LOOKS + 1 {
                dead.push((*node, mark.changed));
            }
        }
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(START + second * 1_000).expect("valid")
    }

    fn cut_off() -> (CutOff, Instant) {
        let now = Instant::now();
        (CutOff::new(now, at(0)), now)
    }

    #[tokio::test]
    async fn a_node_leaves_marks_while_it_is_cut_off_and_until_all_that_it_told_is_told_to_the_others()
     {
        let (mut cut_off, now) = cut_off();
        let marks =
            |cut_off: &mut CutOff, second| cut_off.take_due(now + Duration::from_secs(second)).mark;
        assert!(!marks(&mut cut_off, 1), "it has just begun");
        assert!(marks(&mut cut_off, 2));
        assert!(!marks(&mut cut_off, 3));
        cut_off.end(now);
        assert!(marks(&mut cut_off, 4));
        assert!(cut_off.settled());
        assert!(!marks(&mut cut_off, 6));
        cut_off.begin();
        assert!(marks(&mut cut_off, 8));
        assert!(!cut_off.settled(), "it is cut off again");
        assert!(marks(&mut cut_off, 10));
    }

    #[tokio::test]
    async fn marks_are_looked_for_when_there_may_be_any() {
        let (mut cut_off, now) = cut_off();
        let looks =
            |cut_off: &mut CutOff, second| cut_off.take_due(now + Duration::from_secs(second)).look;
        assert!(!looks(&mut cut_off, 2), "it is cut off itself");
        cut_off.end(now);
        cut_off.settled();
        assert!(looks(&mut cut_off, 4));
        assert!(!looks(&mut cut_off, 30));
        cut_off.lost(now + Duration::from_secs(30));
        assert!(looks(&mut cut_off, 32));
        assert!(!looks(&mut cut_off, 4_000));
    }

    #[tokio::test]
    async fn a_node_that_leaves_no_new_mark_is_dead_once() {
        let (mut cut_off, now) = cut_off();
        let node = NodeId::random();
        assert!(cut_off.take_marks(&[(node, at(10))], now).is_empty());
        let later = now + EVERY;
        for _ in 0..LOOKS {
            assert!(cut_off.take_marks(&[(node, at(12))], later).is_empty());
        }
        let dead = cut_off.take_marks(&[(node, at(12))], later + EVERY * LOOKS);
        assert_eq!(dead, [(node, later)]);
        assert!(cut_off.take_marks(&[(node, at(12))], later).is_empty());
    }

    #[tokio::test]
    async fn a_node_that_goes_on_or_is_back_is_not_dead() {
        let (mut cut_off, now) = cut_off();
        let [goes_on, back] = [(); 2].map(|()| NodeId::random());
        for second in 0..20 {
            let mut found = vec![(goes_on, at(second))];
            found.extend((second < 3).then_some((back, at(1))));
            assert!(cut_off.take_marks(&found, now).is_empty());
        }
    }

    #[tokio::test]
    async fn marks_from_before_this_node_began_are_nobody_s_concern() {
        let (mut cut_off, now) = cut_off();
        let old = (NodeId::random(), at(-61));
        for _ in 0..LOOKS * 2 {
            assert!(cut_off.take_marks(&[old], now).is_empty());
        }
    }
}
