//! What everybody may know of a session: who it is, where its frames go, and the rooms it is in.
//!
//! Only a room writes that the session is in it, so that the two can never disagree for longer than the room is at
//! work; the session's end, a return and a room's restart are read off here.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use collabflow_protocol::{id::UserId, model::UserBrief};
use parking_lot::{Mutex, RwLock};

use super::record::{RoomRecord, SessionRecord};
use crate::{
    backplane::EntryId,
    id::{NodeId, PrivateId, SessionId},
    key::RoomKey,
    outbox::Outbox,
};

/// Events that a session knows it has heard: their rooms are told them one soon after the other.
const HEARD_MAX: usize = 32;

/// One session, connected or away.
#[derive(Debug)]
pub(crate) struct SessionEntry {
    pub(crate) id: SessionId,
    pub(crate) pid: PrivateId,
    /// The secret by which the client came back. It knows no other until it has read the answer to its CONNECT.
    pub(crate) former_pid: Option<PrivateId>,
    user_id: UserId,
    user: RwLock<Arc<UserBrief>>,
    pub(crate) outbox: Arc<Outbox>,
    rooms: Mutex<Rooms>,
    /// The other nodes know of it.
    is_recorded: AtomicBool,
}

#[derive(Debug, Default)]
struct Rooms {
    joined: Vec<RoomRecord>,
    life: Life,
    returning: Option<Box<Returning>>,
    /// The last events that it has heard in one room, and may be told in another.
    heard: VecDeque<EntryId>,
}

/// Whose place the session has taken, and the rooms that have not given it that place yet.
#[derive(Debug)]
struct Returning {
    /// There until this is dropped.
    old: Option<Arc<SessionEntry>>,
    rooms: Vec<RoomKey>,
}

impl Drop for Returning {
    /// Lets go of a long row of sessions that came in each other's place one by one, and not one within the other.
    fn drop(&mut self) {
        let mut next = self.old.take();
        while let Some(mut entry) = next.and_then(Arc::into_inner) {
            let returning = entry.rooms.get_mut().returning.take();
            next = returning.and_then(|mut returning| returning.old.take());
        }
    }
}

/// What there is of the session. It gets into rooms by itself only while it is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    #[default]
    Connected,
    /// The connection is gone; it may come back.
    Away,
    /// It is over, or another entry has its place.
    Over,
}

impl SessionEntry {
    pub(crate) fn new(user: Arc<UserBrief>, outbox: Arc<Outbox>) -> Arc<Self> {
        Arc::new(Self::with_rooms(user, outbox, None, Rooms::default()))
    }

    /// A new session that is to get the rooms of another one, by whose secret `former_pid` it has come. Each of these
    /// rooms is to hear of it.
    pub(crate) fn succeeding(
        old: Arc<Self>,
        former_pid: PrivateId,
        user: Arc<UserBrief>,
        outbox: Arc<Outbox>,
    ) -> Arc<Self> {
        let (rooms, heard) = (old.rooms(), old.rooms.lock().heard.clone());
        let returning = (!rooms.is_empty()).then(|| {
            Box::new(Returning {
                old: Some(old),
                rooms,
            })
        });
        let rooms = Rooms {
            returning,
            heard,
            ..Rooms::default()
        };
        Arc::new(Self::with_rooms(user, outbox, Some(former_pid), rooms))
    }

    fn with_rooms(
        user: Arc<UserBrief>,
        outbox: Arc<Outbox>,
        former_pid: Option<PrivateId>,
        rooms: Rooms,
    ) -> Self {
        Self {
            id: SessionId::random(),
            pid: PrivateId::random(),
            former_pid,
            user_id: user.id,
            user: RwLock::new(user),
            outbox,
            rooms: Mutex::new(rooms),
            is_recorded: AtomicBool::new(false),
        }
    }

    /// The same session on another connection, in those of its rooms that are kept. Each room is to hear of it.
    pub(crate) fn renewed(
        old: &Self,
        user: Arc<UserBrief>,
        outbox: Arc<Outbox>,
        is_kept: impl Fn(RoomKey) -> bool,
    ) -> Arc<Self> {
        let (mut joined, heard) = {
            let rooms = old.rooms.lock();
            (rooms.joined.clone(), rooms.heard.clone())
        };
        joined.retain(|joined| is_kept(joined.room));
        let rooms = Rooms {
            joined,
            heard,
            ..Rooms::default()
        };
        Arc::new(Self {
            id: old.id,
            pid: old.pid,
            ..Self::with_rooms(user, outbox, None, rooms)
        })
    }

    /// A session that was on another node, in its rooms there; it is away.
    pub(crate) fn adopted(
        record: &SessionRecord,
        user: Arc<UserBrief>,
        outbox: Arc<Outbox>,
    ) -> Arc<Self> {
        let joined = record.rooms.iter().map(|joined| RoomRecord {
            told_to: None,
            ..*joined
        });
        let rooms = Rooms {
            joined: joined.collect(),
            life: Life::Away,
            ..Rooms::default()
        };
        Arc::new(Self {
            id: record.id,
            pid: record.pid,
            ..Self::with_rooms(user, outbox, record.former_pid, rooms)
        })
    }

    /// What the other nodes are to know of it; `None` where that is nothing: it is over, or there is nothing to come back to.
    pub(crate) fn record(&self, node: NodeId) -> Option<SessionRecord> {
        let can_recover = self.outbox.has_log();
        let rooms = self.rooms.lock();
        let is_worth_it = can_recover || !rooms.joined.is_empty() || self.is_recorded();
        (is_worth_it && rooms.life != Life::Over).then(|| SessionRecord {
            id: self.id,
            user: self.user_id,
            pid: self.pid,
            former_pid: self.former_pid,
            node,
            can_recover,
            rooms: rooms.joined.clone(),
            left: None,
        })
    }

    /// Whether the other nodes know of it.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded.load(Ordering::Relaxed)
    }

    pub(crate) fn set_recorded(&self, is_recorded: bool) {
        self.is_recorded.store(is_recorded, Ordering::Relaxed);
    }

    /// What the session was told of a room up to this stamp, it was told in part without an offset.
    pub(crate) fn doubt(&self, room: RoomKey, stamp: u64) {
        let mut rooms = self.rooms.lock();
        if let Some(joined) = rooms.joined.iter_mut().find(|joined| joined.room == room) {
            joined.doubtful_to = stamp;
        }
    }

    /// The secrets by which its client may come back.
    pub(crate) fn pids(&self) -> impl Iterator<Item = PrivateId> {
        [Some(self.pid), self.former_pid].into_iter().flatten()
    }

    pub(crate) fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Its user, as events name it now.
    pub(crate) fn user(&self) -> Arc<UserBrief> {
        Arc::clone(&self.user.read())
    }

    /// Its user has another name or email from now on.
    pub(crate) fn rename(&self, user: Arc<UserBrief>) {
        *self.user.write() = user;
    }

    /// The rooms it is in now, or is to get back.
    pub(crate) fn rooms(&self) -> Vec<RoomKey> {
        self.rooms.lock().all()
    }

    pub(crate) fn room_count(&self) -> usize {
        self.rooms.lock().joined.len()
    }

    pub(crate) fn is_in(&self, room: RoomKey) -> bool {
        self.rooms
            .lock()
            .joined
            .iter()
            .any(|joined| joined.room == room)
    }

    /// The entries that hold a seat in a room for this session: its own, and those whose seats it is still to get.
    pub(crate) fn seats_in(self: &Arc<Self>, room: RoomKey) -> Vec<Arc<Self>> {
        let mut seats = Vec::new();
        let mut next = Some(Arc::clone(self));
        while let Some(entry) = next {
            next = entry.rooms.lock().predecessor(room);
            if entry.is_in(room) {
                seats.push(entry);
            }
        }
        seats
    }

    /// Whether it has not heard of this yet; from now on it has.
    pub(crate) fn hears(&self, event: EntryId) -> bool {
        let heard = &mut self.rooms.lock().heard;
        let is_news = !heard.contains(&event);
        if is_news {
            heard.truncate(HEARD_MAX - 1);
            heard.push_front(event);
        }
        is_news
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.rooms.lock().life != Life::Connected
    }

    /// Whether the connection is gone and the session may come back.
    pub(crate) fn is_away(&self) -> bool {
        self.rooms.lock().life == Life::Away
    }

    /// The connection is gone; where the session may come back, it is away. The answer is the rooms that it is in, and
    /// whether it is away. Only the first end counts.
    pub(crate) fn end(&self, may_return: bool) -> Option<(Vec<RoomKey>, bool)> {
        // Whoever is in no room has nothing to come back to, unless it is to be the same session.
        let is_recoverable = self.outbox.has_log();
        let mut rooms = self.rooms.lock();
        if rooms.life != Life::Connected {
            return None;
        }
        let all = rooms.all();
        let is_away = may_return && (is_recoverable || !all.is_empty());
        rooms.life = if is_away { Life::Away } else { Life::Over };
        Some((all, is_away))
    }

    /// Another entry takes this one's place, connected or away; false where it is over. It happens once.
    pub(crate) fn yield_place(&self) -> bool {
        std::mem::replace(&mut self.rooms.lock().life, Life::Over) != Life::Over
    }

    /// It has been away for too long; false where it is over already, or has come back.
    pub(crate) fn give_up(&self) -> bool {
        let mut rooms = self.rooms.lock();
        let is_away = rooms.life == Life::Away;
        if is_away {
            rooms.life = Life::Over;
        }
        is_away
    }

    /// The session has joined a room itself, which has told its log up to the stamp `since`. The answer is the rooms of that kind which were only given back to it:
    /// it has moved on from them. `None`: it has ended, and is not in the room.
    pub(crate) fn joined(&self, room: RoomKey, since: Option<u64>) -> Option<Vec<RoomKey>> {
        let mut rooms = self.rooms.lock();
        if rooms.life != Life::Connected {
            return None;
        }
        match rooms.joined.iter_mut().find(|joined| joined.room == room) {
            Some(joined) => joined.restored = false,
            None => rooms.joined.push(RoomRecord {
                room,
                restored: false,
                since,
                doubtful_to: 0,
                told_to: None,
            }),
        }
        let is_left_behind = |joined: &&RoomRecord| joined.restored && joined.room.is_kin(room);
        Some(
            rooms
                .joined
                .iter()
                .filter(is_left_behind)
                .map(|joined| joined.room)
                .collect(),
        )
    }

    /// Gives back a room that the session is to get; false where it has left that, or has moved on to another room of
    /// that kind. It need not be connected any more: it may be back once again.
    pub(crate) fn restore(&self, room: RoomKey, since: Option<u64>) -> bool {
        let mut rooms = self.rooms.lock();
        if !rooms.forget_return(room) {
            return false;
        }
        if rooms.joined.iter().any(|joined| joined.room == room) {
            return true;
        }
        let has_moved_on = rooms
            .joined
            .iter()
            .any(|joined| !joined.restored && joined.room.is_kin(room));
        if !has_moved_on {
            rooms.joined.push(RoomRecord {
                room,
                restored: true,
                since,
                doubtful_to: 0,
                told_to: None,
            });
        }
        !has_moved_on
    }

    /// The session may not be in that room any more, nor be told again what it was told there.
    pub(crate) fn put_out(&self, room: RoomKey) {
        self.left(room);
        self.outbox.forget(room);
    }

    /// The session is in that room no more, and does not get it back either.
    pub(crate) fn left(&self, room: RoomKey) {
        {
            let mut rooms = self.rooms.lock();
            rooms.joined.retain(|joined| joined.room != room);
            rooms.forget_return(room);
        }
        self.outbox.leave(room);
    }
}

impl Rooms {
    fn all(&self) -> Vec<RoomKey> {
        let joined = self.joined.iter().map(|joined| joined.room);
        let mut all: Vec<_> = joined.collect();
        let awaited = self.returning.iter().flat_map(|returning| &returning.rooms);
        for room in awaited {
            if !all.contains(room) {
                all.push(*room);
            }
        }
        all
    }

    /// The entry from which the session is still to get that room.
    fn predecessor(&self, room: RoomKey) -> Option<Arc<SessionEntry>> {
        let returning = self.returning.as_ref()?;
        let is_awaited = returning.rooms.contains(&room);
        returning.old.as_ref().filter(|_| is_awaited).cloned()
    }

    /// The session does not wait for that room any more; false where it did not.
    fn forget_return(&mut self, room: RoomKey) -> bool {
        let Some(returning) = &mut self.returning else {
            return false;
        };
        let awaited = returning.rooms.len();
        returning.rooms.retain(|awaited| *awaited != room);
        let is_forgotten = returning.rooms.len() < awaited;
        if returning.rooms.is_empty() {
            self.returning = None;
        }
        is_forgotten
    }
}
