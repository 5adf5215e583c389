//! The actor of a room: it gives what comes in to the state, and does what the state decides.
//!
//! Frames are put into the members' outboxes here, and written by one `Flush` that the room sends to itself: what was
//! queued before it is handled goes out in the same write.

use std::sync::Arc;

use collabflow_protocol::event::ServerEvent;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;

use super::{
    cell::RoomRef,
    effect::{Audience, Effect},
    message::{Departure, RoomMessage},
    state::{Command, RoomState},
    store_calls::StoreCalls,
};
use crate::{
    metrics,
    outbox::{Broadcast, Outbox},
    registry::Registry,
    session::{entry::SessionEntry, reply::Reply},
};

/// So many sockets are written before others get a turn on the thread.
const WRITES_PER_TURN: usize = 128;

pub(crate) struct RoomActor;

pub(crate) struct RoomArgs {
    pub(crate) room: RoomRef,
    pub(crate) registry: Arc<Registry>,
    /// What a restarted room has to do first.
    pub(crate) effects: Vec<Effect>,
}

pub(crate) struct ActorState {
    room: RoomRef,
    registry: Arc<Registry>,
    store: StoreCalls,
    first: Vec<Effect>,
    /// Outboxes that have something to write.
    dirty: Vec<Arc<Outbox>>,
    is_flush_queued: bool,
    /// When the next tick comes, if one is on its way.
    tick_at: Option<Instant>,
}

impl Actor for RoomActor {
    type Msg = RoomMessage;
    type State = ActorState;
    type Arguments = RoomArgs;

    async fn pre_start(
        &self,
        _myself: ActorRef<RoomMessage>,
        args: RoomArgs,
    ) -> Result<ActorState, ActorProcessingErr> {
        let RoomArgs {
            room,
            registry,
            effects,
        } = args;
        let store = StoreCalls::new(&registry, &room);
        Ok(ActorState {
            room,
            registry,
            store,
            first: effects,
            dirty: Vec::new(),
            is_flush_queued: false,
            tick_at: None,
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<RoomMessage>,
        state: &mut ActorState,
    ) -> Result<(), ActorProcessingErr> {
        let first = std::mem::take(&mut state.first);
        state.perform(first);
        state.apply(state.room.take_answers());
        state.settle(&myself);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<RoomMessage>,
        message: RoomMessage,
        state: &mut ActorState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RoomMessage::Flush => state.flush().await,
            RoomMessage::Answered => state.apply(state.room.take_answers()),
            RoomMessage::Tick => {
                state.tick_at = None;
                state.apply([Command::Message(RoomMessage::Tick)]);
                let is_idle = state.room.state().is_idle(Instant::now());
                if is_idle && state.registry.retire(&state.room) {
                    myself.stop(None);
                    return Ok(());
                }
            }
            message => state.apply([Command::Message(message)]),
        }
        state.settle(&myself);
        Ok(())
    }
}

impl ActorState {
    fn apply(&mut self, commands: impl IntoIterator<Item = Command>) {
        let now = Instant::now();
        for command in commands {
            let effects = self.room.state().apply(command, now);
            self.perform(effects);
        }
    }

    /// Sees to it that what is queued is written, and what is due is done.
    fn settle(&mut self, myself: &ActorRef<RoomMessage>) {
        if !self.dirty.is_empty() && !self.is_flush_queued {
            self.is_flush_queued = myself.cast(RoomMessage::Flush).is_ok();
        }
        let Some(due) = self.room.state().next_deadline() else {
            return;
        };
        if self.tick_at.is_none_or(|at| due < at) {
            self.tick_at = Some(due);
            let myself = myself.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(due).await;
                // A room that has stopped needs no tick.
                let _ = myself.cast(RoomMessage::Tick);
            });
        }
    }

    async fn flush(&mut self) {
        self.is_flush_queued = false;
        for (written, outbox) in std::mem::take(&mut self.dirty).into_iter().enumerate() {
            outbox.flush();
            if written % WRITES_PER_TURN == WRITES_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::ReadMembership => self.store.read_membership(),
                Effect::Ask(slot, request) => self.store.ask(slot, request),
                Effect::Tell(event, audience) => self.tell(&event, &audience),
                Effect::TellOn(event, only, heard) => {
                    self.tell_on(&event, only.as_deref(), &mut heard.lock());
                }
                Effect::Answer(reply, result) => self.dirty.extend(reply.settle(result)),
                Effect::Replay { old, new } => self.replay(&old, &new),
                Effect::MoveOn(entry, rooms) => self.move_on(&entry, rooms),
                // Who waited may have gone.
                Effect::Confirm(done) => drop(done.send(())),
            }
        }
    }

    fn tell(&mut self, event: &ServerEvent, audience: &Audience) {
        let broadcast = Broadcast::new(event);
        let state = self.room.state();
        match audience {
            Audience::All => push_all(&state, &broadcast, &mut self.dirty, |_| true),
            Audience::AllBut(out) => push_all(&state, &broadcast, &mut self.dirty, |e| {
                !out.contains(&e.id)
            }),
            Audience::Only(sessions) => {
                let seats = sessions
                    .iter()
                    .filter_map(|session| state.members().get(*session));
                let pushed = seats
                    .map(|seat| push(&state, &seat.entry, &broadcast, &mut self.dirty))
                    .count();
                metrics::delivered(pushed);
            }
        }
    }

    fn tell_on(
        &mut self,
        broadcast: &Broadcast,
        only: Option<&std::collections::HashSet<collabflow_protocol::id::UserId>>,
        heard: &mut std::collections::HashSet<crate::id::SessionId>,
    ) {
        let state = self.room.state();
        push_all(&state, broadcast, &mut self.dirty, |entry| {
            only.is_none_or(|only| only.contains(&entry.user_id())) && heard.insert(entry.id)
        });
    }

    fn replay(&mut self, old: &SessionEntry, new: &SessionEntry) {
        let key = self.room.key;
        let missed = old.outbox.take_missed(key);
        if !missed.complete {
            let broadcast = Broadcast::new(&ServerEvent::RoomResync {
                room: key.to_string(),
            });
            self.push_frame(new, broadcast.frame(new.outbox.wire()), false);
        }
        for frame in &missed.frames {
            self.push_frame(new, frame, true);
        }
    }

    fn push_frame(
        &mut self,
        entry: &SessionEntry,
        frame: &collabflow_protocol::frame::Frame,
        is_durable: bool,
    ) {
        let outbox = &entry.outbox;
        let is_dirty = if is_durable {
            outbox.push_durable(self.room.key, frame)
        } else {
            outbox.push(frame)
        };
        if is_dirty {
            self.dirty.push(Arc::clone(outbox));
        }
    }

    fn move_on(&self, entry: &Arc<SessionEntry>, rooms: Vec<crate::key::RoomKey>) {
        for room in rooms
            .into_iter()
            .filter_map(|room| self.registry.find(room))
        {
            room.send(RoomMessage::Depart(
                Arc::clone(entry),
                Departure::Dropped,
                Reply::nobody(),
            ));
        }
    }
}

fn push_all(
    state: &RoomState,
    broadcast: &Broadcast,
    dirty: &mut Vec<Arc<Outbox>>,
    mut hears: impl FnMut(&SessionEntry) -> bool,
) {
    let hearing = state
        .members()
        .seats()
        .iter()
        .filter(|seat| hears(&seat.entry));
    let pushed = hearing
        .map(|seat| push(state, &seat.entry, broadcast, dirty))
        .count();
    metrics::delivered(pushed);
}

fn push(
    state: &RoomState,
    entry: &SessionEntry,
    broadcast: &Broadcast,
    dirty: &mut Vec<Arc<Outbox>>,
) {
    let frame = broadcast.frame(entry.outbox.wire());
    let is_dirty = if broadcast.is_durable() {
        entry.outbox.push_durable(state.key(), frame)
    } else {
        entry.outbox.push(frame)
    };
    if is_dirty {
        dirty.push(Arc::clone(&entry.outbox));
    }
}
