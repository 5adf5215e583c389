//! What stays of a room when its actor breaks: its name, its ledger, and what is on its way to it.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};
use ractor::{ActorId, ActorRef, MessagingErr};
use tokio::time::Instant;

use super::{
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
    /// Answers of the store that the actor has not taken yet.
    answers: Mutex<Vec<Command>>,
    line: RwLock<Line>,
    restarts: Mutex<Vec<Instant>>,
}

#[derive(Debug, Default)]
struct Line {
    actor: Option<ActorRef<RoomMessage>>,
    /// What was sent while there was no actor to take it.
    waiting: Vec<RoomMessage>,
}

impl RoomCell {
    pub(crate) fn new(key: RoomKey, state: RoomState) -> RoomRef {
        Arc::new(Self {
            key,
            state: Mutex::new(state),
            answers: Mutex::default(),
            line: RwLock::default(),
            restarts: Mutex::default(),
        })
    }

    /// Sends a message to the room. One that is sent while the room is being restarted waits for it.
    pub(crate) fn send(&self, message: RoomMessage) {
        let line = self.line.read();
        let unsent = match &line.actor {
            Some(actor) => match actor.cast(message) {
                Err(MessagingErr::SendErr(message)) => message,
                // Other errors are about messages of another type, which cannot be.
                _ => return,
            },
            None => message,
        };
        let broken = line.actor.as_ref().map(|actor| actor.get_id());
        drop(line);
        let mut line = self.line.write();
        match &line.actor {
            // The room was restarted in between.
            Some(actor) if Some(actor.get_id()) != broken => drop(actor.cast(unsent)),
            _ => line.waiting.push(unsent),
        }
    }

    /// An answer of the store has come in.
    pub(crate) fn answer(&self, answer: Command) {
        let mut answers = self.answers.lock();
        answers.push(answer);
        if answers.len() == 1 {
            drop(answers);
            self.send(RoomMessage::Answered);
        }
    }

    pub(crate) fn take_answers(&self) -> Vec<Command> {
        std::mem::take(&mut *self.answers.lock())
    }

    /// Only the room's actor, and who restarts it, lock the state.
    pub(crate) fn state(&self) -> MutexGuard<'_, RoomState> {
        self.state.lock()
    }

    /// From now on, messages go to this actor; first those that have waited.
    pub(crate) fn attach(&self, actor: ActorRef<RoomMessage>) {
        let mut line = self.line.write();
        for message in std::mem::take(&mut line.waiting) {
            // Were it to fail, its reply would say so as it is dropped.
            let _ = actor.cast(message);
        }
        line.actor = Some(actor);
    }

    pub(crate) fn actor_id(&self) -> Option<ActorId> {
        self.line.read().actor.as_ref().map(|actor| actor.get_id())
    }

    /// Notes a restart; how many there were since `from` is the answer.
    pub(crate) fn restarted(&self, now: Instant, from: Instant) -> usize {
        let mut restarts = self.restarts.lock();
        restarts.retain(|at| *at >= from);
        restarts.push(now);
        restarts.len()
    }
}
