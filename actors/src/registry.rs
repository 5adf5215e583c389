//! The registry: which rooms and sessions there are on this node. It resolves; it does not carry messages.
//!
//! The tables can be read by everybody without waiting. Rooms are made where they are first needed, and retired only
//! while nobody can hold their address. The registry's actor ([`actor`]) is the supervisor of all of them.

pub(crate) mod actor;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use collabflow_protocol::id::UserId;
use dashmap::DashMap;
use ractor::{Actor, ActorId, ActorRef, ActorRuntime};
use tokio::time::Instant;

use crate::{
    id::{IdSource, PrivateId, SessionId},
    key::RoomKey,
    metrics,
    node::{Ended, Settings},
    outbox::{CloseReason, Outbox, Wire},
    room::{Departure, RoomActor, RoomArgs, RoomCell, RoomMessage, RoomRef},
    session::{actor::SessionMessage, entry::SessionEntry, reply::Reply},
    store::Store,
};
use actor::RegistryMessage;

pub(crate) struct Registry {
    store: Arc<dyn Store>,
    settings: Settings,
    ids: IdSource,
    rooms: DashMap<RoomKey, RoomRef>,
    sessions: DashMap<SessionId, Live>,
    /// Sessions that are connected, or may still come back, by their secret.
    returning: DashMap<PrivateId, Arc<SessionEntry>>,
    supervisor: OnceLock<ActorRef<RegistryMessage>>,
    restarts: AtomicU64,
}

struct Live {
    entry: Arc<SessionEntry>,
    actor: ActorRef<SessionMessage>,
}

impl Registry {
    pub(crate) fn new(store: Arc<dyn Store>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            store,
            settings,
            ids: IdSource::default(),
            rooms: DashMap::new(),
            sessions: DashMap::new(),
            returning: DashMap::new(),
            supervisor: OnceLock::new(),
            restarts: AtomicU64::new(0),
        })
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(crate) fn ids(&self) -> &IdSource {
        &self.ids
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn supervisor(&self) -> &ActorRef<RegistryMessage> {
        self.supervisor
            .get()
            .expect("the registry's actor is started before anything else")
    }

    /// The room, which is made if it is not there.
    pub(crate) fn room(self: &Arc<Self>, key: RoomKey) -> RoomRef {
        if let Some(room) = self.find(key) {
            return room;
        }
        Arc::clone(&self.rooms.entry(key).or_insert_with(|| {
            let state = crate::room::RoomState::new(key, self.settings.clone(), Instant::now());
            let room = RoomCell::new(key, state);
            self.start_room(&room, Vec::new());
            room
        }))
    }

    /// The room, if it is there.
    pub(crate) fn find(&self, key: RoomKey) -> Option<RoomRef> {
        self.rooms.get(&key).map(|room| Arc::clone(&room))
    }

    fn start_room(self: &Arc<Self>, room: &RoomRef, effects: Vec<crate::room::Effect>) {
        let args = RoomArgs {
            room: Arc::clone(room),
            registry: Arc::clone(self),
            effects,
        };
        let supervisor = self.supervisor().get_cell();
        match ActorRuntime::spawn_linked_instant(None, RoomActor, args, supervisor) {
            Ok((actor, _)) => room.attach(actor),
            // Only a name that is taken makes this fail, and rooms have none.
            Err(error) => tracing::error!(room = %room.key, %error, "a room could not be started"),
        }
    }

    /// Takes an idle room out, unless somebody holds its address or has sent it something; then it may stop.
    pub(crate) fn retire(&self, room: &RoomRef) -> bool {
        // The table's and the actor's (which has a second one for its calls to the store).
        const HELD_WHEN_IDLE: usize = 3;
        self.rooms
            .remove_if(&room.key, |_, held| {
                Arc::strong_count(held) <= HELD_WHEN_IDLE && held.is_quiet()
            })
            .is_some()
    }

    pub(crate) fn add_session(&self, entry: Arc<SessionEntry>, actor: ActorRef<SessionMessage>) {
        for pid in entry.pids() {
            self.returning.insert(pid, Arc::clone(&entry));
        }
        self.add_live(entry, actor);
    }

    /// A session that is known already has an actor, perhaps another one.
    pub(crate) fn add_live(&self, entry: Arc<SessionEntry>, actor: ActorRef<SessionMessage>) {
        self.sessions.insert(entry.id, Live { entry, actor });
    }

    /// A session of this user that is connected, or may come back.
    pub(crate) fn returning(&self, pid: PrivateId, user: UserId) -> Option<Arc<SessionEntry>> {
        let entry = Arc::clone(&*self.returning.get(&pid)?);
        (entry.user_id() == user).then_some(entry)
    }

    /// Takes over a session that may come back: it can be taken over once.
    pub(crate) fn take_over(&self, entry: &Arc<SessionEntry>) -> bool {
        let is_taken = entry.yield_place();
        if is_taken {
            self.forget(entry);
        }
        is_taken
    }

    /// Puts one entry of a session in the place of another; false where somebody else has done so.
    pub(crate) fn renew(&self, old: &Arc<SessionEntry>, new: &Arc<SessionEntry>) -> bool {
        let Some(mut held) = self.returning.get_mut(&old.pid) else {
            return false;
        };
        let is_renewed = Arc::ptr_eq(&held, old) && old.yield_place();
        if is_renewed {
            *held = Arc::clone(new);
        }
        is_renewed
    }

    /// A session's connection has ended. Its rooms hear how, and keep its seat if it may come back.
    pub(crate) fn end_session(&self, entry: &Arc<SessionEntry>, how: Ended) {
        self.sessions
            .remove_if(&entry.id, |_, live| Arc::ptr_eq(&live.entry, entry));
        let may_return = how == Ended::Dropped
            // Over plain WebSocket nobody is told how to come back.
            && entry.outbox.wire() == Wire::SocketIo
            && (self.settings.rejoin || entry.outbox.has_log());
        let Some((rooms, is_away)) = entry.end(may_return) else {
            return;
        };
        if is_away {
            entry.outbox.park();
            self.to_rooms(&rooms, || RoomMessage::Away(Arc::clone(entry)));
            // While the node ends, nobody waits for returns any more.
            let _ = self
                .supervisor()
                .cast(RegistryMessage::Parked(Arc::clone(entry)));
        } else {
            self.forget(entry);
            let departure = if how == Ended::Goodbye {
                Departure::Left
            } else {
                Departure::Dropped
            };
            self.depart(entry, &rooms, departure);
        }
    }

    /// A session has stayed away for too long.
    fn give_up(&self, entry: &Arc<SessionEntry>) {
        if entry.give_up() {
            self.forget(entry);
            self.depart(entry, &entry.rooms(), Departure::Dropped);
        }
    }

    fn forget(&self, entry: &Arc<SessionEntry>) {
        for pid in entry.pids() {
            self.returning
                .remove_if(&pid, |_, held| Arc::ptr_eq(held, entry));
        }
    }

    /// A session is in these rooms no more.
    pub(crate) fn depart(&self, entry: &Arc<SessionEntry>, rooms: &[RoomKey], how: Departure) {
        self.to_rooms(rooms, || {
            RoomMessage::Depart(Arc::clone(entry), how, Reply::nobody())
        });
    }

    fn to_rooms(&self, rooms: &[RoomKey], message: impl Fn() -> RoomMessage) {
        for room in rooms.iter().filter_map(|room| self.find(*room)) {
            room.send(message());
        }
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
        self.restarts.fetch_add(1, Ordering::Relaxed);
        metrics::actor_restarted("room");
        let now = Instant::now();
        let seats: Vec<_> = self
            .returning
            .iter()
            .filter(|held| *held.key() == held.pid)
            .flat_map(|entry| entry.seats_in(room.key))
            .map(|entry| (Arc::clone(&entry), entry.has_ended()))
            .collect();
        if room.restarted(now, now - actor::RESTARTS_WITHIN) > actor::RESTARTS_MAX {
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
            let fresh = crate::room::RoomState::new(room.key, self.settings.clone(), now);
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
            self.restarts.fetch_add(1, Ordering::Relaxed);
            metrics::actor_restarted("session");
            tracing::error!(session = %entry.id, user = %entry.user_id(), "a session has broken and is closed");
            entry.outbox.close(CloseReason::Internal);
            self.end_session(&entry, Ended::Dropped);
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn break_session(&self, session: SessionId) {
        if let Some(live) = self.sessions.get(&session) {
            // One that has ended cannot be broken any more.
            let _ = live.actor.cast(SessionMessage::Panic);
        }
    }

    pub(crate) fn outboxes(&self) -> Vec<Arc<Outbox>> {
        let sessions = self.sessions.iter();
        sessions
            .map(|live| Arc::clone(&live.entry.outbox))
            .collect()
    }

    /// Sets the gauges that are cheaper to take when somebody looks than to keep.
    pub(crate) fn measure(&self) {
        let mut rooms = metrics::RoomCounts::default();
        self.rooms.iter().for_each(|room| rooms.count(room.key));
        let queued = self
            .sessions
            .iter()
            .map(|live| live.entry.outbox.queued_bytes())
            .sum();
        metrics::measured(self.sessions.len(), &rooms, queued);
    }

    /// Actors that have broken so far.
    pub(crate) fn broken(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), ractor::SpawnErr> {
        let (supervisor, _) = Actor::spawn(None, actor::RegistryActor, Arc::clone(self)).await?;
        // It is started once, by the node that owns this registry.
        let _ = self.supervisor.set(supervisor);
        Ok(())
    }

    pub(crate) fn supervisor_cell(&self) -> ractor::ActorCell {
        self.supervisor().get_cell()
    }

    /// Stops every actor of the node.
    pub(crate) async fn stop(&self) {
        let _ = self.supervisor().stop_and_wait(None, None).await;
        self.rooms.clear();
        self.sessions.clear();
        self.returning.clear();
    }
}
