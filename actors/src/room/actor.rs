//! The actor of a room: it gives what comes in to the state, and does what the state decides.
//!
//! What is sent to a room waits in its cell; the actor's mailbox holds signals alone. Frames are put into the members'
//! outboxes here, and written when a turn's commands are done: what they queued goes out in the same write.

use std::sync::Arc;

use collabflow_protocol::{event::ServerEvent, frame::Frame};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::{task::JoinHandle, time::Instant};

use super::{
    cell::RoomRef,
    dirty::Dirty,
    effect::{Audience, Effect},
    log_calls::LogCalls,
    message::{Departure, RoomMessage},
    state::{Command, RoomState},
    store_calls::StoreCalls,
};
use crate::{
    metrics,
    outbox::{Broadcast, Mark, Weight},
    registry::Registry,
    session::{entry::SessionEntry, reply::Reply},
};

/// Commands that are applied before what they queued is written.
const COMMANDS_PER_TURN: usize = 64;

pub(crate) struct RoomActor;

/// What a room's actor is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// There are commands in the cell.
    Wake,
    /// Something may be due.
    Tick,
}

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
    log: LogCalls,
    first: Vec<Effect>,
    dirty: Dirty,
    /// When the next tick comes, if one is on its way, and what brings it.
    tick: Option<(Instant, JoinHandle<()>)>,
}

impl Actor for RoomActor {
    type Msg = Signal;
    type State = ActorState;
    type Arguments = RoomArgs;

    async fn pre_start(
        &self,
        _myself: ActorRef<Signal>,
        args: RoomArgs,
    ) -> Result<ActorState, ActorProcessingErr> {
        let RoomArgs {
            room,
            registry,
            effects,
        } = args;
        let store = StoreCalls::new(&registry, &room);
        let log = LogCalls::new(&registry, &room);
        Ok(ActorState {
            room,
            registry,
            store,
            log,
            first: effects,
            dirty: Dirty::default(),
            tick: None,
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Signal>,
        state: &mut ActorState,
    ) -> Result<(), ActorProcessingErr> {
        let first = std::mem::take(&mut state.first);
        state.perform(first);
        state.send().await;
        state.await_tick(&myself);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Signal>,
        signal: Signal,
        state: &mut ActorState,
    ) -> Result<(), ActorProcessingErr> {
        match signal {
            Signal::Wake => state.take_turn(&myself),
            Signal::Tick => {
                state.forget_tick();
                state.apply(Command::Tick);
                let is_idle = state.room.state().is_idle(Instant::now());
                if is_idle {
                    if state.registry.retire(&state.room) {
                        myself.stop(None);
                        return Ok(());
                    }
                    // Somebody has just got its address, and is about to use it.
                    state.room.state().keep(Instant::now());
                }
            }
        }
        state.send().await;
        state.await_tick(&myself);
        Ok(())
    }
}

impl ActorState {
    /// Sends what the turn has left to be sent.
    async fn send(&mut self) {
        if self.dirty.has_pages() {
            let state = self.room.state();
            self.dirty
                .bring_up_to_date(|task| state.ledger.told.present(task));
        }
        self.dirty.flush().await;
    }

    /// Does what waits in the cell, up to a turn's worth.
    fn take_turn(&mut self, myself: &ActorRef<Signal>) {
        for _ in 0..COMMANDS_PER_TURN {
            let Some(command) = self.room.next() else {
                return;
            };
            self.apply(command);
        }
        // A room that is being stopped needs no further turn.
        let _ = myself.cast(Signal::Wake);
    }

    fn apply(&mut self, command: Command) {
        let effects = self.room.state().apply(command, Instant::now());
        self.perform(effects);
    }

    /// Sees to it that the actor is told when something is due.
    fn await_tick(&mut self, myself: &ActorRef<Signal>) {
        let Some(due) = self.room.state().next_deadline() else {
            return;
        };
        if self.tick.as_ref().is_none_or(|(at, _)| due < *at) {
            self.forget_tick();
            let myself = myself.clone();
            let alarm = tokio::spawn(async move {
                tokio::time::sleep_until(due).await;
                // A room that has stopped needs no tick.
                let _ = myself.cast(Signal::Tick);
            });
            self.tick = Some((due, alarm));
        }
    }

    fn forget_tick(&mut self) {
        if let Some((_, alarm)) = self.tick.take() {
            alarm.abort();
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::ReadMembership(number) => self.store.read_membership(number),
                Effect::Ask(slot, request) => self.store.ask(slot, request),
                Effect::Append(append) => self.log.append(append),
                Effect::Here(user) => self.log.here(&user),
                Effect::NotHere(user) => self.log.not_here(user),
                Effect::AllHere(users) => self.log.all_here(users),
                Effect::Forget(node, users) => self.log.forget(node, &users),
                Effect::Closed(user) => self.log.closed(user),
                Effect::Types(entry, is_typing) => self.log.types(&entry, is_typing),
                Effect::Follow => self.log.follow(),
                Effect::ReadPresent => self.log.read_present(),
                Effect::ReadLog(after) => self.log.read(after),
                Effect::ReadHistory => self.log.read_history(),
                Effect::Record(entry) => self.registry.record(&entry),
                // Who asked may have gone.
                Effect::ToldTo(asked, stamp) => drop(asked.send(stamp)),
                Effect::Take(message) => self.apply(Command::Message(message)),
                Effect::Tell(event, audience, mark) => self.tell(&event, &audience, mark),
                Effect::TellAgain(entry, event, stamp) => {
                    let frame = event.frame(entry.outbox.wire());
                    self.push_frame(&entry, frame, Mark::At(stamp));
                }
                Effect::TellShared(shared, mark) => {
                    let state = self.room.state();
                    push_all(&state, &shared.event, mark, &mut self.dirty, |entry| {
                        shared.is_for(entry)
                    });
                }
                Effect::Answer(reply, result) => self.dirty.answer(reply, result),
                Effect::Replay { old, new } => self.replay(&old, &new),
                Effect::MoveOn(entry, rooms) => self.move_on(&entry, rooms),
                // Who waited may have gone.
                Effect::Confirm(done) => drop(done.send(())),
                Effect::Vouch(asked, standing) => drop(asked.send(standing)),
            }
        }
    }

    fn tell(&mut self, event: &ServerEvent, audience: &Audience, mark: Mark) {
        let broadcast = Broadcast::new(event);
        metrics::event_told(event.name());
        let state = self.room.state();
        match audience {
            Audience::All => push_all(&state, &broadcast, mark, &mut self.dirty, |_| true),
            Audience::AllBut(out) => push_all(&state, &broadcast, mark, &mut self.dirty, |e| {
                !out.contains(&e.id)
            }),
            Audience::Only(sessions) => {
                let seats = sessions
                    .iter()
                    .filter_map(|session| state.members().get(*session));
                let pushed = seats
                    .map(|seat| push(&state, &seat.entry, &broadcast, mark, &mut self.dirty))
                    .count();
                metrics::delivered(pushed);
            }
        }
    }

    fn replay(&mut self, old: &SessionEntry, new: &SessionEntry) {
        let key = self.room.key;
        let missed = old.outbox.take_missed(key);
        if !missed.complete {
            let resync = Broadcast::new(&ServerEvent::RoomResync {
                room: key.to_string(),
            });
            let outbox = &new.outbox;
            if outbox.push_resync(key, resync.frame(outbox.wire())) {
                self.dirty.push(Arc::clone(outbox));
            }
        }
        for frame in &missed.frames {
            self.push_frame(new, frame, Mark::Beside);
        }
    }

    fn push_frame(&mut self, entry: &SessionEntry, frame: &Frame, mark: Mark) {
        if entry.outbox.push_durable(self.room.key, mark, frame) {
            self.dirty.push(Arc::clone(&entry.outbox));
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
    mark: Mark,
    dirty: &mut Dirty,
    hears: impl Fn(&SessionEntry) -> bool,
) {
    let hearing = state
        .members()
        .seats()
        .iter()
        .filter(|seat| hears(&seat.entry));
    let pushed = hearing
        .map(|seat| push(state, &seat.entry, broadcast, mark, dirty))
        .count();
    metrics::delivered(pushed);
}

fn push(
    state: &RoomState,
    entry: &SessionEntry,
    broadcast: &Broadcast,
    mark: Mark,
    dirty: &mut Dirty,
) {
    let frame = broadcast.frame(entry.outbox.wire());
    let is_dirty = match broadcast.weight() {
        Weight::Durable => entry.outbox.push_durable(state.key(), mark, frame),
        Weight::Resync => entry.outbox.push_resync(state.key(), frame),
        Weight::Passing => entry.outbox.push(frame),
    };
    if is_dirty {
        dirty.push(Arc::clone(&entry.outbox));
    }
}
