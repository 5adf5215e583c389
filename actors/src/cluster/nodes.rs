//! Which other nodes there are, by what they say. While anybody is connected to any of them, all say that they are alive:
//! also a node without sessions may have stored something for those of others. One that falls silent then is dead, and so
//! are its users' presences. Kept by a clock that only goes forward, and not while the backplane is away: then nobody is
//! heard.
//!
//! Names are not relied upon: a node that starts under the name of another takes its place only if that one says nothing
//! more. Who was taken for dead and speaks is told so, and says again who is present there.

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
/// A node whose name another one has come under is dead unless it is heard within this.
pub(crate) const STANDS_UP_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Peer {
    name: String,
    heard: Instant,
    /// As it has said last.
    sessions: usize,
    /// It has said anything at all.
    has_spoken: bool,
    /// Another has come under its name, and it has not been heard since.
    doubted: Option<Instant>,
}

impl Peer {
    /// One whose name is not known yet, and that has said nothing.
    const fn new(heard: Instant, sessions: usize) -> Self {
        Self {
            name: String::new(),
            heard,
            sessions,
            has_spoken: false,
            doubted: None,
        }
    }
}

/// The other nodes.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    peers: HashMap<NodeId, Peer>,
    /// Since when somebody is connected to some node, as was seen at the last look.
    busy_since: Option<Instant>,
    /// The names of those that were taken for dead. They may have gone on by themselves, until they start again.
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
    /// Others have the same name: everybody is to say that they are alive, within [`STANDS_UP_WITHIN`].
    pub(crate) has_namesakes: bool,
    /// It was taken for dead here.
    pub(crate) was_gone: bool,
    /// These nodes are gone.
    pub(crate) gone: Vec<(NodeId, End)>,
}

impl Nodes {
    /// A node has said something.
    pub(crate) fn hear(&mut self, word: &NodeWord, now: Instant) -> Heard {
        let mut heard = Heard {
            was_gone: self.silent.remove(&word.by).is_some(),
            ..Heard::default()
        };
        if word.says == NodeSays::Bye {
            self.peers.remove(&word.by);
            heard.gone.push((word.by, End::Bye));
            return heard;
        }
        let known = self.peers.get(&word.by);
        let is_new = known.is_none_or(|peer| peer.name != word.name);
        if is_new {
            // It has started again, and the one before it has no end of its own; or they are two of one name.
            for (id, peer) in &mut self.peers {
                if peer.name == word.name && *id != word.by {
                    peer.doubted.get_or_insert(now);
                    heard.has_namesakes = true;
                }
            }
            let silent = self.silent.extract_if(|_, name| *name == word.name);
            heard.gone.extend(silent.map(|(id, _)| (id, End::Lost)));
        }
        heard.wants_answer = is_new || word.says == NodeSays::Hello;
        let peer = self
            .peers
            .entry(word.by)
            .or_insert_with(|| Peer::new(now, 0));
        peer.doubted = None;
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
        let suspected = || Peer::new(now, 1);
        self.peers.entry(node).or_insert_with(suspected);
    }

    /// A node has said something of a room.
    pub(crate) fn overhear(&mut self, node: NodeId, now: Instant) {
        self.suspect(node, now);
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.has_spoken = true;
            peer.doubted = None;
        }
    }

    /// Whether anybody is connected to any node, where this one has so many sessions: then all say that they are alive.
    pub(crate) fn is_busy(&self, sessions: usize) -> bool {
        sessions > 0 || self.peers.values().any(|peer| peer.sessions > 0)
    }

    /// Takes out the nodes that are silent and should not be, where this one has so many sessions.
    pub(crate) fn take_dead(&mut self, sessions: usize, now: Instant) -> Vec<(NodeId, End)> {
        let is_replaced = |peer: &Peer| {
            let doubted = peer.doubted;
            doubted.is_some_and(|since| since + STANDS_UP_WITHIN <= now)
        };
        self.busy_since = match self.busy_since {
            _ if !self.is_busy(sessions) => None,
            since => since.or(Some(now)),
        };
        let since = self.busy_since;
        let is_silent =
            |peer: &Peer| since.is_some_and(|since| peer.heard.max(since) + DEAD_AFTER <= now);
        let dead: Vec<_> = self
            .peers
            .extract_if(|_, peer| is_replaced(peer) || is_silent(peer))
            .collect();
        let silent = dead.iter().map(|(id, peer)| (*id, peer.name.clone()));
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

    /// A node is known to be dead in another way.
    pub(crate) fn remove(&mut self, node: NodeId) {
        self.peers.remove(&node);
        self.silent.remove(&node);
    }

    /// The backplane is back: whoever is alive has time to say so.
    pub(crate) fn excuse(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            peer.heard = now;
            peer.doubted = peer.doubted.and(Some(now));
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
