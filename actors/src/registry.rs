//! The registry: which rooms and sessions there are on this node. It resolves; it does not carry messages.
//!
//! The tables can be read by everybody without waiting. Rooms are made where they are first needed, and retired only
//! while nobody can hold their address. The registry's own actor ([`actor`]) gives up who stays away for too long; the
//! supervisor of all of them is the [`root`].

mod actor;
mod away;
mod elsewhere;
mod rename;
mod root;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use collabflow_protocol::id::{TaskId, UserId};
use dashmap::DashMap;
use parking_lot::RwLock;
use ractor::{Actor, ActorCell, ActorRef, ActorRuntime};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    backplane::EntryId,
    cluster::Cluster,
    id::{IdSource, PrivateId, SessionId},
    key::RoomKey,
    metrics,
    node::{Ended, Settings},
    outbox::{Outbox, Wire},
    room::{Departure, RoomActor, RoomArgs, RoomCell, RoomMessage, RoomRef},
    session::{actor::SessionMessage, entry::SessionEntry, reply::Reply},
    store::{Seen, Store},
};
use actor::RegistryMessage;
use root::{Root, RootMessage};

pub(crate) struct Registry {
    store: Arc<dyn Store>,
    settings: Settings,
    ids: IdSource,
    rooms: DashMap<RoomKey, RoomRef>,
    sessions: DashMap<SessionId, Live>,
    /// Sessions that are connected, or may still come back, by their secret.
    returning: DashMap<PrivateId, Arc<SessionEntry>>,
    /// Whose sessions are being brought here from other nodes, one client at a time for each.
    adoptions: DashMap<PrivateId, Arc<tokio::sync::Mutex<()>>>,
    root: OnceLock<ActorRef<RootMessage>>,
    cluster: Option<Arc<Cluster>>,
    /// The registry's own actor; another one after it has broken.
    actor: RwLock<Option<ActorRef<RegistryMessage>>>,
    restarts: AtomicU64,
}

struct Live {
    entry: Arc<SessionEntry>,
    actor: ActorRef<SessionMessage>,
}

impl Registry {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        settings: Settings,
        cluster: Option<Arc<Cluster>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            settings,
            ids: IdSource::default(),
            rooms: DashMap::new(),
            sessions: DashMap::new(),
            returning: DashMap::new(),
            adoptions: DashMap::new(),
            root: OnceLock::new(),
            cluster,
            actor: RwLock::new(None),
            restarts: AtomicU64::new(0),
        })
    }

    /// This node's place among others, if there are any.
    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.as_ref()
    }

    /// A fresh room's state.
    fn fresh_room(&self, key: RoomKey) -> crate::room::RoomState {
        let log = self.cluster.as_ref().map(|cluster| cluster.is_up());
        crate::room::RoomState::new(key, self.settings.clone(), log, Instant::now())
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

    fn root(&self) -> &ActorRef<RootMessage> {
        self.root
            .get()
            .expect("the root is started before anything else")
    }

    /// The room, which is made if it is not there.
    pub(crate) fn room(self: &Arc<Self>, key: RoomKey) -> RoomRef {
        if let Some(room) = self.find(key) {
            return room;
        }
        Arc::clone(&self.rooms.entry(key).or_insert_with(|| {
            let state = self.fresh_room(key);
            let room = RoomCell::new(key, state);
            self.start_room(&room, Vec::new());
            room
        }))
    }

    /// The room, if it is there.
    pub(crate) fn find(&self, key: RoomKey) -> Option<RoomRef> {
        self.rooms.get(&key).map(|room| Arc::clone(&room))
    }

    /// The live rooms of some kind.
    pub(crate) fn rooms(&self, is_wanted: impl Fn(&RoomKey) -> bool) -> Vec<RoomKey> {
        let keys = self.rooms.iter().map(|room| *room.key());
        keys.filter(is_wanted).collect()
    }

    /// A task is gone, nobody knows from where: every project's room is told.
    pub(crate) fn task_gone(&self, task: TaskId, id: EntryId) {
        let projects = self.rooms(|key| matches!(key, RoomKey::Project(_)));
        self.to_rooms(&projects, || RoomMessage::Elsewhere(task, Seen::Gone, id));
    }

    /// Everybody here is told to reload.
    pub(crate) fn resync_all(&self) -> impl Future<Output = ()> + Send + use<> {
        self.to_each(&self.rooms(|_| true), RoomMessage::Resync)
    }

    /// Returns when nothing is under way any more that other nodes are to be told of.
    pub(crate) fn settle(&self) -> impl Future<Output = ()> + Send + use<> {
        self.to_each(&self.rooms(|_| true), RoomMessage::Settle)
    }

    /// Sends these rooms something that each confirms, all at once; what is returned ends when all have.
    pub(crate) fn to_each(
        &self,
        rooms: &[RoomKey],
        message: fn(oneshot::Sender<()>) -> RoomMessage,
    ) -> impl Future<Output = ()> + Send + use<> {
        let sent = rooms
            .iter()
            .filter_map(|room| self.find(*room))
            .map(|room| {
                let (done, heard) = oneshot::channel();
                room.send(message(done));
                heard
            });
        let sent: Vec<_> = sent.collect();
        async move {
            for heard in sent {
                // One that breaks over it starts afresh anyway.
                let _ = heard.await;
            }
        }
    }

    fn start_room(self: &Arc<Self>, room: &RoomRef, effects: Vec<crate::room::Effect>) {
        let args = RoomArgs {
            room: Arc::clone(room),
            registry: Arc::clone(self),
            effects,
        };
        let supervisor = self.supervisor();
        match ActorRuntime::spawn_linked_instant(None, RoomActor, args, supervisor) {
            Ok((actor, _)) => room.attach(actor),
            // Only a name that is taken makes this fail, and rooms have none.
            Err(error) => tracing::error!(room = %room.key, %error, "a room could not be started"),
        }
    }

    /// Takes an idle room out, unless somebody holds its address or has sent it something; then it may stop.
    pub(crate) fn retire(&self, room: &RoomRef) -> bool {
        // The table's and the actor's (which has one each for its calls to the store and to the log).
        const HELD_WHEN_IDLE: usize = 4;
        self.rooms
            .remove_if(&room.key, |_, held| {
                let is_idle = Arc::strong_count(held) <= HELD_WHEN_IDLE && held.is_quiet();
                // Before there can be another room of this name, which may follow its log.
                if let Some(cluster) = self.cluster().filter(|_| is_idle) {
                    cluster.backplane().unsubscribe(room.key);
                }
                is_idle
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

    /// Whether a session with this secret is connected here, or may come back.
    pub(crate) fn is_known(&self, pid: PrivateId) -> bool {
        self.returning.contains_key(&pid)
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
            if let Some(actor) = &*self.actor.read() {
                // An actor that has broken is followed by one that finds for itself who is away; and while the node
                // ends, nobody waits for returns any more.
                let _ = actor.cast(RegistryMessage::Parked(Arc::clone(entry)));
            }
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

    /// The sessions that are away, in no order.
    fn away(&self) -> Vec<Arc<SessionEntry>> {
        let known = self.returning.iter().filter(|held| *held.key() == held.pid);
        known
            .filter(|entry| entry.is_away())
            .map(|entry| Arc::clone(&entry))
            .collect()
    }

    /// A session has stayed away for too long.
    fn give_up(&self, entry: &Arc<SessionEntry>) {
        if entry.give_up() {
            self.forget(entry);
            self.depart(entry, &entry.rooms(), Departure::Dropped);
        }
    }

    fn forget(&self, entry: &Arc<SessionEntry>) {
        self.strike(entry);
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

    /// How many sessions are live.
    pub(crate) fn session_count(&self) -> usize {
        self.sessions.len()
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

    /// What has not come to rest in the rooms.
    #[cfg(test)]
    pub(crate) fn unrest(&self) -> Vec<String> {
        let unrest = |room: &RoomRef| {
            let unrest = room.state().followed_log().unrest()?;
            Some(format!("{}: {unrest}", room.key))
        };
        self.rooms.iter().filter_map(|room| unrest(&room)).collect()
    }

    /// Actors that have broken so far.
    pub(crate) fn broken(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), ractor::SpawnErr> {
        let (root, _) = Actor::spawn(None, Root, Arc::clone(self)).await?;
        // It is started once, by the node that owns this registry.
        let _ = self.root.set(root);
        Ok(())
    }

    /// Who supervises rooms and sessions.
    pub(crate) fn supervisor(&self) -> ActorCell {
        self.root().get_cell()
    }

    /// Returns when the tree has ended: by [`Self::stop`], or because what broke cannot be started again.
    pub(crate) async fn ended(&self) {
        // It waits for as long as it takes.
        let _ = self.root().wait(None).await;
    }

    /// Stops every actor of the node.
    pub(crate) async fn stop(&self) {
        let _ = self.root().stop_and_wait(None, None).await;
        self.rooms.clear();
        self.sessions.clear();
        self.returning.clear();
    }
}
