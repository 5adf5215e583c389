//! Which other nodes there are, by what they say: a node with sessions that falls silent is dead, and so are its users'
//! presences. Kept by a clock that only goes forward, and not while the backplane is away: then nobody is heard.

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
    /// It has sessions, and so says regularly that it is alive.
    is_watched: bool,
}

/// The other nodes.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    peers: HashMap<NodeId, Peer>,
}

/// What a word of another node means here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// It wants to hear that this node is alive.
    pub(crate) wants_answer: bool,
    /// These nodes are gone.
    pub(crate) gone: Vec<NodeId>,
}

impl Nodes {
    /// A node has said something.
    pub(crate) fn hear(&mut self, word: &NodeWord, now: Instant) -> Heard {
        let mut heard = Heard::default();
        if word.says == NodeSays::Bye {
            self.peers.remove(&word.by);
            heard.gone.push(word.by);
            return heard;
        }
        let is_new = !self.peers.contains_key(&word.by);
        if is_new {
            // It has started again, and the one before it has no end of its own.
            let former = self.peers.extract_if(|_, peer| peer.name == word.name);
            heard.gone.extend(former.map(|(id, _)| id));
        }
        heard.wants_answer = is_new || word.says == NodeSays::Hello;
        let peer = self.peers.entry(word.by).or_insert_with(|| Peer {
            name: word.name.clone(),
            heard: now,
            is_watched: false,
        });
        peer.heard = now;
        if let NodeSays::Alive(sessions) = word.says {
            peer.is_watched = sessions > 0;
        }
        heard
    }

    /// A node of which something is stored: it has time to say that it is alive.
    pub(crate) fn suspect(&mut self, node: NodeId, now: Instant) {
        self.peers.entry(node).or_insert_with(|| Peer {
            name: String::new(),
            heard: now,
            is_watched: true,
        });
    }

    /// Takes out the nodes that are silent.
    pub(crate) fn take_dead(&mut self, now: Instant) -> Vec<NodeId> {
        self.peers
            .extract_if(|_, peer| peer.is_watched && peer.heard + DEAD_AFTER <= now)
            .map(|(id, _)| id)
            .collect()
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

    /// These say nothing. Who has no sessions need not: it is known again when it does.
    pub(crate) fn forget_idle(&mut self, silent: &HashSet<NodeId>) {
        self.peers
            .retain(|id, peer| peer.is_watched || !silent.contains(id));
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
    async fn a_node_with_sessions_that_falls_silent_is_dead() {
        let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
        assert!(
            nodes
                .hear(&word(node, "a", NodeSays::Alive(3)), now)
                .wants_answer
        );
        assert!(
            !nodes
                .hear(&word(node, "a", NodeSays::Alive(3)), now + BEAT)
                .wants_answer
        );
        assert!(nodes.take_dead(now + DEAD_AFTER).is_empty());
        assert_eq!(nodes.take_dead(now + BEAT + DEAD_AFTER), [node]);
        assert!(nodes.is_alone());
    }

    #[tokio::test]
    async fn a_node_without_sessions_may_be_silent() {
        let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
        nodes.hear(&word(node, "a", NodeSays::Alive(1)), now);
        nodes.hear(&word(node, "a", NodeSays::Alive(0)), now);
        assert!(nodes.take_dead(now + DEAD_AFTER * 100).is_empty());
        assert!(!nodes.is_alone());
    }

    #[tokio::test]
    async fn who_is_silent_and_has_no_sessions_is_not_asked_again() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let [idle, busy] = [(); 2].map(|()| NodeId::random());
        nodes.hear(&word(idle, "a", NodeSays::Alive(0)), now);
        nodes.hear(&word(busy, "b", NodeSays::Alive(1)), now);
        nodes.forget_idle(&nodes.all());
        assert_eq!(nodes.all(), HashSet::from([busy]));
        nodes.hear(&word(idle, "a", NodeSays::Alive(0)), now);
        assert_eq!(nodes.all(), HashSet::from([idle, busy]));
    }

    #[tokio::test]
    async fn a_node_that_starts_again_under_its_name_ends_the_one_before_it() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let [old, new, other] = [(); 3].map(|()| NodeId::random());
        nodes.hear(&word(old, "a", NodeSays::Alive(1)), now);
        nodes.hear(&word(other, "b", NodeSays::Alive(1)), now);
        let heard = nodes.hear(&word(new, "a", NodeSays::Hello), now);
        assert_eq!(heard.gone, [old]);
        assert!(heard.wants_answer);
        let heard = nodes.hear(&word(other, "b", NodeSays::Bye), now);
        assert_eq!(heard.gone, [other]);
        assert!(nodes.take_dead(now + DEAD_AFTER * 2).is_empty());
    }

    #[tokio::test]
    async fn nobody_dies_of_a_backplane_that_was_away() {
        let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
        nodes.hear(&word(node, "a", NodeSays::Alive(1)), now);
        nodes.excuse(now + DEAD_AFTER);
        assert!(nodes.take_dead(now + DEAD_AFTER).is_empty());
        assert_eq!(nodes.take_dead(now + DEAD_AFTER * 2), [node]);
    }
}
