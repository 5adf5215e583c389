//! Which other nodes there are, by what they say. While anybody is connected to any of them, all say that they are alive:
//! also a node without sessions may have stored something for those of others. One that falls silent then is dead, and so
//! are its users' presences. Kept by a clock that only goes forward, and not while the backplane is away: then nobody is
//! heard.

#[cfg(test)]
mod tests;

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
    /// It has said anything at all.
    has_spoken: bool,
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
    /// It has said so, and left nothing untold; or it was gone before anybody here could hear it.
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
            has_spoken: true,
        });
        peer.heard = now;
        peer.has_spoken = true;
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
            has_spoken: false,
        });
    }

    /// A node has said something of a room.
    pub(crate) fn overhear(&mut self, node: NodeId, now: Instant) {
        self.suspect(node, now);
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.has_spoken = true;
        }
    }

    /// Whether anybody is connected to any node, where this one has so many sessions: then all say that they are alive.
    pub(crate) fn is_busy(&self, sessions: usize) -> bool {
        sessions > 0 || self.peers.values().any(|peer| peer.sessions > 0)
    }

    /// Takes out the nodes that are silent and should not be, where this one has so many sessions.
    pub(crate) fn take_dead(&mut self, sessions: usize, now: Instant) -> Vec<(NodeId, End)> {
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
        let end = |peer: &Peer| if peer.has_spoken { End::Lost } else { End::Bye };
        dead.iter().map(|(id, peer)| (*id, end(peer))).collect()
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
