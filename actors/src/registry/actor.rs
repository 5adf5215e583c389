//! The registry's own actor: it waits for sessions that are away, and gives them up in time.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;

use super::{Registry, away::Away};
use crate::session::entry::SessionEntry;

#[derive(Debug)]
pub(crate) enum RegistryMessage {
    /// Sessions may be away of which this actor has not heard.
    Recollect,
    /// A session is away, and may come back for a while.
    Parked(Arc<SessionEntry>),
    /// Some may have stayed away for too long.
    GiveUp,
    /// A test breaks the actor.
    #[cfg(any(test, feature = "testing"))]
    Panic,
}

pub(crate) struct RegistryActor;

pub(crate) struct RegistryState {
    registry: Arc<Registry>,
    away: Away,
    /// Whether a [`RegistryMessage::GiveUp`] is on its way.
    is_timed: bool,
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
        let away = Away::new(registry.settings().recovery_window);
        Ok(RegistryState {
            registry,
            away,
            is_timed: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<RegistryMessage>,
        message: RegistryMessage,
        state: &mut RegistryState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RegistryMessage::Recollect => {
                for entry in state.registry.away() {
                    state.wait_for(&entry);
                }
            }
            RegistryMessage::Parked(entry) => state.wait_for(&entry),
            RegistryMessage::GiveUp => state.give_up(),
            #[cfg(any(test, feature = "testing"))]
            RegistryMessage::Panic => panic!("a test breaks the registry"),
        }
        state.set_timer(&myself);
        Ok(())
    }
}

impl RegistryState {
    fn wait_for(&mut self, entry: &Arc<SessionEntry>) {
        if let Some(first) = self.away.add(entry, Instant::now()) {
            self.registry.give_up(&first);
        }
    }

    fn give_up(&mut self) {
        self.is_timed = false;
        for entry in self.away.take_due(Instant::now()) {
            self.registry.give_up(&entry);
        }
    }

    fn set_timer(&mut self, myself: &ActorRef<RegistryMessage>) {
        if let Some(at) = self.away.next_deadline().filter(|_| !self.is_timed) {
            self.is_timed = true;
            myself.send_after(at - Instant::now(), || RegistryMessage::GiveUp);
        }
    }
}
