//! The cluster: what joins this node to others, and the actor that hands on what comes from them.

mod actor;
mod asked;
mod checks;
mod nodes;
mod word;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use collabflow_protocol::{id::UserId, model::UserBrief};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    backplane::{Backplane, BackplaneError, Incoming, Table},
    id::NodeId,
    key::RoomKey,
    metrics,
};

pub(crate) use actor::ClusterActor;
use asked::Asked;
pub(crate) use nodes::End;
use nodes::Nodes;
pub(crate) use word::{NodeSays, PeerRequest, RoomSays};
use word::{NodeWord, RoomWord};

/// How long the end waits for the backplane.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);

/// How long the end waits for what is under way.
pub(crate) const SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// How long other nodes have for what they are asked for: the contract's.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// What joins a node to others, for its start.
pub struct Joined {
    /// The backplane.
    pub backplane: Arc<dyn Backplane>,
    /// What comes in over it.
    pub incoming: mpsc::UnboundedReceiver<Incoming>,
    /// What this node is called; no other has the same name.
    pub name: String,
}

/// This node's place among others. It outlives its actor.
pub(crate) struct Cluster {
    backplane: Arc<dyn Backplane>,
    /// This run of the node.
    node: NodeId,
    /// What it is called over all its runs.
    name: String,
    is_up: AtomicBool,
    nodes: Mutex<Nodes>,
    asked: Mutex<Asked>,
    /// What comes in: lent to the actor that reads it.
    incoming: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Incoming>>>,
    actor: Mutex<Option<ractor::ActorId>>,
}

impl Cluster {
    pub(crate) fn new(joined: Joined) -> Self {
        Self {
            backplane: joined.backplane,
            node: NodeId::random(),
            name: joined.name,
            is_up: AtomicBool::new(false),
            nodes: Mutex::default(),
            asked: Mutex::default(),
            incoming: Arc::new(tokio::sync::Mutex::new(joined.incoming)),
            actor: Mutex::new(None),
        }
    }

    pub(crate) fn backplane(&self) -> &Arc<dyn Backplane> {
        &self.backplane
    }

    /// Whether the backplane is there.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// Says something of a room to the others that have members in it.
    pub(crate) fn say_of(&self, room: RoomKey, says: RoomSays) {
        let word = RoomWord {
            by: self.node,
            says,
        };
        self.backplane.pass(room, encode(&word));
    }

    /// Says something to all other nodes.
    pub(crate) fn say(&self, says: NodeSays) {
        let word = NodeWord {
            by: self.node,
            name: self.name.clone(),
            says,
        };
        self.backplane.say(encode(&word));
    }

    /// Asks all other nodes to do something, and waits until they have, for a while.
    pub(crate) async fn ask(&self, request: PeerRequest) {
        if !self.is_up() {
            return;
        }
        let nodes = self.nodes.lock().all();
        let (number, answered) = self.asked.lock().ask(nodes);
        self.say(NodeSays::Do(number, request));
        // It ends without a word.
        if timeout(ANSWERED_WITHIN, answered).await.is_err() {
            let silent = self.asked.lock().give_up(number);
            tracing::warn!(
                ?silent,
                "other nodes have not done in time what they were asked for"
            );
            self.nodes.lock().forget_idle(&silent);
        }
    }

    /// A user is present here, or is no more: remembered, and said.
    pub(crate) fn mark(&self, room: RoomKey, user: UserId, brief: Option<&UserBrief>) {
        let field = format!("{} {user}", self.node);
        self.backplane
            .put(Table::Here(room), field, brief.map(encode));
        self.say_of(
            room,
            match brief {
                Some(brief) => RoomSays::Here(brief.clone()),
                None => RoomSays::NotHere(user),
            },
        );
    }

    /// Who is present on which other node. One that died when nobody noticed is found to be silent from now on.
    pub(crate) fn present(
        self: &Arc<Self>,
        room: RoomKey,
    ) -> impl Future<Output = Result<Vec<(NodeId, UserBrief)>, BackplaneError>> + Send + use<> {
        let (all, cluster) = (self.backplane.all(Table::Here(room)), Arc::clone(self));
        async move {
            let marks = all.await?.into_iter().filter_map(|(field, brief)| {
                let node: NodeId = field.split(' ').next()?.parse().ok()?;
                let brief = serde_json::from_slice(&brief).ok()?;
                (node != cluster.node).then_some((node, brief))
            });
            let marks: Vec<_> = marks.collect();
            let (mut nodes, now) = (cluster.nodes.lock(), Instant::now());
            for (node, _) in &marks {
                nodes.suspect(*node, now);
            }
            Ok(marks)
        }
    }

    /// Forgets who was present on a node that is gone.
    pub(crate) fn forget(&self, room: RoomKey, node: NodeId, users: &[UserId]) {
        for user in users {
            self.backplane
                .put(Table::Here(room), format!("{node} {user}"), None);
        }
    }

    /// Says that this node ends, so that its users have the grace to come back elsewhere, and nobody waits for it longer.
    pub(crate) async fn leave(&self) {
        self.say(NodeSays::Bye);
        // Calls are made in their order: what was said before is out then. Where nobody answers, nobody hears it either.
        let _ = timeout(LEAVES_WITHIN, self.backplane.ping()).await;
    }

    fn set_up(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::Release);
        metrics::backplane(is_up);
    }

    pub(crate) fn has_actor(&self, id: ractor::ActorId) -> bool {
        *self.actor.lock() == Some(id)
    }

    pub(crate) fn set_actor(&self, id: ractor::ActorId) {
        *self.actor.lock() = Some(id);
    }
}

fn encode(word: &impl Serialize) -> Bytes {
    serde_json::to_vec(word)
        .expect("words have text for keys, and no failing parts")
        .into()
}
