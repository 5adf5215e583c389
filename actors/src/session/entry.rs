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
    /// The connection is gone: the session gets into no further room.
    has_ended: bool,
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
        self.rooms.lock().has_ended
    }

    /// The connection is gone; the rooms that the session is in are the answer. Only the first end counts.
    pub(crate) fn end(&self) -> Option<Vec<RoomKey>> {
        let mut rooms = self.rooms.lock();
        let is_first = !std::mem::replace(&mut rooms.has_ended, true);
        is_first.then(|| rooms.joined.iter().map(|joined| joined.room).collect())
    }

    /// The session has joined a room itself. The answer is the rooms of that kind which were only given back to it:
    /// it has moved on from them. `None`: it has ended, and is not in the room.
    pub(crate) fn joined(&self, room: RoomKey) -> Option<Vec<RoomKey>> {
        let mut rooms = self.rooms.lock();
        if rooms.has_ended {
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
        if rooms.has_ended {
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

    /// The session is in that room no more.
    pub(crate) fn left(&self, room: RoomKey) {
        self.rooms
            .lock()
            .joined
            .retain(|joined| joined.room != room);
    }
}
