//! Sessions that are away, until it has been for too long. Of one user's, no more than some are kept: the first that went
//! is given up for the next.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
    time::Duration,
};

use collabflow_protocol::id::UserId;
use tokio::time::Instant;

use crate::session::entry::SessionEntry;

/// So many sessions of one user are kept. More tabs than anybody has, and no reward for coming and going all the time.
pub(super) const AWAY_MAX: usize = 32;

/// Those that have come back meanwhile are nobody's any more, and are not held by this.
#[derive(Debug)]
pub(super) struct Away {
    window: Duration,
    /// In the order of their going.
    queue: VecDeque<(Instant, UserId, Weak<SessionEntry>)>,
    of_user: HashMap<UserId, VecDeque<Weak<SessionEntry>>>,
}

impl Away {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            queue: VecDeque::new(),
            of_user: HashMap::new(),
        }
    }

    /// A session is away from now on. The answer is the one to be given up for it, if there is one.
    pub(super) fn add(
        &mut self,
        entry: &Arc<SessionEntry>,
        now: Instant,
    ) -> Option<Arc<SessionEntry>> {
        let (user, entry) = (entry.user_id(), Arc::downgrade(entry));
        let known = self.of_user.get(&user).into_iter().flatten();
        if known.into_iter().any(|known| known.ptr_eq(&entry)) {
            return None;
        }
        let until = now + self.window;
        self.queue.push_back((until, user, Weak::clone(&entry)));
        let sessions = self.of_user.entry(user).or_default();
        sessions.retain(is_away);
        sessions.push_back(entry);
        let is_one_too_many = sessions.len() > AWAY_MAX;
        is_one_too_many.then(|| sessions.pop_front()?.upgrade())?
    }

    /// Those that have been away for too long.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Arc<SessionEntry>> {
        let mut due = Vec::new();
        while let Some((_, user, entry)) = self.queue.pop_front_if(|(until, ..)| *until <= now) {
            if let Some(sessions) = self.of_user.get_mut(&user) {
                sessions.retain(|other| !other.ptr_eq(&entry) && is_away(other));
                if sessions.is_empty() {
                    self.of_user.remove(&user);
                }
            }
            due.extend(entry.upgrade());
        }
        due
    }

    /// When [`Self::take_due`] is wanted next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.queue.front().map(|(until, ..)| *until)
    }
}

fn is_away(entry: &Weak<SessionEntry>) -> bool {
    entry.upgrade().is_some_and(|entry| entry.is_away())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::fixture::session;

    const WINDOW: Duration = Duration::from_secs(120);

    fn gone(user: u8) -> Arc<SessionEntry> {
        let entry = session(user);
        entry.outbox.keep_log(0);
        entry.end(true);
        assert!(entry.is_away());
        entry
    }

    #[tokio::test]
    async fn the_first_that_went_is_given_up_for_one_too_many_of_a_user() {
        let (mut away, now) = (Away::new(WINDOW), Instant::now());
        let sessions: Vec<_> = (0..=AWAY_MAX).map(|_| gone(1)).collect();
        let given_up: Vec<_> = sessions
            .iter()
            .map(|entry| away.add(entry, now).map(|entry| entry.id))
            .collect();
        assert!(given_up[..AWAY_MAX].iter().all(Option::is_none));
        assert_eq!(given_up[AWAY_MAX], Some(sessions[0].id));
        assert!(away.add(&gone(2), now).is_none(), "others have their own");
    }

    #[tokio::test]
    async fn those_that_are_back_make_room_and_are_not_held() {
        let (mut away, now) = (Away::new(WINDOW), Instant::now());
        for _ in 0..AWAY_MAX {
            let entry = gone(1);
            assert!(away.add(&entry, now).is_none());
            entry.yield_place();
        }
        assert!(away.add(&gone(1), now).is_none());
        assert!(
            away.queue
                .iter()
                .all(|(.., entry)| entry.strong_count() == 0)
        );
        assert!(away.take_due(now + WINDOW).is_empty());
        assert!(away.of_user.is_empty());
    }

    #[tokio::test]
    async fn each_is_due_when_its_time_is_over() {
        let (mut away, now) = (Away::new(WINDOW), Instant::now());
        let (first, second) = (gone(1), gone(1));
        away.add(&first, now);
        away.add(&second, now + WINDOW / 2);
        assert_eq!(away.next_deadline(), Some(now + WINDOW));
        assert!(away.take_due(now + WINDOW / 2).is_empty());
        let ids =
            |due: Vec<Arc<SessionEntry>>| due.iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(away.take_due(now + WINDOW)), [first.id]);
        assert_eq!(ids(away.take_due(now + 2 * WINDOW)), [second.id]);
        assert_eq!(away.next_deadline(), None);
    }
}
