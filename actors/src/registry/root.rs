//! The root of the tree: the supervisor of the registry's actor, of every room and of every session.
//!
//! A broken room is started again, and nobody's connection drops; one that keeps breaking is given up, with the
//! connections of who is in it. A broken session is closed alone. The registry's actor is started again, and finds who
//! is away in the tables; where it keeps breaking, the tree ends, and the process with it.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ractor::{
    Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent,
};
use tokio::time::Instant;

use super::{
    Registry,
    actor::{RegistryActor, RegistryMessage},
};
use crate::{cluster::ClusterActor, metrics, node::Ended, outbox::CloseReason, room::RoomRef};

/// So many restarts of one actor ...
const RESTARTS_MAX: usize = 5;
/// ... within this time are too many.
const RESTARTS_WITHIN: Duration = Duration::from_secs(10);

/// Nobody asks the root for anything.
#[derive(Debug)]
pub(crate) enum RootMessage {}

pub(super) struct Root;

pub(super) struct RootState {
    registry: Arc<Registry>,
    /// When the registry's actor was started again lately.
    restarts: VecDeque<Instant>,
}

impl Actor for Root {
    type Msg = RootMessage;
    type State = RootState;
    type Arguments = Arc<Registry>;

    async fn pre_start(
        &self,
        myself: ActorRef<RootMessage>,
        registry: Arc<Registry>,
    ) -> Result<RootState, ActorProcessingErr> {
        registry.start_actor(myself.get_cell())?;
        registry.start_cluster(myself.get_cell())?;
        Ok(RootState {
            registry,
            restarts: VecDeque::new(),
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<RootMessage>,
        message: RootMessage,
        _state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        match message {}
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<RootMessage>,
        event: SupervisionEvent,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        let SupervisionEvent::ActorFailed(broken, error) = event else {
            return Ok(());
        };
        tracing::error!(%error, "an actor has broken");
        let (registry, broken) = (&state.registry, broken.get_id());
        if registry
            .cluster()
            .is_some_and(|cluster| cluster.has_actor(broken))
        {
            registry.restarted("cluster");
            return registry.start_cluster(myself.get_cell());
        }
        if registry.is_own_actor(broken) {
            return state.restart_registry(&myself);
        }
        if !registry.restart_room(broken) {
            registry.close_broken_session(broken);
        }
        Ok(())
    }
}

impl RootState {
    fn restart_registry(&mut self, root: &ActorRef<RootMessage>) -> Result<(), ActorProcessingErr> {
        self.registry.restarted("registry");
        let now = Instant::now();
        self.restarts.push_back(now);
        while self
            .restarts
            .pop_front_if(|at| *at + RESTARTS_WITHIN < now)
            .is_some()
        {}
        if self.restarts.len() > RESTARTS_MAX {
            tracing::error!("the registry keeps breaking: the node ends");
            root.stop(None);
            return Ok(());
        }
        self.registry.start_actor(root.get_cell())
    }
}

impl Registry {
    /// Starts the registry's actor, which looks first who is away.
    fn start_actor(self: &Arc<Self>, root: ActorCell) -> Result<(), ActorProcessingErr> {
        let (actor, _) =
            ActorRuntime::spawn_linked_instant(None, RegistryActor, Arc::clone(self), root)?;
        // Who parks a session does so before it looks for the actor: what the one before does not hear of, this one sees.
        *self.actor.write() = Some(actor.clone());
        actor.cast(RegistryMessage::Recollect)?;
        Ok(())
    }

    /// Starts the cluster's actor, where there is a cluster.
    fn start_cluster(self: &Arc<Self>, root: ActorCell) -> Result<(), ActorProcessingErr> {
        if let Some(cluster) = self.cluster() {
            let args = (Arc::clone(self), Arc::clone(cluster));
            let (actor, _) = ActorRuntime::spawn_linked_instant(None, ClusterActor, args, root)?;
            cluster.set_actor(actor);
        }
        Ok(())
    }

    fn is_own_actor(&self, id: ActorId) -> bool {
        let actor = self.actor.read();
        actor.as_ref().is_some_and(|actor| actor.get_id() == id)
    }

    fn restarted(&self, kind: &'static str) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        metrics::actor_restarted(kind);
    }

    /// Starts a broken room again with those who were in it, by what their sessions say.
    fn restart_room(self: &Arc<Self>, broken: ActorId) -> bool {
        let is_it = |room: &RoomRef| room.actor_id() == Some(broken);
        let Some(room) = self
            .rooms
            .iter()
            .find(|room| is_it(room))
            .map(|room| Arc::clone(&room))
        else {
            return false;
        };
        self.restarted("room");
        let now = Instant::now();
        let seats: Vec<_> = self
            .returning
            .iter()
            .filter(|held| *held.key() == held.pid)
            .flat_map(|entry| entry.seats_in(room.key))
            .map(|entry| (Arc::clone(&entry), entry.has_ended()))
            .collect();
        if room.restarted(now, now - RESTARTS_WITHIN) > RESTARTS_MAX {
            tracing::error!(room = %room.key, "a room keeps breaking: its sessions are closed");
            self.rooms.remove(&room.key);
            for (entry, _) in seats {
                entry.outbox.close(CloseReason::Internal);
            }
            return true;
        }
        tracing::error!(room = %room.key, sessions = seats.len(), "a room has broken and is restarted");
        let effects = {
            let mut state = room.state();
            let fresh = self.fresh_room(room.key);
            let old = std::mem::replace(&mut *state, fresh);
            state.restart(old, seats)
        };
        self.start_room(&room, effects);
        true
    }

    /// Closes the connection of a session that has broken.
    fn close_broken_session(&self, broken: ActorId) {
        let found = self
            .sessions
            .iter()
            .find(|live| live.actor.get_id() == broken)
            .map(|live| Arc::clone(&live.entry));
        if let Some(entry) = found {
            self.restarted("session");
            tracing::error!(session = %entry.id, user = %entry.user_id(), "a session has broken and is closed");
            entry.outbox.close(CloseReason::Internal);
            self.end_session(&entry, Ended::Dropped);
        }
    }

    /// Breaks the registry's actor by a panic, as a fault in it would.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn break_actor(&self) {
        if let Some(actor) = &*self.actor.read() {
            // One that has just broken is being started again.
            let _ = actor.cast(RegistryMessage::Panic);
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn break_session(&self, session: crate::id::SessionId) {
        if let Some(live) = self.sessions.get(&session) {
            // One that has ended cannot be broken any more.
            let _ = live
                .actor
                .cast(crate::session::actor::SessionMessage::Panic);
        }
    }
}
