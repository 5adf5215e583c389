//! The cluster's actor: it hands what comes from other nodes to the rooms here, says that this node is alive while anybody is
//! connected to any node and somebody hears it, and notices who is not any more.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use collabflow_protocol::time::Timestamp;
use futures_util::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;

use super::{
    Cluster,
    checks::Checks,
    cut_off::CutOff,
    nodes::{BEAT, End, STANDS_UP_WITHIN},
    word::{NodeSays, NodeWord, PeerRequest, RoomWord},
};
use crate::{
    backplane::{Incoming, Tops},
    id::{self, NodeId},
    key::RoomKey,
    registry::Registry,
    room::{Command, RoomMessage},
};

/// Between two looks at who is silent.
const LOOK: Duration = Duration::from_secs(1);

/// Between two times that what nodes remember together is kept on: well within the time for which they are kept.
const KEEP: Duration = Duration::from_hours(3 * 24);

pub(crate) struct ClusterActor;

/// What the actor is told.
#[derive(Debug)]
pub(crate) enum ClusterMessage {
    /// Something has come in.
    Incoming(Incoming),
    /// It is time to look who is silent, and perhaps to say something.
    Look,
    /// The ends of these rooms' logs.
    Tops(Vec<RoomKey>, Tops),
    /// What was told here alone was told to the other nodes.
    Settled,
    /// These nodes are cut off, or have been.
    Marks(Vec<(NodeId, Timestamp)>),
    /// A node has ended, and its users have not come back within the grace.
    Gone(NodeId),
    /// Breaks the actor, for tests of supervision.
    #[cfg(test)]
    Panic,
    /// Sessions of nodes that are gone may have stayed away for too long.
    Sweep,
    /// What is remembered together is to be kept on.
    Keep,
}

pub(crate) struct ClusterState {
    myself: ActorRef<ClusterMessage>,
    registry: Arc<Registry>,
    cluster: Arc<Cluster>,
    reading: tokio::task::JoinHandle<()>,
    /// When this node said last that it is alive, and with how many sessions.
    said: Option<(Instant, usize)>,
    looked_at: Instant,
    checks: Checks,
    cut_off: CutOff,
    /// When all rooms said last who is present here since others had taken this node for dead.
    said_present: Option<Instant>,
}

impl Drop for ClusterState {
    /// The next actor reads what comes.
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Actor for ClusterActor {
    type Msg = ClusterMessage;
    type State = ClusterState;
    type Arguments = (Arc<Registry>, Arc<Cluster>);

    async fn pre_start(
        &self,
        myself: ActorRef<ClusterMessage>,
        (registry, cluster): Self::Arguments,
    ) -> Result<ClusterState, ActorProcessingErr> {
        let (incoming, reader) = (Arc::clone(&cluster.incoming), myself.clone());
        let reading = tokio::spawn(async move {
            let mut incoming = incoming.lock().await;
            while let Some(message) = incoming.recv().await {
                if reader.cast(ClusterMessage::Incoming(message)).is_err() {
                    return;
                }
            }
        });
        myself.send_interval(LOOK, || ClusterMessage::Look);
        myself.send_interval(KEEP, || ClusterMessage::Keep);
        let mut state = ClusterState {
            myself: myself.clone(),
            registry,
            cluster,
            reading,
            said: None,
            looked_at: Instant::now(),
            checks: Checks::new(Instant::now()),
            cut_off: CutOff::new(Instant::now(), id::now()),
            said_present: None,
        };
        // The one before has broken, and what had come for it is lost: as if the backplane had been away.
        if state.cluster.is_up() {
            state.take(Incoming::Up, &myself);
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<ClusterMessage>,
        message: ClusterMessage,
        state: &mut ClusterState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ClusterMessage::Incoming(incoming) => state.take(incoming, &myself),
            ClusterMessage::Look => {
                state.look(Instant::now());
                state.check_positions(&myself, Instant::now());
                state.see_to_marks(Instant::now());
            }
            ClusterMessage::Settled => state.take_settled(),
            ClusterMessage::Marks(marks) => state.take_marks(&marks, Instant::now()),
            ClusterMessage::Tops(rooms, tops) => state.take_tops(&rooms, tops),
            ClusterMessage::Gone(node) => state.gone(node, End::Bye),
            #[cfg(test)]
            ClusterMessage::Panic => panic!("a test breaks the cluster's actor"),
            ClusterMessage::Sweep => state.registry.sweep(),
            ClusterMessage::Keep => state.registry.keep_tables(),
        }
        Ok(())
    }
}

impl ClusterState {
    fn take(&mut self, incoming: Incoming, myself: &ActorRef<ClusterMessage>) {
        match incoming {
            Incoming::Entry(room, entry) => self.give(room, Command::Logged(entry)),
            Incoming::Up => {
                self.cluster.nodes.lock().excuse(Instant::now());
                self.cluster.mark_left_again();
                self.link(true);
                self.cut_off.end(Instant::now());
                self.settle_later();
                self.registry.record_all();
                self.sweep_later();
                self.cluster.say(NodeSays::Hello);
                self.say_alive(Instant::now());
            }
            Incoming::Down => {
                self.cut_off.begin();
                self.link(false);
            }
            Incoming::Passing(room, word) => self.take_room_word(room, &word),
            Incoming::Said(word) => self.take_node_word(&word, myself),
        }
    }

    fn give(&self, room: RoomKey, command: Command) {
        if let Some(room) = self.registry.find(room) {
            room.give(command);
        }
    }

    fn give_all(&self, command: impl Fn() -> Command) {
        for room in self.registry.rooms(|_| true) {
            self.give(room, command());
        }
    }

    fn link(&self, is_up: bool) {
        // A room that is made from now on sees it; those that are there are told.
        self.cluster.set_up(is_up);
        self.give_all(|| Command::Link(is_up));
    }

    fn take_room_word(&mut self, room: RoomKey, word: &Bytes) {
        // Of a newer version, perhaps.
        let Ok(word) = serde_json::from_slice::<RoomWord>(word) else {
            return;
        };
        if word.by != self.cluster.node {
            let nodes = &self.cluster.nodes;
            nodes.lock().overhear(word.by, Instant::now());
            self.give(room, Command::Word(word.by, word.says));
        }
    }

    fn take_node_word(&mut self, word: &Bytes, myself: &ActorRef<ClusterMessage>) {
        let Ok(word) = serde_json::from_slice::<NodeWord>(word) else {
            return;
        };
        if word.by == self.cluster.node {
            return;
        }
        let now = Instant::now();
        let heard = self.cluster.nodes.lock().hear(&word, now);
        for (node, end) in heard.gone {
            match end {
                End::Bye => {
                    // Its users may be on their way to another node.
                    let settings = self.registry.settings();
                    let grace = settings.presence_grace;
                    self.cluster.set_gone(node, end, settings.recovery_window);
                    myself.send_after(grace, move || ClusterMessage::Gone(node));
                }
                End::Lost => self.gone(node, end),
            }
        }
        if heard.has_namesakes {
            tracing::info!(
                name = word.name,
                "a node has come under the name of another"
            );
            self.cluster.say(NodeSays::Hello);
            myself.send_after(STANDS_UP_WITHIN, || ClusterMessage::Look);
        }
        if heard.was_gone {
            tracing::warn!(name = word.name, node = %word.by, "a node that was taken for dead is there");
            self.cluster.say(NodeSays::WasGone(word.by));
        }
        if heard.wants_answer {
            self.say_alive(now);
        }
        match word.says {
            NodeSays::Do(number, request) => self.fulfil(word.by, number, request),
            NodeSays::Done(node, number) if node == self.cluster.node => {
                self.cluster.asked.lock().answer(number, word.by);
            }
            NodeSays::TaskGone(task, id) => self.registry.task_gone(task, id),
            // Each room is told in its turn; nobody waits for it.
            NodeSays::Missed => drop(self.registry.resync_all()),
            NodeSays::Renamed(user) => self.registry.rename(&Arc::new(user)),
            NodeSays::WasGone(node) if node == self.cluster.node => self.say_present(now),
            NodeSays::Done(..)
            | NodeSays::WasGone(_)
            | NodeSays::Hello
            | NodeSays::Alive(_)
            | NodeSays::Bye => {}
        }
    }

    /// Does what another node asks for. What comes meanwhile is not held up.
    fn fulfil(&self, node: NodeId, number: u64, request: PeerRequest) {
        let (registry, cluster) = (Arc::clone(&self.registry), Arc::clone(&self.cluster));
        // What is sent to rooms has its place among what comes from other nodes.
        let done = match request {
            PeerRequest::MembershipChanged(rooms) => {
                let changed = RoomMessage::MembershipChanged;
                registry.to_each(&rooms, changed).boxed()
            }
            PeerRequest::Close(rooms) => registry.to_each(&rooms, RoomMessage::Close).boxed(),
            PeerRequest::HandOver(of, pid) if of == cluster.node => {
                async move { registry.hand_over(pid).await }.boxed()
            }
            PeerRequest::HandOver(..) => return,
        };
        tokio::spawn(async move {
            done.await;
            cluster.say(NodeSays::Done(node, number));
        });
    }

    fn look(&mut self, now: Instant) {
        let looked_at = std::mem::replace(&mut self.looked_at, now);
        if !self.cluster.is_up() {
            return;
        }
        self.cluster.forget_left(now);
        // This node was the one that was silent: what the others have said meanwhile is on its way.
        if looked_at + BEAT <= now {
            self.cluster.nodes.lock().excuse(now);
        }
        let sessions = self.registry.session_count();
        let dead = self.cluster.nodes.lock().take_dead(sessions, now);
        for (node, end) in dead {
            tracing::warn!(%node, ?end, "another node is silent: its users have left");
            self.gone(node, end);
        }
        let is_due = self
            .cluster
            .nodes
            .lock()
            .want_word(self.said, sessions, now);
        if is_due {
            self.say_alive(now);
        }
    }

    /// Asks where the logs of the rooms here end, if it is time to.
    fn check_positions(&mut self, myself: &ActorRef<ClusterMessage>, now: Instant) {
        if !self.cluster.is_up() {
            return;
        }
        let is_alone = self.cluster.nodes.lock().is_alone();
        let rooms = || self.registry.rooms(|_| true);
        for rooms in self.checks.take_due(is_alone, rooms, now) {
            let tops = self.cluster.backplane.tops(rooms.clone());
            let myself = myself.clone();
            tokio::spawn(async move {
                // A backplane that does not answer is found to be away by itself.
                if let Ok(tops) = tops.await {
                    let _ = myself.cast(ClusterMessage::Tops(rooms, tops));
                }
            });
        }
    }

    fn take_tops(&mut self, rooms: &[RoomKey], tops: Tops) {
        if self.checks.is_emptied(tops.stamp) {
            self.registry.record_all();
            self.give_all(|| Command::Emptied);
        }
        for (room, top) in rooms.iter().zip(tops.tops) {
            self.give(*room, Command::Top(top));
        }
    }

    /// Notices when what was told here alone was told to the others, after what the rooms were just told to do.
    fn settle_later(&self) {
        let (settled, myself) = (self.registry.settle(), self.myself.clone());
        tokio::spawn(async move {
            settled.await;
            // An actor that has ended leaves no marks.
            let _ = myself.cast(ClusterMessage::Settled);
        });
    }

    fn take_settled(&mut self) {
        if self.cut_off.settled() {
            self.leave_mark(None);
        }
    }

    /// Leaves a mark, or looks for those of others, if it is time to.
    fn see_to_marks(&mut self, now: Instant) {
        let due = self.cut_off.take_due(now);
        if due.mark {
            self.leave_mark(Some(id::now()));
        }
        if due.look {
            let (marks, myself) = (self.registry.store().cut_off(), self.myself.clone());
            tokio::spawn(async move {
                // While the store is away as well, nobody stores anything.
                if let Ok(marks) = marks.await {
                    let _ = myself.cast(ClusterMessage::Marks(marks));
                }
            });
        }
    }

    fn leave_mark(&self, at: Option<Timestamp>) {
        let left = self.registry.store().mark_cut_off(self.cluster.node, at);
        tokio::spawn(async move {
            if let Err(error) = left.await {
                tracing::debug!(%error, "the other nodes cannot see that this one is cut off");
            }
        });
    }

    fn take_marks(&mut self, marks: &[(NodeId, Timestamp)], now: Instant) {
        let own = self.cluster.node;
        let others: Vec<_> = marks
            .iter()
            .copied()
            .filter(|(node, _)| *node != own)
            .collect();
        for (node, since) in self.cut_off.take_marks(&others, now) {
            // Whoever was told to reload since then has what it stored last.
            if self
                .cluster
                .lost_since(node)
                .is_none_or(|lost| lost < since)
            {
                tracing::warn!(%node, "a node that was cut off has died");
                self.cluster.nodes.lock().remove(node);
                self.gone(node, End::Lost);
            }
        }
    }

    /// Looks for sessions to be given up when those that may come back now cannot any more.
    fn sweep_later(&self) {
        let window = self.registry.settings().recovery_window;
        self.myself.send_after(window, || ClusterMessage::Sweep);
    }

    fn say_alive(&mut self, now: Instant) {
        let sessions = self.registry.session_count();
        self.said = Some((now, sessions));
        self.cluster.say(NodeSays::Alive(sessions));
    }

    /// Others have taken this node for dead, and its users have left for them. Each of them says so.
    fn say_present(&mut self, now: Instant) {
        if self.said_present.is_none_or(|at| at + LOOK <= now) {
            self.said_present = Some(now);
            self.give_all(|| Command::Emptied);
        }
    }

    fn gone(&mut self, node: NodeId, end: End) {
        if end == End::Lost {
            self.cut_off.lost(Instant::now());
        }
        let window = self.registry.settings().recovery_window;
        self.cluster.set_gone(node, end, window);
        self.sweep_later();
        self.cluster.asked.lock().gone(node);
        self.give_all(|| Command::NodeGone(node, end));
    }
}
