//! Which other nodes there are, by what they say. While anybody is connected to any of them, all say that they are alive:
//! also a node without sessions may have stored something for those of others. One that falls silent then is dead, and so
//! are its users' presences. Kept by a clock that only goes forward, and not while the backplane is away: then nobody is
//! heard.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use super::word::{NodeSays, NodeWord};
use crate::id::NodeId;

/// Between two signs of life.
pub(crate) const BEAT: Duration = Duration::from_secs(3);
/// A node that was not heard for so long is dead.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(9);

#[derive(Debug)]
struct Peer {
    name: String,
    heard: Instant,
    /// As it has said last.
    sessions: usize,
}

/// The other nodes.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    peers: HashMap<NodeId, Peer>,
    /// Since when somebody is connected to some node, as was seen at the last look.
    busy_since: Option<Instant>,
    /// The names of those that fell silent. They may have gone on by themselves, until they start again.
    silent: HashMap<NodeId, String>,
}

/// How a node has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It has said so, and left nothing untold.
    Bye,
    /// Nobody knows what it has stored last.
    Lost,
}

/// What a word of another node means here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// It wants to hear that this node is alive.
    pub(crate) wants_answer: bool,
    /// These nodes are gone.
    pub(crate) gone: Vec<(NodeId, End)>,
}

impl Nodes {
    /// A node has said something.
    pub(crate) fn hear(&mut self, word: &NodeWord, now: Instant) -> Heard {
        let mut heard = Heard::default();
        self.silent.remove(&word.by);
        if word.says == NodeSays::Bye {
            self.peers.remove(&word.by);
            heard.gone.push((word.by, End::Bye));
            return heard;
        }
        let known = self.peers.get(&word.by);
        let is_new = known.is_none_or(|peer| peer.name != word.name);
        if is_new {
            // It has started again, and the one before it has no end of its own.
            let former = self.peers.extract_if(|_, peer| peer.name == word.name);
            let former = former.map(|(id, _)| id);
            let silent = self.silent.extract_if(|_, name| *name == word.name);
            let all = former.chain(silent.map(|(id, _)| id));
            heard.gone.extend(all.map(|id| (id, End::Lost)));
        }
        heard.wants_answer = is_new || word.says == NodeSays::Hello;
        let peer = self.peers.entry(word.by).or_insert_with(|| Peer {
            name: String::new(),
            heard: now,
            sessions: 0,
        });
        peer.heard = now;
        peer.name.clone_from(&word.name);
        if let NodeSays::Alive(sessions) = word.says {
            peer.sessions = sessions;
        }
        heard
    }

    /// A node of which something is stored: it has time to say that it is alive.
    pub(crate) fn suspect(&mut self, node: NodeId, now: Instant) {
        self.peers.entry(node).or_insert_with(|| Peer {
            name: String::new(),
            heard: now,
            sessions: 1,
        });
    }

    /// Whether anybody is connected to any node, where this one has so many sessions: then all say that they are alive.
    pub(crate) fn is_busy(&self, sessions: usize) -> bool {
        sessions > 0 || self.peers.values().any(|peer| peer.sessions > 0)
    }

    /// Takes out the nodes that are silent and should not be, where this one has so many sessions.
    pub(crate) fn take_dead(&mut self, sessions: usize, now: Instant) -> Vec<NodeId> {
        if !self.is_busy(sessions) {
            self.busy_since = None;
            return Vec::new();
        }
        let since = *self.busy_since.get_or_insert(now);
        let dead: Vec<_> = self
            .peers
            .extract_if(|_, peer| peer.heard.max(since) + DEAD_AFTER <= now)
            .collect();
        let named = dead.iter().filter(|(_, peer)| !peer.name.is_empty());
        let silent = named.map(|(id, peer)| (*id, peer.name.clone()));
        self.silent.extend(silent);
        dead.into_iter().map(|(id, _)| id).collect()
    }

    /// Whether this node is to say that it is alive, which said so last at this time, with so many sessions, and has so many
    /// now. That the last session has ended is said once.
    pub(crate) fn want_word(
        &self,
        said: Option<(Instant, usize)>,
        sessions: usize,
        now: Instant,
    ) -> bool {
        let is_wanted = |said| self.is_busy(sessions) || said > 0;
        !self.is_alone() && said.is_none_or(|(at, said)| at + BEAT <= now && is_wanted(said))
    }

    /// The backplane is back: whoever is alive has time to say so.
    pub(crate) fn excuse(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            peer.heard = now;
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> HashSet<NodeId> {
        self.peers.keys().copied().collect()
    }

    /// These say nothing. While nobody is connected to any node they need not: they are known again when they do.
    pub(crate) fn forget_idle(&mut self, silent: &HashSet<NodeId>) {
        if self.busy_since.is_none() {
            self.peers.retain(|id, _| !silent.contains(id));
        }
    }

    /// Whether there is anybody to hear this one.
    pub(crate) fn is_alone(&self) -> bool {
        self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(by: NodeId, name: &str, says: NodeSays) -> NodeWord {
        NodeWord {
            by,
            name: name.into(),
            says,
        }
    }

    #[tokio::test]
    async fn a_node_that_falls_silent_while_it_has_sessions_is_dead() {
        let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
        let alive = word(node, "a", NodeSays::Alive(3));
        assert!(nodes.hear(&alive, now).wants_answer);
        assert!(nodes.take_dead(0, now).is_empty());
        assert!(!nodes.hear(&alive, now + BEAT).wants_answer);
        assert!(nodes.take_dead(0, now + DEAD_AFTER).is_empty());
        assert_eq!(nodes.take_dead(0, now + BEAT + DEAD_AFTER), [node]);
        assert!(nodes.is_alone());
    }

    #[tokio::test]
    async fn where_nobody_is_connected_to_any_node_all_may_be_silent() {
        let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
        nodes.hear(&word(node, "a", NodeSays::Alive(1)), now);
        nodes.hear(&word(node, "a", NodeSays::Alive(0)), now);
        assert!(!nodes.is_busy(0));
        assert!(nodes.take_dead(0, now + DEAD_AFTER * 100).is_empty());
        assert!(!nodes.is_alone());
    }

    /// It may have stored something by REST for those who are connected to others.
    #[tokio::test]
    async fn a_node_without_sessions_that_falls_silent_while_others_have_some_is_dead() {
        let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
        nodes.hear(&word(node, "a", NodeSays::Alive(0)), now);
        let later = now + DEAD_AFTER * 100;
        assert!(nodes.is_busy(1));
        assert!(
            nodes.take_dead(1, later).is_empty(),
            "it has just become its turn to speak"
        );
        assert!(nodes.take_dead(1, later + BEAT).is_empty());
        assert_eq!(nodes.take_dead(1, later + DEAD_AFTER), [node]);
    }

    #[tokio::test]
    async fn who_is_silent_while_nobody_is_connected_is_not_asked_again() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let [one, other] = [(); 2].map(|()| NodeId::random());
        nodes.hear(&word(one, "a", NodeSays::Alive(0)), now);
        nodes.hear(&word(other, "b", NodeSays::Alive(0)), now);
        nodes.forget_idle(&[one].into());
        assert_eq!(nodes.all(), HashSet::from([other]));
        nodes.hear(&word(one, "a", NodeSays::Alive(0)), now);
        assert_eq!(nodes.all(), HashSet::from([one, other]));
        // Who should say something is dead before long, or says it.
        nodes.take_dead(1, now);
        nodes.forget_idle(&[one].into());
        assert_eq!(nodes.all(), HashSet::from([one, other]));
    }

    #[tokio::test]
    async fn a_node_that_starts_again_under_its_name_ends_the_one_before_it() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let [old, new, other] = [(); 3].map(|()| NodeId::random());
        nodes.hear(&word(old, "a", NodeSays::Alive(1)), now);
        nodes.hear(&word(other, "b", NodeSays::Alive(1)), now);
        let heard = nodes.hear(&word(new, "a", NodeSays::Hello), now);
        assert_eq!(heard.gone, [(old, End::Lost)]);
        assert!(heard.wants_answer);
        let heard = nodes.hear(&word(other, "b", NodeSays::Bye), now);
        assert_eq!(heard.gone, [(other, End::Bye)]);
        assert!(nodes.take_dead(0, now + DEAD_AFTER * 2).is_empty());
    }

    /// It was heard first by what it had said of a room.
    #[tokio::test]
    async fn a_node_whose_name_was_not_known_ends_the_one_before_it_too() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let [old, new] = [(); 2].map(|()| NodeId::random());
        nodes.hear(&word(old, "a", NodeSays::Alive(1)), now);
        nodes.suspect(new, now);
        let heard = nodes.hear(&word(new, "a", NodeSays::Alive(1)), now);
        assert_eq!(heard.gone, [(old, End::Lost)]);
        assert!(heard.wants_answer);
    }

    /// Cut off from the backplane, it had gone on for a while, and nobody heard of what it stored then.
    #[tokio::test]
    async fn a_node_that_was_taken_as_dead_is_lost_once_more_when_it_starts_again() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let [old, new] = [(); 2].map(|()| NodeId::random());
        nodes.hear(&word(old, "a", NodeSays::Alive(1)), now);
        nodes.take_dead(0, now);
        assert_eq!(nodes.take_dead(0, now + DEAD_AFTER), [old]);
        let heard = nodes.hear(&word(new, "a", NodeSays::Hello), now);
        assert_eq!(heard.gone, [(old, End::Lost)]);
        assert!(
            nodes
                .hear(&word(new, "a", NodeSays::Hello), now)
                .gone
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_node_says_that_it_is_alive_while_anybody_is_connected_to_any_and_somebody_hears_it()
    {
        let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
        let (lately, before) = (Some((now, 0)), Some((now, 2)));
        let then = now + BEAT;
        assert!(!nodes.want_word(before, 2, then), "nobody hears it");
        nodes.hear(&word(node, "a", NodeSays::Alive(0)), now);
        assert!(!nodes.want_word(lately, 0, then), "nobody is connected");
        assert!(nodes.want_word(lately, 1, then));
        assert!(!nodes.want_word(lately, 1, now), "it has just said so");
        assert!(
            nodes.want_word(before, 0, then),
            "its last session has ended"
        );
        nodes.hear(&word(node, "a", NodeSays::Alive(1)), now);
        assert!(nodes.want_word(lately, 0, then), "others wait for it");
    }

    #[tokio::test]
    async fn nobody_dies_of_a_backplane_that_was_away() {
        let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
        nodes.hear(&word(node, "a", NodeSays::Alive(1)), now);
        nodes.take_dead(0, now);
        nodes.excuse(now + DEAD_AFTER);
        assert!(nodes.take_dead(0, now + DEAD_AFTER).is_empty());
        assert_eq!(nodes.take_dead(0, now + DEAD_AFTER * 2), [node]);
    }
}
