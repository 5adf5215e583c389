//! The registry's own actor: it waits for sessions that are away, and gives them up in time.

use std::{collections::VecDeque, sync::Arc};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;

use super::Registry;
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
        match message {
            RegistryMessage::Recollect => {
                for entry in state.registry.away() {
                    state.wait_for(entry, &myself);
                }
            }
            RegistryMessage::Parked(entry) => state.wait_for(entry, &myself),
            RegistryMessage::GiveUp => state.give_up(&myself),
            #[cfg(any(test, feature = "testing"))]
            RegistryMessage::Panic => panic!("a test breaks the registry"),
        }
        Ok(())
    }
}

impl RegistryState {
    fn wait_for(&mut self, entry: Arc<SessionEntry>, myself: &ActorRef<RegistryMessage>) {
        let window = self.registry.settings().recovery_window;
        self.away.push_back((Instant::now() + window, entry));
        if self.away.len() == 1 {
            myself.send_after(window, || RegistryMessage::GiveUp);
        }
    }

    fn give_up(&mut self, myself: &ActorRef<RegistryMessage>) {
        let now = Instant::now();
        while let Some((_, entry)) = self.away.pop_front_if(|(until, _)| *until <= now) {
            self.registry.give_up(&entry);
        }
        if let Some((until, _)) = self.away.front() {
            myself.send_after(*until - now, || RegistryMessage::GiveUp);
        }
    }
}
