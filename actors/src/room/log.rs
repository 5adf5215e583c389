//! The room's log, where its node is one of several: an entry is appended to it, and told by every node, this one too,
//! when it comes back. What comes twice is dropped, what is missing is read, and who cannot be told of it is told to reload.
//!
//! While the log is away the room tells its own members at once, keeps what it told, and appends that when the log is back.

mod behind;
mod follow;
mod own;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use collabflow_protocol::id::UserId;
use tokio::time::Instant;

use self::{
    behind::{Behind, Told},
    follow::Ahead,
    own::Own,
};
use super::message::RoomMessage;
use crate::{
    backplane::{EntryId, Position},
    cluster::RoomSays,
    id::NodeId,
    outbox::Mark,
};

/// How long an entry waits for the version that must be told before it; then it tells the task whole.
const ORDER_WAIT: Duration = Duration::from_secs(1);
/// Between two tries to append what is early.
const EARLY_AGAIN: Duration = Duration::from_millis(20);
/// Between two tries to reach a log that is away.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether there are other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    /// This node is one by itself.
    #[default]
    Alone,
    /// The backplane is there.
    Up,
    /// It is away.
    Down,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    link: Link,
    following: Following,
    /// The stamp of the last entry that was told, or the one after which the room began to follow.
    stamp: Option<u64>,
    /// It has told something since it was said last where its log ends.
    has_moved: bool,
    /// What is being told.
    telling: Telling,
    /// Who wants in before the room follows its log, or is to end it before it is told to its end.
    waiting: Vec<RoomMessage>,
    /// Entries of this node that were not told yet, in the order of their commits.
    own: VecDeque<Own>,
    /// Entries that came before one that is missing, by their offsets.
    ahead: BTreeMap<u64, Ahead>,
    /// A part of the log is being read.
    is_reading: bool,
    /// The log was away since it was read last.
    was_cut: bool,
    /// To which offset it was told when that began, and the entry there.
    read_from: (u64, Option<EntryId>),
    /// The last entry that was told, if any was since it is followed.
    last: Option<EntryId>,
    /// It could not be read.
    is_unread: bool,
    behind: Behind,
    /// The greatest stamp that one of these was given.
    behind_to: u64,
    told: Told,
    pub(super) present: PresentElsewhere,
    /// What other nodes have said of who is there while that was being read.
    pub(super) words: Vec<(NodeId, RoomSays)>,
    /// When something is tried again.
    again_at: Option<Instant>,
}

/// What is being told, as far as the log is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telling {
    /// Nothing of it.
    #[default]
    Beside,
    /// The entry with this stamp.
    Entry(u64),
    /// An entry that is not in the log yet.
    Here,
}

/// Who is present on other nodes is read anew when the log is back.
#[derive(Debug)]
pub(super) struct PresentElsewhere {
    /// It is not being read.
    pub(super) is_read: bool,
    /// When it is read once again.
    pub(super) again_at: Option<Instant>,
    /// Whom the last read did not find: their nodes may not have said yet that they are there.
    pub(super) missing: HashSet<(NodeId, UserId)>,
}

impl Default for PresentElsewhere {
    fn default() -> Self {
        Self {
            is_read: true,
            again_at: None,
            missing: HashSet::new(),
        }
    }
}

/// How far the room has told its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Following {
    /// Nobody here is in it.
    #[default]
    No,
    /// It begins to.
    Beginning,
    /// To this entry. A log that nobody has written to has no epoch yet.
    At(Position),
}

impl Log {
    /// As it is where there are other nodes.
    pub(crate) fn clustered(is_up: bool) -> Self {
        Self {
            link: if is_up { Link::Up } else { Link::Down },
            ..Self::default()
        }
    }

    /// Whether it is not known yet who is there on other nodes.
    pub(super) fn is_beginning(&self) -> bool {
        self.following == Following::Beginning || !self.present.is_read
    }

    /// Whether the room follows its log.
    pub(super) const fn follows(&self) -> bool {
        matches!(self.following, Following::At(_))
    }

    /// Whether there are other nodes.
    pub(super) fn is_clustered(&self) -> bool {
        self.link != Link::Alone
    }

    /// The stamp up to which the room has told its log, if it follows that.
    pub(super) const fn stamp(&self) -> Option<u64> {
        match self.following {
            Following::At(_) => self.stamp,
            Following::No | Following::Beginning => None,
        }
    }

    /// The log that the room follows, and the stamp up to which it has told it.
    pub(super) fn told_to(&self) -> Option<(&str, u64)> {
        match &self.following {
            Following::At(at) => Some((&at.epoch, self.stamp?)),
            Following::No | Following::Beginning => None,
        }
    }

    /// Whether something was told here that has no place in the log yet.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.link == Link::Down || !self.behind.is_empty()
    }

    /// How what is told now stands in the log.
    pub(super) const fn mark(&self) -> Mark {
        match (self.link, self.telling) {
            (_, Telling::Entry(stamp)) => Mark::At(stamp),
            (Link::Down, _) | (_, Telling::Here) => Mark::Away,
            (Link::Alone | Link::Up, Telling::Beside) => Mark::Beside,
        }
    }

    /// Whether nothing of this node's is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.own.is_empty() && self.behind.is_empty() && self.waiting.is_empty()
    }

    /// Whether there may be entries that were not told, or not appended.
    fn is_behind(&self) -> bool {
        let is_told = self.ahead.is_empty() && !self.behind.waits() && !self.is_unread;
        !is_told || !matches!(self.following, Following::At(_))
    }

    /// When something is to be tried again.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [self.again_at, self.present.again_at];
        deadlines.into_iter().flatten().min()
    }

    /// Whether what has this position was told, or whoever is here was told to reload after it.
    fn has_passed(&self, position: &Position) -> bool {
        let Following::At(at) = &self.following else {
            return false;
        };
        at.epoch == position.epoch && position.offset <= at.offset
    }

    /// What has not come to rest.
    #[cfg(test)]
    pub(crate) fn unrest(&self) -> Option<String> {
        let is_at_rest = self.is_quiet() && self.ahead.is_empty() && !self.is_beginning();
        (!is_at_rest).then(|| format!("{self:?}"))
    }

    fn try_again(&mut self, at: Instant) {
        self.again_at = Some(self.again_at.map_or(at, |earlier| earlier.min(at)));
    }
}

/// An entry as it came from the log.
type Payload = Bytes;
