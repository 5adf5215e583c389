//! What everybody may know of a session: who it is, where its frames go, and the rooms it is in.
//!
//! Only a room writes that the session is in it, so that the two can never disagree for longer than the room is at
//! work; the session's end, a return and a room's restart are read off here.

use std::sync::Arc;

use collabflow_protocol::{id::UserId, model::UserBrief};
use parking_lot::Mutex;

use crate::{
    id::{PrivateId, SessionId},
    key::RoomKey,
    outbox::Outbox,
};

/// One session, connected or away.
#[derive(Debug)]
pub(crate) struct SessionEntry {
    pub(crate) id: SessionId,
    pub(crate) pid: PrivateId,
    pub(crate) user: Arc<UserBrief>,
    pub(crate) outbox: Arc<Outbox>,
    rooms: Mutex<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    joined: Vec<Joined>,
    life: Life,
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

#[derive(Clone, Copy, Debug)]
struct Joined {
    room: RoomKey,
    /// It was given back on a return; the session has not joined it itself since.
    restored: bool,
}

impl SessionEntry {
    pub(crate) fn new(user: Arc<UserBrief>, outbox: Arc<Outbox>) -> Arc<Self> {
        let (id, pid) = (SessionId::random(), PrivateId::random());
        Arc::new(Self {
            id,
            pid,
            user,
            outbox,
            rooms: Mutex::default(),
        })
    }

    /// The same session on another connection, in those of its rooms that are kept. Each room is to hear of it.
    pub(crate) fn renewed(
        old: &Self,
        user: Arc<UserBrief>,
        outbox: Arc<Outbox>,
        is_kept: impl Fn(RoomKey) -> bool,
    ) -> Arc<Self> {
        let mut joined = old.rooms.lock().joined.clone();
        joined.retain(|joined| is_kept(joined.room));
        let life = Life::Connected;
        Arc::new(Self {
            id: old.id,
            pid: old.pid,
            user,
            outbox,
            rooms: Mutex::new(Rooms { joined, life }),
        })
    }

    pub(crate) fn user_id(&self) -> UserId {
        self.user.id
    }

    /// The rooms it is in now.
    pub(crate) fn rooms(&self) -> Vec<RoomKey> {
        self.rooms
            .lock()
            .joined
            .iter()
            .map(|joined| joined.room)
            .collect()
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

    pub(crate) fn has_ended(&self) -> bool {
        self.rooms.lock().life != Life::Connected
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
        let is_away = may_return && (is_recoverable || !rooms.joined.is_empty());
        rooms.life = if is_away { Life::Away } else { Life::Over };
        let joined = rooms.joined.iter().map(|joined| joined.room).collect();
        Some((joined, is_away))
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

    /// The session has joined a room itself. The answer is the rooms of that kind which were only given back to it:
    /// it has moved on from them. `None`: it has ended, and is not in the room.
    pub(crate) fn joined(&self, room: RoomKey) -> Option<Vec<RoomKey>> {
        let mut rooms = self.rooms.lock();
        if rooms.life != Life::Connected {
            return None;
        }
        match rooms.joined.iter_mut().find(|joined| joined.room == room) {
            Some(joined) => joined.restored = false,
            None => rooms.joined.push(Joined {
                room,
                restored: false,
            }),
        }
        let is_left_behind = |joined: &&Joined| joined.restored && joined.room.is_kin(room);
        Some(
            rooms
                .joined
                .iter()
                .filter(is_left_behind)
                .map(|joined| joined.room)
                .collect(),
        )
    }

    /// Gives a room back, unless the session has ended, or has moved on to another room of that kind.
    pub(crate) fn restore(&self, room: RoomKey) -> bool {
        let mut rooms = self.rooms.lock();
        if rooms.life != Life::Connected {
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
            rooms.joined.push(Joined {
                room,
                restored: true,
            });
        }
        !has_moved_on
    }

    /// The session may not be in that room any more, nor be told again what it was told there.
    pub(crate) fn put_out(&self, room: RoomKey) {
        self.left(room);
        self.outbox.forget(room);
    }

    /// The session is in that room no more.
    pub(crate) fn left(&self, room: RoomKey) {
        self.rooms
            .lock()
            .joined
            .retain(|joined| joined.room != room);
    }
}
