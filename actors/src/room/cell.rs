//! What stays of a room when its actor breaks: its name, its state's ledger, and what is on its way to it.
//!
//! What is sent to a room waits here, in order, and not in the actor's mailbox, which would be lost with the actor: a
//! room that breaks loses the one command that it broke over.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::{Mutex, MutexGuard};
use ractor::{ActorId, ActorRef};
use tokio::time::Instant;

use super::{
    actor::Signal,
    message::RoomMessage,
    state::{Command, RoomState},
};
use crate::key::RoomKey;

/// A room's address: it holds over restarts of the room.
pub(crate) type RoomRef = Arc<RoomCell>;

#[derive(Debug)]
pub(crate) struct RoomCell {
    pub(crate) key: RoomKey,
    state: Mutex<RoomState>,
    inbox: Mutex<Inbox>,
    restarts: Mutex<Vec<Instant>>,
}

#[derive(Debug, Default)]
struct Inbox {
    commands: VecDeque<Command>,
    actor: Option<ActorRef<Signal>>,
    /// The actor knows that there are commands.
    is_woken: bool,
}

impl RoomCell {
    pub(crate) fn new(key: RoomKey, state: RoomState) -> RoomRef {
        Arc::new(Self {
            key,
            state: Mutex::new(state),
            inbox: Mutex::default(),
            restarts: Mutex::default(),
        })
    }

    /// Sends a message to the room.
    pub(crate) fn send(&self, message: RoomMessage) {
        self.give(Command::Message(message));
    }

    /// Puts a command last in the room's inbox. One that comes while the room is being restarted waits for it.
    pub(crate) fn give(&self, command: Command) {
        let mut inbox = self.inbox.lock();
        inbox.commands.push_back(command);
        if !inbox.is_woken {
            inbox.wake();
        }
    }

    /// The next command; the actor is woken again for what comes after the last.
    pub(crate) fn next(&self) -> Option<Command> {
        let mut inbox = self.inbox.lock();
        let next = inbox.commands.pop_front();
        inbox.is_woken = next.is_some();
        next
    }

    /// Whether nothing is on its way to the room.
    pub(crate) fn is_quiet(&self) -> bool {
        self.inbox.lock().commands.is_empty()
    }

    /// Only the room's actor, and who restarts it, lock the state.
    pub(crate) fn state(&self) -> MutexGuard<'_, RoomState> {
        self.state.lock()
    }

    /// From now on, this actor takes what is sent; first what has waited.
    pub(crate) fn attach(&self, actor: ActorRef<Signal>) {
        let mut inbox = self.inbox.lock();
        inbox.actor = Some(actor);
        inbox.is_woken = false;
        if !inbox.commands.is_empty() {
            inbox.wake();
        }
    }

    pub(crate) fn actor_id(&self) -> Option<ActorId> {
        self.inbox.lock().actor.as_ref().map(|actor| actor.get_id())
    }

    /// Notes a restart; how many there were since `from` is the answer.
    pub(crate) fn restarted(&self, now: Instant, from: Instant) -> usize {
        let mut restarts = self.restarts.lock();
        restarts.retain(|at| *at >= from);
        restarts.push(now);
        restarts.len()
    }
}

impl Inbox {
    fn wake(&mut self) {
        // An actor that has broken is replaced by one that is woken when it is attached.
        let actor = self.actor.as_ref();
        self.is_woken = actor.is_some_and(|actor| actor.cast(Signal::Wake).is_ok());
    }
}
