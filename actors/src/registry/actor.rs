//! The supervisor of every room and session of a node.
//!
//! A broken room is started again, and nobody's connection drops; one that keeps breaking is given up, with the
//! connections of who is in it. A broken session is closed alone.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::time::Instant;

use super::Registry;
use crate::session::entry::SessionEntry;

/// So many restarts of one room ...
pub(super) const RESTARTS_MAX: usize = 5;
/// ... within this time are too many.
pub(super) const RESTARTS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) enum RegistryMessage {
    /// A session is away, and may come back for a while.
    Parked(Arc<SessionEntry>),
    /// Some may have stayed away for too long.
    GiveUp,
}

pub(crate) struct RegistryActor;

pub(crate) struct RegistryState {
    registry: Arc<Registry>,
    /// Sessions that are away, in the order of their going.
    away: VecDeque<(Instant, Arc<SessionEntry>)>,
}

impl Actor for RegistryActor {
    type Msg = RegistryMessage;
    type State = RegistryState;
    type Arguments = Arc<Registry>;

    async fn pre_start(
        &self,
        _myself: ActorRef<RegistryMessage>,
        registry: Arc<Registry>,
    ) -> Result<RegistryState, ActorProcessingErr> {
        Ok(RegistryState {
            registry,
            away: VecDeque::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<RegistryMessage>,
        message: RegistryMessage,
        state: &mut RegistryState,
    ) -> Result<(), ActorProcessingErr> {
        let window = state.registry.settings().recovery_window;
        match message {
            RegistryMessage::Parked(entry) => {
                state.away.push_back((Instant::now() + window, entry));
                if state.away.len() == 1 {
                    myself.send_after(window, || RegistryMessage::GiveUp);
                }
            }
            RegistryMessage::GiveUp => {
                let now = Instant::now();
                while let Some((_, entry)) = state.away.pop_front_if(|(until, _)| *until <= now) {
                    state.registry.give_up(&entry);
                }
                if let Some((until, _)) = state.away.front() {
                    myself.send_after(*until - now, || RegistryMessage::GiveUp);
                }
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<RegistryMessage>,
        event: SupervisionEvent,
        state: &mut RegistryState,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(broken, error) = event {
            tracing::error!(%error, "an actor has broken");
            if !state.registry.restart_room(broken.get_id()) {
                state.registry.close_broken_session(broken.get_id());
            }
        }
        Ok(())
    }
}
