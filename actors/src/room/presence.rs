//! Who is present in a room: users, not connections.
//!
//! A user is present from its first session's coming until its last one has left, or has been gone for the grace.

use std::{collections::HashMap, sync::Arc, time::Duration};

use collabflow_protocol::{id::UserId, model::UserBrief};
use tokio::time::Instant;

use super::Departure;

#[derive(Debug)]
pub(crate) struct Presence {
    grace: Duration,
    users: HashMap<UserId, Present>,
    /// Users without a session left, and when they will have left.
    leaving: HashMap<UserId, Instant>,
}

#[derive(Debug)]
struct Present {
    user: Arc<UserBrief>,
    sessions: usize,
    /// Until when the session that was dropped last may be back.
    back_by: Option<Instant>,
}

impl Presence {
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            grace,
            users: HashMap::new(),
            leaving: HashMap::new(),
        }
    }

    /// A session of the user has come; true where that makes the user present.
    pub(crate) fn arrive(&mut self, user: &Arc<UserBrief>) -> bool {
        let mut is_new = false;
        let present = self.users.entry(user.id).or_insert_with(|| {
            is_new = true;
            Present {
                user: Arc::clone(user),
                sessions: 0,
                back_by: None,
            }
        });
        present.sessions += 1;
        present.user = Arc::clone(user);
        present.back_by = None;
        self.leaving.remove(&user.id);
        is_new
    }

    /// A session of the user has gone; true where the user has left with it.
    pub(crate) fn depart(&mut self, user: UserId, how: Departure, now: Instant) -> bool {
        let Some(present) = self.users.get_mut(&user) else {
            return false;
        };
        present.sessions = present.sessions.saturating_sub(1);
        if how == Departure::Dropped {
            present.back_by = Some(now + self.grace);
        }
        if present.sessions > 0 {
            return false;
        }
        // A leave in one tab does not end the grace of another.
        match present.back_by.filter(|at| *at > now) {
            Some(back_by) => {
                self.leaving.entry(user).or_insert(back_by);
                false
            }
            None => self.remove(user),
        }
    }

    /// The user has another name or email from now on.
    pub(crate) fn rename(&mut self, user: Arc<UserBrief>) {
        if let Some(present) = self.users.get_mut(&user.id) {
            present.user = user;
        }
    }

    /// The user may not be present any more; true where it was.
    pub(crate) fn remove(&mut self, user: UserId) -> bool {
        self.leaving.remove(&user);
        self.users.remove(&user).is_some()
    }

    /// Takes out the users whose grace is over.
    pub(crate) fn take_gone(&mut self, now: Instant) -> Vec<UserId> {
        let gone: Vec<UserId> = self
            .leaving
            .extract_if(|_, at| *at <= now)
            .map(|(user, _)| user)
            .collect();
        gone.iter().for_each(|user| drop(self.users.remove(user)));
        gone
    }

    /// When the next grace is over.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.leaving.values().min().copied()
    }

    pub(crate) fn users(&self) -> Vec<UserId> {
        self.users.keys().copied().collect()
    }

    /// The user, if present.
    pub(crate) fn brief(&self, user: UserId) -> Option<Arc<UserBrief>> {
        self.users
            .get(&user)
            .map(|present| Arc::clone(&present.user))
    }

    pub(crate) fn briefs(&self) -> Vec<Arc<UserBrief>> {
        self.users
            .values()
            .map(|present| Arc::clone(&present.user))
            .collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.users.clear();
        self.leaving.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::fixture::user;

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn two_tabs_are_one_presence() {
        let (mut presence, now, ada) = (Presence::new(GRACE), Instant::now(), user(1));
        assert!(presence.arrive(&ada));
        assert!(!presence.arrive(&ada));
        assert!(!presence.depart(ada.id, Departure::Left, now));
        assert!(presence.depart(ada.id, Departure::Left, now));
        assert!(presence.is_empty());
    }

    #[tokio::test]
    async fn a_drop_that_is_back_within_the_grace_is_neither_left_nor_joined() {
        let (mut presence, now, ada) = (Presence::new(GRACE), Instant::now(), user(1));
        presence.arrive(&ada);
        assert!(!presence.depart(ada.id, Departure::Dropped, now));
        assert_eq!(presence.next_deadline(), Some(now + GRACE));
        assert!(!presence.arrive(&ada));
        assert!(presence.take_gone(now + GRACE).is_empty());
    }

    #[tokio::test]
    async fn a_leave_in_one_tab_does_not_end_the_grace_of_another() {
        let (mut presence, now, ada) = (Presence::new(GRACE), Instant::now(), user(1));
        presence.arrive(&ada);
        presence.arrive(&ada);
        assert!(!presence.depart(ada.id, Departure::Dropped, now));
        let later = now + Duration::from_secs(1);
        assert!(!presence.depart(ada.id, Departure::Left, later));
        assert_eq!(presence.next_deadline(), Some(now + GRACE));
        assert!(!presence.arrive(&ada), "back within the grace");
        assert!(presence.depart(ada.id, Departure::Left, later));
    }

    #[tokio::test]
    async fn a_drop_that_is_not_back_has_left_when_the_grace_is_over() {
        let (mut presence, now, ada) = (Presence::new(GRACE), Instant::now(), user(1));
        presence.arrive(&ada);
        presence.depart(ada.id, Departure::Dropped, now);
        assert!(
            presence
                .take_gone(now + GRACE - Duration::from_millis(1))
                .is_empty()
        );
        assert_eq!(presence.take_gone(now + GRACE), [ada.id]);
        assert!(presence.arrive(&ada));
    }
}
