//! What rooms are told that was not done in them: what became of projects and channels, memberships and names, and what
//! other programs were seen to do. In a cluster, on all nodes.

use std::{collections::HashSet, sync::Arc};

use collabflow_protocol::{
    event::ServerEvent,
    id::{ProjectId, TaskId, UserId},
    model::UserBrief,
};

use super::Node;
use crate::{
    backplane::EntryId,
    cluster::{NodeSays, PeerRequest},
    key::RoomKey,
    metrics,
    outbox::Broadcast,
    room::{RoomMessage, RoomRef, Shared},
    session::reply::Reply,
    store::Seen,
};

impl Node {
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
