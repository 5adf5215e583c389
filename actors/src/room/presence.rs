//! Who is present in a room: users, not connections.
//!
//! A user is present from its first session's coming until its last one has left, or has been gone for the grace; on
//! whichever node. Each node knows of the others' users what they say, and tells its own members.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use collabflow_protocol::{id::UserId, model::UserBrief};
use tokio::time::Instant;

use super::Departure;
use crate::id::NodeId;

#[derive(Debug)]
pub(crate) struct Presence {
    grace: Duration,
    users: HashMap<UserId, Present>,
    /// Users without a session left, and when they will have left.
    leaving: HashMap<UserId, Instant>,
    /// Users who are present on other nodes.
    elsewhere: HashMap<UserId, Elsewhere>,
}

#[derive(Debug)]
struct Elsewhere {
    user: Arc<UserBrief>,
    /// Never empty.
    nodes: HashSet<NodeId>,
}

/// What a session's coming has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Came {
    /// It is the user's first on this node.
    pub(crate) is_first_here: bool,
    /// The user was present on no node.
    pub(crate) is_new: bool,
}

/// What a session's going has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    /// The user is present here as before.
    Stays,
    /// The user is present on other nodes alone.
    FromHere,
    /// The user is present nowhere.
    Left,
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
            elsewhere: HashMap::new(),
        }
    }

    /// A session of the user has come.
    pub(crate) fn arrive(&mut self, user: &Arc<UserBrief>) -> Came {
        let mut is_first_here = false;
        let present = self.users.entry(user.id).or_insert_with(|| {
            is_first_here = true;
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
        Came {
            is_first_here,
            is_new: is_first_here && !self.elsewhere.contains_key(&user.id),
        }
    }

    /// A session of the user has gone; the answer is whether the user has left with it.
    pub(crate) fn depart(&mut self, user: UserId, how: Departure, now: Instant) -> Went {
        let Some(present) = self.users.get_mut(&user) else {
            return Went::Stays;
        };
        present.sessions = present.sessions.saturating_sub(1);
        if how == Departure::Dropped {
            present.back_by = Some(now + self.grace);
        }
        if present.sessions > 0 {
            return Went::Stays;
        }
        // A leave in one tab does not end the grace of another.
        match present.back_by.filter(|at| *at > now) {
            Some(back_by) => {
                self.leaving.entry(user).or_insert(back_by);
                Went::Stays
            }
            None => self.remove(user),
        }
    }

    /// The user has another name or email from now on; the answer is whether it is present here.
    pub(crate) fn rename(&mut self, user: &Arc<UserBrief>) -> bool {
        if let Some(elsewhere) = self.elsewhere.get_mut(&user.id) {
            elsewhere.user = Arc::clone(user);
        }
        let here = self.users.get_mut(&user.id);
        here.is_some_and(|present| {
            present.user = Arc::clone(user);
            true
        })
    }

    /// The user may not be present here any more.
    pub(crate) fn remove(&mut self, user: UserId) -> Went {
        self.leaving.remove(&user);
        if self.users.remove(&user).is_none() {
            Went::Stays
        } else if self.elsewhere.contains_key(&user) {
            Went::FromHere
        } else {
            Went::Left
        }
    }

    /// Takes out the users whose grace is over.
    pub(crate) fn take_gone(&mut self, now: Instant) -> Vec<(UserId, Went)> {
        let gone: Vec<UserId> = self
            .leaving
            .extract_if(|_, at| *at <= now)
            .map(|(user, _)| user)
            .collect();
        gone.into_iter()
            .map(|user| (user, self.remove(user)))
            .collect()
    }

    /// The user is present on another node, by this name; true where that is new.
    pub(crate) fn arrive_elsewhere(&mut self, node: NodeId, user: UserBrief) -> bool {
        let (id, user) = (user.id, Arc::new(user));
        let is_new = !self.is_present(id);
        let elsewhere = self.elsewhere.entry(id).or_insert_with(|| Elsewhere {
            user: Arc::clone(&user),
            nodes: HashSet::new(),
        });
        elsewhere.user = user;
        elsewhere.nodes.insert(node);
        is_new
    }

    /// The user is not present on another node any more; true where it has left with that.
    pub(crate) fn leave_elsewhere(&mut self, node: NodeId, user: UserId) -> bool {
        let Entry::Occupied(mut elsewhere) = self.elsewhere.entry(user) else {
            return false;
        };
        if !elsewhere.get_mut().nodes.remove(&node) || !elsewhere.get().nodes.is_empty() {
            return false;
        }
        elsewhere.remove();
        !self.users.contains_key(&user)
    }

    /// Who is present on which other node.
    pub(crate) fn elsewhere(&self) -> Vec<(NodeId, UserId)> {
        let there = self.elsewhere.iter();
        let nodes = |(user, one): (&UserId, &Elsewhere)| {
            let user = *user;
            let nodes = one.nodes.iter().map(move |node| (*node, user));
            nodes.collect::<Vec<_>>()
        };
        there.flat_map(nodes).collect()
    }

    /// The users that are present on this node.
    pub(crate) fn on_node(&self, node: NodeId) -> Vec<UserId> {
        let there = self.elsewhere.iter();
        there
            .filter(|(_, elsewhere)| elsewhere.nodes.contains(&node))
            .map(|(user, _)| *user)
            .collect()
    }

    /// When the next grace is over.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.leaving.values().min().copied()
    }

    /// Goes on with who is present on other nodes, as a room knew it that has broken.
    pub(crate) fn succeed(&mut self, broken: Self) {
        self.elsewhere = broken.elsewhere;
    }

    pub(crate) fn is_here(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    pub(crate) fn is_present(&self, user: UserId) -> bool {
        self.users.contains_key(&user) || self.elsewhere.contains_key(&user)
    }

    pub(crate) fn users(&self) -> Vec<UserId> {
        self.briefs().into_iter().map(|user| user.id).collect()
    }

    /// The user, if present.
    pub(crate) fn brief(&self, user: UserId) -> Option<Arc<UserBrief>> {
        let here = self.users.get(&user).map(|present| &present.user);
        here.or_else(|| self.elsewhere.get(&user).map(|elsewhere| &elsewhere.user))
            .map(Arc::clone)
    }

    /// Everybody who is present, on whichever node.
    pub(crate) fn briefs(&self) -> Vec<Arc<UserBrief>> {
        let there = self
            .elsewhere
            .iter()
            .filter(|(user, _)| !self.users.contains_key(user))
            .map(|(_, elsewhere)| Arc::clone(&elsewhere.user));
        self.here().chain(there).collect()
    }

    /// Everybody who is present here.
    pub(crate) fn here(&self) -> impl Iterator<Item = Arc<UserBrief>> {
        self.users.values().map(|present| Arc::clone(&present.user))
    }

    /// Whether nobody is present here.
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.users.clear();
        self.leaving.clear();
        self.elsewhere.clear();
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
        assert!(presence.arrive(&ada).is_new);
        assert!(!presence.arrive(&ada).is_new);
        assert_eq!(presence.depart(ada.id, Departure::Left, now), Went::Stays);
        assert_eq!(presence.depart(ada.id, Departure::Left, now), Went::Left);
        assert!(presence.is_empty());
    }

    #[tokio::test]
    async fn a_drop_that_is_back_within_the_grace_is_neither_left_nor_joined() {
        let (mut presence, now, ada) = (Presence::new(GRACE), Instant::now(), user(1));
        presence.arrive(&ada);
        assert_eq!(
            presence.depart(ada.id, Departure::Dropped, now),
            Went::Stays
        );
        assert_eq!(presence.next_deadline(), Some(now + GRACE));
        assert!(!presence.arrive(&ada).is_new);
        assert!(presence.take_gone(now + GRACE).is_empty());
    }

    #[tokio::test]
    async fn a_leave_in_one_tab_does_not_end_the_grace_of_another() {
        let (mut presence, now, ada) = (Presence::new(GRACE), Instant::now(), user(1));
        presence.arrive(&ada);
        presence.arrive(&ada);
        assert_eq!(
            presence.depart(ada.id, Departure::Dropped, now),
            Went::Stays
        );
        let later = now + Duration::from_secs(1);
        assert_eq!(presence.depart(ada.id, Departure::Left, later), Went::Stays);
        assert_eq!(presence.next_deadline(), Some(now + GRACE));
        assert!(!presence.arrive(&ada).is_new, "back within the grace");
        assert_eq!(presence.depart(ada.id, Departure::Left, later), Went::Left);
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
        assert_eq!(presence.take_gone(now + GRACE), [(ada.id, Went::Left)]);
        assert!(presence.arrive(&ada).is_new);
    }

    #[tokio::test]
    async fn a_user_is_present_while_it_is_on_any_node() {
        let (mut presence, now, ada) = (Presence::new(GRACE), Instant::now(), user(1));
        let [one, other] = [NodeId::random(), NodeId::random()];
        assert!(presence.arrive_elsewhere(one, (*ada).clone()));
        assert!(!presence.arrive_elsewhere(other, (*ada).clone()));
        let came = presence.arrive(&ada);
        assert!(came.is_first_here && !came.is_new);
        assert!(!presence.leave_elsewhere(one, ada.id));
        assert_eq!(
            presence.depart(ada.id, Departure::Left, now),
            Went::FromHere
        );
        assert_eq!(presence.users(), [ada.id]);
        assert!(presence.leave_elsewhere(other, ada.id));
        assert!(!presence.leave_elsewhere(other, ada.id));
        assert!(presence.users().is_empty());
    }

    #[tokio::test]
    async fn who_drops_here_and_comes_back_on_another_node_has_never_left() {
        let (mut presence, now, ada) = (Presence::new(GRACE), Instant::now(), user(1));
        presence.arrive(&ada);
        presence.depart(ada.id, Departure::Dropped, now);
        let node = NodeId::random();
        assert!(!presence.arrive_elsewhere(node, (*ada).clone()));
        assert_eq!(presence.take_gone(now + GRACE), [(ada.id, Went::FromHere)]);
        assert_eq!(presence.on_node(node), [ada.id]);
    }
}
