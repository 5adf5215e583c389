//! When a large room is told who has come and gone: in a crush, as one list to each member instead of one event for each
//! user.
//!
//! What is not told yet is kept by user, with the point at which it changed; each session that was given the whole list
//! meanwhile is kept with the point at which it was. So it is known who knows what: nobody is told of a user twice, nor
//! that a user has left of whom it never heard, and whoever came and went unseen costs nothing.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use collabflow_protocol::id::UserId;
use tokio::time::Instant;

use super::effect::Audience;
use crate::id::SessionId;

/// A room that fewer may enter tells each change at once.
const LARGE: usize = 100;
/// How long nobody must have come or gone before the room is told: so long for each who may enter, within bounds.
const QUIET_EACH: Duration = Duration::from_micros(300);
const QUIET_MIN: Duration = Duration::from_millis(100);
const QUIET_MAX: Duration = Duration::from_millis(1_500);
/// In a crush that does not end, the room is told after so many times that long.
const QUIETS_MAX: u32 = 10;
/// Changes up to this are told one by one: the list of a large room is longer than they are.
const FEW: usize = 8;

/// What a room has to tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The user has come or gone, as presence says; these have not heard of it.
    One(UserId, Audience),
    /// Everybody is told who is there.
    Everybody,
}

#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// Users who may enter.
    size: usize,
    /// Counts the whole lists that were given while something waits to be told.
    point: usize,
    /// When each user came or went, in turns. One who is as before, in everybody's eyes, is not here.
    changes: BTreeMap<UserId, Vec<usize>>,
    /// Who was given the whole list, and when.
    informed: HashMap<SessionId, usize>,
    /// When the oldest of the changes came.
    since: Option<Instant>,
    /// When somebody last came or went.
    last: Option<Instant>,
    /// When everybody was last given the list.
    listed: Option<Instant>,
}

impl Crowd {
    /// So many users may enter.
    pub(crate) fn resize(&mut self, size: usize) {
        self.size = size;
    }

    /// A user has come or gone; true where that is to be told at once.
    pub(crate) fn change(&mut self, user: UserId, now: Instant) -> bool {
        let was_calm = self.last.is_none_or(|last| last + self.quiet() <= now);
        self.last = Some(now);
        if self.changes.is_empty() && (self.size < LARGE || was_calm) {
            return true;
        }
        self.since.get_or_insert(now);
        let changes = self.changes.entry(user).or_default();
        if changes.last() == Some(&self.point) {
            // It is as it was, and nobody has seen it otherwise.
            changes.pop();
        } else {
            changes.push(self.point);
        }
        if changes.is_empty() {
            self.changes.remove(&user);
            if self.changes.is_empty() {
                self.forget();
            }
        }
        false
    }

    /// A session is given the whole list.
    pub(crate) fn inform(&mut self, session: SessionId) {
        if !self.changes.is_empty() {
            self.informed.insert(session, self.point);
            self.point += 1;
        }
    }

    /// When something is to be told.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let (since, last) = (self.since?, self.last?);
        Some((last + self.quiet()).min(since + self.quiet() * QUIETS_MAX))
    }

    /// What is to be told by now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<News> {
        if self.next_deadline().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let calm = self.quiet() * QUIETS_MAX;
        let is_crush = self.listed.is_some_and(|listed| now < listed + calm);
        let news = if self.changes.len() > if is_crush { 1 } else { FEW } {
            self.listed = Some(now);
            vec![News::Everybody]
        } else {
            let changes = self.changes.iter();
            changes
                .map(|(user, changes)| News::One(*user, self.unaware(changes)))
                .collect()
        };
        self.forget();
        news
    }

    /// Nothing waits to be told any more.
    pub(crate) fn forget(&mut self) {
        self.changes.clear();
        self.informed.clear();
        self.since = None;
        self.point = 0;
    }

    /// Who does not know how these changes have ended.
    fn unaware(&self, changes: &[usize]) -> Audience {
        let is_odd = |count: usize| count % 2 == 1;
        let has_changed = is_odd(changes.len());
        let sessions = |aware: bool| {
            let informed = self.informed.iter().filter(|(_, point)| {
                let seen = changes.partition_point(|change| change <= *point);
                (is_odd(seen) == has_changed) == aware
            });
            informed.map(|(session, _)| *session).collect()
        };
        if has_changed {
            Audience::AllBut(sessions(true))
        } else {
            Audience::Only(sessions(false))
        }
    }

    fn quiet(&self) -> Duration {
        let size = u32::try_from(self.size).unwrap_or(u32::MAX);
        QUIET_EACH.saturating_mul(size).clamp(QUIET_MIN, QUIET_MAX)
    }
}

#[cfg(test)]
mod tests;
