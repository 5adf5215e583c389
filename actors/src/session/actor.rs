//! The actor of one session: it sends each event on to the room that it concerns, in order.
//!
//! It never carries outbound frames: rooms put those into the session's outbox themselves.

use std::{collections::VecDeque, sync::Arc};

use collabflow_protocol::{error::ClientError, event::ClientEvent};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    entry::SessionEntry,
    gate::{Gate, Lane},
    reply::{Done, Reply},
};
use crate::{
    key::RoomKey,
    node::{Ended, Inbound, Refusal, Request},
    registry::Registry,
    room::{Author, Departure, RoomMessage},
};

/// What a session is told.
#[derive(Debug)]
pub(crate) enum SessionMessage {
    /// An event has come in.
    Inbound(Box<Inbound>, OwnedSemaphorePermit),
    /// Nothing is under way any more.
    GateOpen,
    /// Its connection has ended.
    Ended(Ended),
    /// Breaks the actor, for tests of supervision.
    #[cfg(feature = "testing")]
    Panic,
}

pub(crate) struct SessionActor;

pub(crate) struct SessionArgs {
    pub(crate) entry: Arc<SessionEntry>,
    pub(crate) registry: Arc<Registry>,
}

pub(crate) struct SessionState {
    entry: Arc<SessionEntry>,
    registry: Arc<Registry>,
    gate: Gate,
    /// Events that wait for the gate, in order.
    waiting: VecDeque<Event>,
}

/// An event, and the permit under which it was handed over.
type Event = (Box<Inbound>, OwnedSemaphorePermit);

impl Actor for SessionActor {
    type Msg = SessionMessage;
    type State = SessionState;
    type Arguments = SessionArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<SessionMessage>,
        args: SessionArgs,
    ) -> Result<SessionState, ActorProcessingErr> {
        let SessionArgs { entry, registry } = args;
        Ok(SessionState {
            entry,
            registry,
            gate: Gate::new(myself),
            waiting: VecDeque::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<SessionMessage>,
        message: SessionMessage,
        state: &mut SessionState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SessionMessage::Inbound(inbound, permit) => state.take((inbound, permit)),
            SessionMessage::GateOpen => state.start_waiting(),
            SessionMessage::Ended(how) => {
                state.waiting.clear();
                state.registry.end_session(&state.entry, how);
                myself.stop(None);
            }
            #[cfg(feature = "testing")]
            SessionMessage::Panic => panic!("a test breaks this session"),
        }
        Ok(())
    }
}

impl SessionState {
    fn take(&mut self, event: Event) {
        // Few sessions ever have one waiting.
        let held = if self.waiting.is_empty() {
            self.start(event)
        } else {
            Some(event)
        };
        self.waiting.extend(held);
    }

    fn start_waiting(&mut self) {
        while let Some(first) = self.waiting.pop_front() {
            if let Some(held) = self.start(first) {
                self.waiting.push_front(held);
                return;
            }
        }
    }

    /// Starts an event; one that has to wait is given back.
    fn start(&mut self, (inbound, permit): Event) -> Option<Event> {
        let lane = lane_of(&inbound);
        let ticket = if is_beacon(&inbound) {
            self.gate.start_beside(permit)
        } else if self.gate.admits(lane) {
            self.gate.start(lane, permit)
        } else {
            return Some((inbound, permit));
        };
        let Inbound { name, event, ack } = *inbound;
        let reply = Reply::ack(Arc::clone(&self.entry.outbox), name, ack, ticket);
        match event {
            Ok(Request::Event(event)) => self.send_on(event, reply),
            Ok(Request::Refreshed(expires_at)) => answer(reply, Ok(Done::Token(expires_at))),
            Ok(Request::Refresh(_)) => answer(reply, Err(ClientError::internal().into())),
            Err(error) => answer(reply, Err(error.into())),
        }
        None
    }

    fn send_on(&self, event: ClientEvent, reply: Reply) {
        let entry = Arc::clone(&self.entry);
        let author = || Author::Session(Arc::clone(&self.entry));
        match event {
            ClientEvent::Join(scope) => self.to(scope.into(), RoomMessage::Join(entry, reply)),
            ClientEvent::ChatJoin(channel) => {
                self.to(RoomKey::Chat(channel), RoomMessage::Join(entry, reply));
            }
            ClientEvent::Leave(scope) => self.leave(scope.into(), reply),
            ClientEvent::ChatLeave(channel) => self.leave(RoomKey::Chat(channel), reply),
            ClientEvent::Task(project, command) => {
                self.to(
                    RoomKey::Project(project),
                    RoomMessage::Task(author(), command, reply),
                );
            }
            ClientEvent::ChatMessage(channel, draft) => {
                self.to(
                    RoomKey::Chat(channel),
                    RoomMessage::Post(author(), draft, reply),
                );
            }
            ClientEvent::ChatTyping(channel, is_typing) => {
                self.to(
                    RoomKey::Chat(channel),
                    RoomMessage::Typing(entry, is_typing, reply),
                );
            }
        }
    }

    fn to(&self, room: RoomKey, message: RoomMessage) {
        self.registry.room(room).send(message);
    }

    /// A room that is not there needs no leaving.
    fn leave(&self, room: RoomKey, reply: Reply) {
        match self.registry.find(room) {
            Some(room) => room.send(RoomMessage::Depart(
                Arc::clone(&self.entry),
                Departure::Left,
                reply,
            )),
            None => answer(reply, Ok(Done::Plain)),
        }
    }
}

fn lane_of(inbound: &Inbound) -> Lane {
    match &inbound.event {
        Ok(Request::Event(ClientEvent::Task(project, _))) => {
            Lane::Changes(RoomKey::Project(*project))
        }
        Ok(Request::Event(ClientEvent::ChatMessage(channel, _))) => {
            Lane::Changes(RoomKey::Chat(*channel))
        }
        _ => Lane::Alone,
    }
}

/// Typing that nobody waits for an answer to: it has no place in the order, and need not wait for a store.
fn is_beacon(inbound: &Inbound) -> bool {
    inbound.ack.is_none()
        && matches!(
            inbound.event,
            Ok(Request::Event(ClientEvent::ChatTyping(..)))
        )
}

fn answer(reply: Reply, result: Result<Done, Refusal>) {
    if let Some(outbox) = reply.settle(result) {
        outbox.flush();
    }
}
