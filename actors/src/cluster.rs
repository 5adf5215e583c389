//! The cluster: what joins this node to others, and the actor that hands on what comes from them.

mod actor;
mod asked;
mod checks;
mod cut_off;
mod nodes;
#[cfg(test)]
mod simulation;
mod word;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use collabflow_protocol::{id::UserId, model::UserBrief};
use parking_lot::Mutex;
use ractor::ActorRef;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    backplane::{Backplane, BackplaneError, Incoming, Table},
    id::{self, NodeId, PrivateId},
    key::RoomKey,
    metrics,
    session::record::SessionRecord,
};

pub(crate) use actor::ClusterActor;
use actor::ClusterMessage;
use asked::Asked;
pub(crate) use nodes::End;
use nodes::Nodes;
pub(crate) use word::{NodeSays, PeerRequest, RoomSays};
use word::{NodeWord, RoomWord};

/// How long the end waits for the backplane.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);

/// How long the end waits for what is under way.
pub(crate) const SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// What was said longer ago than this has reached a backplane that is there: calls do not take longer.
const SURELY_SAID: Duration = Duration::from_secs(10);

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
    /// Since when nodes are gone that went lately, and how they have ended.
    gone: Mutex<HashMap<NodeId, (Instant, End)>>,
    started: Instant,
    /// What comes in: lent to the actor that reads it.
    incoming: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Incoming>>>,
    actor: Mutex<Option<ActorRef<ClusterMessage>>>,
    /// Who has left a room here so lately, or while the backplane was away, that this may have to be said again.
    left: Mutex<HashMap<(RoomKey, UserId), Instant>>,
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
            gone: Mutex::default(),
            started: Instant::now(),
            incoming: Arc::new(tokio::sync::Mutex::new(joined.incoming)),
            actor: Mutex::new(None),
            left: Mutex::default(),
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
        let nodes = self.nodes.lock().all();
        self.ask_these(nodes, request).await;
    }

    /// Asks one node to let go of a session, and waits until it has, for a while. One that is gone is not asked, nor is one
    /// that has just not answered: all its clients come at once.
    pub(crate) async fn ask_for(&self, node: NodeId, pid: PrivateId) {
        let is_silent = self.asked.lock().is_silent(node, Instant::now());
        if !is_silent && self.nodes.lock().all().contains(&node) {
            let request = PeerRequest::HandOver(node, pid);
            self.ask_these(HashSet::from([node]), request).await;
        }
    }

    async fn ask_these(&self, nodes: HashSet<NodeId>, request: PeerRequest) {
        if !self.is_up() {
            return;
        }
        let (number, answered) = self.asked.lock().ask(nodes);
        self.say(NodeSays::Do(number, request));
        // It ends without a word.
        if timeout(ANSWERED_WITHIN, answered).await.is_err() {
            let (silent, is_news) = self.asked.lock().give_up(number, Instant::now());
            if is_news {
                tracing::warn!(
                    ?silent,
                    "other nodes have not done in time what they were asked for"
                );
            }
            self.nodes.lock().forget_idle(&silent);
        }
    }

    /// Remembers a session for the other nodes.
    pub(crate) fn record(&self, record: &SessionRecord) {
        let value = encode(record);
        for pid in record.pids() {
            let (table, field) = (Table::Sessions, pid.to_string());
            self.backplane.put(table, field, Some(value.clone()));
        }
    }

    /// Forgets a session that is over, or is somebody else's.
    pub(crate) fn strike(&self, pids: impl IntoIterator<Item = PrivateId>) {
        for pid in pids {
            self.backplane.put(Table::Sessions, pid.to_string(), None);
        }
    }

    /// Takes a session that another node has, or had: only one who tries gets it.
    pub(crate) async fn take(&self, pid: PrivateId) -> Option<SessionRecord> {
        let taken = self.backplane.take(Table::Sessions, pid.to_string()).await;
        let taken = taken.inspect_err(|error| {
            tracing::debug!(%error, "a session that was elsewhere cannot be looked for");
        });
        // One of another version begins afresh.
        serde_json::from_slice(&taken.ok()??).ok()
    }

    pub(crate) const fn node(&self) -> NodeId {
        self.node
    }

    /// Whether a session may still come back, here or elsewhere.
    pub(crate) fn may_return(&self, record: &SessionRecord, window: Duration) -> bool {
        if let Some(left) = &record.left {
            let away = id::now().millis() - left.at.millis();
            return i64::try_from(window.as_millis()).is_ok_and(|window| away <= window);
        }
        let is_there = record.node == self.node || self.nodes.lock().all().contains(&record.node);
        // Of one that nobody has heard since this one is there, nobody can say since when it is gone.
        let gone_since = self.gone.lock().get(&record.node).copied();
        is_there
            || gone_since
                .map_or(self.started, |(since, _)| since)
                .elapsed()
                <= window
    }

    /// A node is gone from now on.
    pub(crate) fn set_gone(&self, node: NodeId, end: End, window: Duration) {
        let mut gone = self.gone.lock();
        gone.retain(|_, (since, _)| since.elapsed() <= window * 2);
        gone.insert(node, (Instant::now(), end));
    }

    /// Since when a node is gone of which nobody knows what it has stored last.
    fn lost_since(&self, node: NodeId) -> Option<Instant> {
        let gone = self.gone.lock();
        let (since, end) = gone.get(&node)?;
        (*end == End::Lost).then_some(*since)
    }

    /// Whether a node has ended of which nobody knows what it has stored last.
    pub(crate) fn is_lost(&self, node: NodeId) -> bool {
        self.lost_since(node).is_some()
    }

    /// A user is present here, or is no more: remembered, and said.
    pub(crate) fn mark(&self, room: RoomKey, user: UserId, brief: Option<&UserBrief>) {
        self.remember(room, user, brief);
        self.say_of(
            room,
            match brief {
                Some(brief) => RoomSays::Here(brief.clone()),
                None => RoomSays::NotHere(user),
            },
        );
    }

    /// These users are present here, and no others: remembered of each, and said once.
    pub(crate) fn mark_all(&self, room: RoomKey, users: Vec<UserBrief>) {
        for user in &users {
            self.remember(room, user.id, Some(user));
        }
        self.say_of(room, RoomSays::AllHere(users));
    }

    fn remember(&self, room: RoomKey, user: UserId, brief: Option<&UserBrief>) {
        let field = format!("{} {user}", self.node);
        let mut left = self.left.lock();
        match brief {
            Some(_) => left.remove(&(room, user)),
            None => left.insert((room, user), Instant::now()),
        };
        drop(left);
        self.backplane
            .put(Table::Here(room), field, brief.map(encode));
    }

    /// The backplane is back: who has left while it was away, or just before, may be taken to be present still.
    fn mark_left_again(&self) {
        let left = std::mem::take(&mut *self.left.lock());
        for ((room, user), _) in left {
            self.mark(room, user, None);
        }
    }

    /// What was said so long ago has reached the backplane, if that is there.
    fn forget_left(&self, now: Instant) {
        let mut left = self.left.lock();
        left.retain(|_, at| *at + SURELY_SAID > now);
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
        let actor = self.actor.lock();
        actor.as_ref().is_some_and(|actor| actor.get_id() == id)
    }

    pub(crate) fn set_actor(&self, actor: ActorRef<ClusterMessage>) {
        *self.actor.lock() = Some(actor);
    }

    /// Breaks the actor by a panic, as a fault in it would.
    #[cfg(test)]
    fn break_actor(&self) {
        if let Some(actor) = &*self.actor.lock() {
            // One that has just broken is being started again.
            let _ = actor.cast(ClusterMessage::Panic);
        }
    }
}

fn encode(word: &impl Serialize) -> Bytes {
    serde_json::to_vec(word)
        .expect("words have text for keys, and no failing parts")
        .into()
}
