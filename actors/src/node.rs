//! A node: one tree of actors over one store, and the calls by which the edge reaches into it.

mod adoption;
mod entrance;
mod rest;

use std::{collections::HashSet, sync::Arc, time::Duration};

use collabflow_protocol::{
    error::ClientError,
    event::{ClientEvent, ServerEvent},
    frame::Frame,
    id::{ProjectId, TaskId, UserId},
    model::UserBrief,
    plain, socket,
    time::Timestamp,
};
use ractor::ActorRef;
pub use rest::{Caller, Echo, Refusal};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    backplane::{Answer, EntryId},
    cluster::{Cluster, Joined, NodeSays, PeerRequest, SETTLES_WITHIN},
    id::{IdSource, PrivateId, SessionId},
    key::RoomKey,
    metrics,
    outbox::{Broadcast, Outbox, Progress},
    registry::Registry,
    room::{RoomMessage, RoomRef, Shared},
    session::{actor::SessionMessage, entry::SessionEntry, reply::Reply},
    store::{Seen, Store},
};

/// What the engine can be told about its ways.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a dropped user may stay away without having left (`presence.grace`).
    pub presence_grace: Duration,
    /// How long a session may be away and still come back to its rooms (`recovery.window`).
    pub recovery_window: Duration,
    /// Whether a session may come back to its rooms at all (`recovery.rejoin`).
    pub rejoin: bool,
    /// Which sessions can recover (`recovery.mode`).
    pub recovery: RecoveryMode,
    /// Bytes that such a session keeps of what it may have to be told again (`recovery.bytes`).
    pub recovery_bytes_max: usize,
    /// For how long a membership that was read is good (`membership.max_age`).
    pub membership_max_age: Duration,
    /// Whether `task:*` events may change tasks, or only announce (`tasks.write_by_socket`).
    pub write_by_socket: bool,
    /// Rooms that one session may be in (`limits.rooms_per_session`).
    pub rooms_per_session_max: usize,
    /// How long who waits for the store is kept waiting (`mongodb.timeout`).
    pub store_timeout: Duration,
}

/// Which sessions can recover: be the same session again after a dropped connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryMode {
    /// Those that ask for it.
    OptIn,
    /// All of Socket.IO's.
    Always,
    /// None.
    Off,
}

/// A new connection that has proven who it is.
#[derive(Debug)]
pub struct Hello {
    /// Who it is.
    pub user: UserBrief,
    /// When its token ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// Where its frames go; the answer to CONNECT is the first.
    pub outbox: Arc<Outbox>,
    /// The secret of the session whose place it wants to take.
    pub pid: Option<PrivateId>,
    /// Whether it asks for recovery.
    pub asks_recovery: bool,
    /// How far it has heard what that session was told.
    pub offset: Option<Progress>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client said goodbye: it has left its rooms, at once.
    Goodbye,
    /// Anything else: it may be back within the grace.
    Dropped,
}

/// How long sessions may take to be handed over to other nodes at the end.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(3);

/// The one event that is the edge's affair.
pub const REFRESH: &str = "auth:refresh";

/// What an event asks for.
#[derive(Debug)]
pub enum Request {
    /// What a room sees to.
    Event(ClientEvent),
    /// [`REFRESH`]: this token is to take the place of the one that the session lives by. Only the edge can judge it.
    Refresh(Option<String>),
    /// The fresh token was proven, and ends then, if it does; only the answer is left to be given.
    Refreshed(Option<Timestamp>),
}

/// What an acknowledgement repeats, so that the client knows what it is of.
#[derive(Debug)]
pub enum AckId {
    /// Over Socket.IO.
    Number(u64),
    /// Over plain WebSocket: a number or a string, as the client wrote it.
    Raw(Box<RawValue>),
}

impl AckId {
    /// The acknowledgement.
    ///
    /// # Panics
    /// When the body cannot be written as JSON, which is a mistake in its type.
    #[must_use]
    pub fn frame<T: Serialize>(&self, body: &T) -> Frame {
        match self {
            Self::Number(id) => socket::ack(*id, body),
            Self::Raw(id) => plain::ack(id, body),
        }
        .expect("answers have text for keys, and no failing parts")
    }
}

/// One event as it came in.
#[derive(Debug)]
pub struct Inbound {
    /// The event's name, for the answer.
    pub name: String,
    /// The event, or what is wrong with it.
    pub event: Result<Request, ClientError>,
    /// The id under which the client waits for an acknowledgement.
    pub ack: Option<AckId>,
}

/// A live session as the edge holds it.
#[derive(Clone)]
pub struct Session {
    entry: Arc<SessionEntry>,
    actor: ActorRef<SessionMessage>,
    registry: Arc<Registry>,
    permits: Arc<Semaphore>,
}

impl Session {
    /// The public id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.entry.id
    }

    /// Who it is.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.entry.user_id()
    }

    /// Hands an event over; waits while too many of this session's are under way.
    pub async fn receive(&self, inbound: Box<Inbound>) {
        metrics::event_received(&inbound.name);
        if let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
            // A session that has broken is being closed: its supervisor sees to that.
            let _ = self.actor.cast(SessionMessage::Inbound(inbound, permit));
        }
    }

    /// The connection has ended. Frames that were not written are kept for who comes back.
    pub fn end(&self, how: Ended) {
        if self.actor.cast(SessionMessage::Ended(how)).is_err() {
            self.registry.end_session(&self.entry, how);
        }
    }
}

/// A node of the engine. Clones are the same node.
#[derive(Clone)]
pub struct Node {
    pub(crate) registry: Arc<Registry>,
}

impl Node {
    /// Starts the tree.
    pub async fn start(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self::start_joined(store, settings, None).await
    }

    /// Starts the tree, joined to other nodes.
    pub async fn start_joined(
        store: Arc<dyn Store>,
        settings: Settings,
        joined: Option<Joined>,
    ) -> Self {
        let last = store.greatest_message().await;
        let cluster = joined.map(|joined| Arc::new(Cluster::new(joined)));
        let registry = Registry::new(store, settings, cluster);
        match last {
            Ok(last) => last
                .into_iter()
                .for_each(|last| registry.ids().pass(last.0)),
            Err(error) => {
                tracing::warn!(%error, "the last message cannot be read: new ones may be put before it");
            }
        }
        registry
            .start()
            .await
            .expect("an actor without a name can always be started");
        Self { registry }
    }

    /// Asks what joins this node to others whether it answers; `None` where nothing does.
    #[must_use]
    pub fn ping_backplane(&self) -> Option<Answer<()>> {
        let cluster = self.registry.cluster()?;
        Some(cluster.backplane().ping())
    }

    /// Stops every actor. Sessions are to be closed before; the other nodes get those that are away.
    pub async fn stop(&self) {
        let Some(cluster) = self.registry.cluster() else {
            return self.registry.stop().await;
        };
        let handing_over = self.registry.hand_over_all();
        if timeout(HANDED_OVER_WITHIN, handing_over).await.is_err() {
            tracing::warn!("not all sessions were handed over to the other nodes in time");
        }
        let settled = self.registry.settle();
        let is_settled = timeout(SETTLES_WITHIN, settled).await.is_ok();
        self.registry.stop().await;
        // When nothing of it says any more that it is alive. One that has not told everything is lost to the others: they
        // find out what that was.
        if is_settled {
            cluster.leave().await;
        } else {
            tracing::warn!(
                "not everything could be told to the other nodes: their clients are to reload"
            );
        }
    }

    /// Returns when the node has ended: by [`Self::stop`], or because what broke cannot be started again.
    pub async fn ended(&self) {
        self.registry.ended().await;
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        self.registry.store()
    }

    /// Where ids come from.
    #[must_use]
    pub fn ids(&self) -> &IdSource {
        self.registry.ids()
    }

    /// Actors that have broken since the start.
    #[must_use]
    pub fn broken_actors(&self) -> u64 {
        self.registry.broken()
    }

    /// Where the frames of each live session go.
    #[must_use]
    pub fn outboxes(&self) -> Vec<Arc<Outbox>> {
        self.registry.outboxes()
    }

    /// Sets the gauges of sessions, rooms and queues to what they are now.
    pub fn measure(&self) {
        self.registry.measure();
    }

    /// Breaks a room's actor by a panic, as a fault in it would.
    #[cfg(feature = "testing")]
    pub fn break_room(&self, room: RoomKey) {
        if let Some(room) = self.registry.find(room) {
            room.give(crate::room::Command::Panic);
        }
    }

    /// Breaks the registry's actor by a panic, as a fault in it would.
    #[cfg(any(test, feature = "testing"))]
    pub fn break_registry(&self) {
        self.registry.break_actor();
    }

    /// Breaks a session's actor by a panic, as a fault in it would.
    #[cfg(feature = "testing")]
    pub fn break_session(&self, session: SessionId) {
        self.registry.break_session(session);
    }

    /// Tells an event to everybody in the rooms, once a session whatever rooms it is in; with `only`, to these users.
    /// When this returns, it was told here; in a cluster it has its place in each room's log then, before whatever is
    /// said to the other nodes next.
    pub async fn tell(&self, rooms: &[RoomKey], event: ServerEvent, only: Option<HashSet<UserId>>) {
        let id = rand::random();
        // Other nodes may have members where this one has none.
        let is_clustered = self.registry.cluster().is_some();
        self.tell_as(id, rooms, &event, only, |room| {
            is_clustered.then(|| self.registry.room(room))
        })
        .await;
    }

    /// Tells an event that other nodes see as well, by this name: each sees to the rooms that have members there, and
    /// nobody hears it twice.
    pub(crate) async fn tell_seen(
        &self,
        id: EntryId,
        rooms: &[RoomKey],
        event: ServerEvent,
        only: Option<HashSet<UserId>>,
    ) {
        self.tell_as(id, rooms, &event, only, |_| None).await;
    }

    async fn tell_as(
        &self,
        id: EntryId,
        rooms: &[RoomKey],
        event: &ServerEvent,
        only: Option<HashSet<UserId>>,
        otherwise: impl Fn(RoomKey) -> Option<RoomRef>,
    ) {
        metrics::event_told(event.name());
        let shared = Arc::new(Shared {
            id,
            rooms: rooms.to_vec(),
            only,
            event: Broadcast::new(event),
        });
        for room in rooms {
            let found = self.registry.find(*room).or_else(|| otherwise(*room));
            if let Some(room) = found {
                let (reply, told) = Reply::rest(false);
                room.send(RoomMessage::Tell(Arc::clone(&shared), reply));
                // One after the other: who is in several of them hears it in the first. A room that breaks over it
                // tells it all the same, or nobody.
                let _ = told.await;
            }
        }
    }

    /// Something of a task was seen that another program has done: the project's room asks the store what is news.
    pub(crate) fn task_seen(&self, project: ProjectId, task: TaskId, seen: Seen, id: EntryId) {
        let key = RoomKey::Project(project);
        let room = match seen {
            // This node alone may know of it.
            Seen::Gone if self.registry.cluster().is_some() => Some(self.registry.room(key)),
            _ => self.registry.find(key),
        };
        if let Some(room) = room {
            room.send(RoomMessage::Elsewhere(task, seen, id));
        }
    }

    /// A task is gone, by another program, and nobody knows from where: who does not have it has nothing to take away.
    pub(crate) fn task_gone(&self, task: TaskId, id: EntryId) {
        if let Some(cluster) = self.registry.cluster() {
            cluster.say(NodeSays::TaskGone(task, id));
        }
        self.registry.task_gone(task, id);
    }

    /// A user has another name or email, which other nodes see as well.
    pub(crate) fn user_seen(&self, user: UserBrief) {
        self.registry.rename(&Arc::new(user));
    }

    /// A user has another name or email: nobody is told, but every event from now on says so.
    pub fn user_changed(&self, user: UserBrief) {
        if let Some(cluster) = self.registry.cluster() {
            cluster.say(NodeSays::Renamed(user.clone()));
        }
        self.registry.rename(&Arc::new(user));
    }

    /// Nobody here knows what was missed: everybody here is told to reload.
    pub async fn resync_all(&self) {
        self.registry.resync_all().await;
    }

    /// Nobody knows what was missed, on whichever node: everybody is told to reload.
    pub async fn resync_everywhere(&self) {
        if let Some(cluster) = self.registry.cluster() {
            cluster.say(NodeSays::Missed);
        }
        self.registry.resync_all().await;
    }

    /// How it was set up.
    pub(crate) fn settings(&self) -> &Settings {
        self.registry.settings()
    }

    /// Memberships behind these rooms have changed: when this returns, who is no member any more is out, and roles
    /// are read anew.
    pub async fn membership_changed(&self, rooms: &[RoomKey]) {
        let here = self.registry.to_each(rooms, RoomMessage::MembershipChanged);
        tokio::join!(
            here,
            self.ask(|| PeerRequest::MembershipChanged(rooms.to_vec()))
        );
    }

    /// Memberships behind these rooms have changed, which other nodes see as well: when this returns, who is no member
    /// any more is out here.
    pub(crate) async fn membership_seen(&self, rooms: &[RoomKey]) {
        self.registry
            .to_each(rooms, RoomMessage::MembershipChanged)
            .await;
    }

    /// What these rooms belong to is gone: everybody is out of them when this returns, without `user:left`.
    pub async fn close_rooms(&self, rooms: &[RoomKey]) {
        let here = self.registry.to_each(rooms, RoomMessage::Close);
        tokio::join!(here, self.ask(|| PeerRequest::Close(rooms.to_vec())));
    }

    /// Asks the other nodes, if there are any.
    async fn ask(&self, request: impl FnOnce() -> PeerRequest) {
        if let Some(cluster) = self.registry.cluster() {
            cluster.ask(request()).await;
        }
    }
}
