//! What an outbox hands over to another node: what its client has not read, as far as is known. There it goes on as the
//! outbox of a session that is away.

use std::sync::Arc;

use collabflow_protocol::frame::Frame;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    Outbox, Progress, Wire,
    link::Link,
    log::Log,
    parked::Parked,
    progress::{Offset, Places},
};
use crate::key::RoomKey;

/// What a session's client has not read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Unheard {
    /// It keeps an offset.
    Log(Logged),
    /// It does not; and of these rooms, this is not all.
    Parked(Vec<(RoomKey, String)>, Vec<RoomKey>),
}

/// What a session that keeps an offset was told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Logged {
    pub(super) last: Offset,
    pub(super) floor: Offset,
    pub(super) floor_places: Places,
    pub(super) entries: Vec<LoggedFrame>,
}

/// One frame of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LoggedFrame {
    pub(super) offset: Offset,
    pub(super) room: RoomKey,
    pub(super) text: String,
    pub(super) stamp: Option<u64>,
}

impl Unheard {
    /// Of a client that keeps an offset, and whose node is gone: what it knows is all that is known.
    pub(crate) fn after(progress: Progress) -> Self {
        Self::Log(Logged {
            last: progress.offset,
            floor: progress.offset,
            floor_places: progress.places,
            entries: Vec::new(),
        })
    }

    /// Whether everything is there that a client has not read which says that it has come so far.
    pub(crate) fn suffices(&self, progress: Option<&Progress>) -> bool {
        match (self, progress) {
            (Self::Log(logged), Some(progress)) => {
                (logged.floor..=logged.last).contains(&progress.offset)
            }
            (Self::Log(_), None) => false,
            (Self::Parked(..), _) => true,
        }
    }

    /// Of a client that does not, and whose node is gone: of nothing can be said that it was read.
    pub(crate) const fn nothing_known(rooms: Vec<RoomKey>) -> Self {
        Self::Parked(Vec::new(), rooms)
    }
}

impl Outbox {
    /// What its client has not read. It must have been closed.
    pub(crate) fn unheard(&self) -> Unheard {
        let mut state = self.state.lock();
        if let Some(log) = &state.log {
            return Unheard::Log(log.hand_over());
        }
        match &mut state.link {
            Link::Gone(parked) => {
                let (frames, incomplete) = parked.hand_over();
                let frames = frames.into_iter();
                Unheard::Parked(
                    frames.map(|(room, frame)| (room, text(&frame))).collect(),
                    incomplete,
                )
            }
            Link::Polling | Link::Socket(_) | Link::Moved(_) => {
                Unheard::Parked(Vec::new(), Vec::new())
            }
        }
    }

    /// The outbox of a session that was on another node, and is away.
    pub(crate) fn adopted(&self, unheard: Unheard, bytes_max: usize) -> Arc<Self> {
        let adopted = Self::new(Wire::SocketIo, self.limits);
        let mut state = adopted.state.lock();
        state.park(self.limits.bytes_max);
        match unheard {
            Unheard::Log(logged) => {
                state.log = Some(Box::new(Log::adopted(logged, bytes_max, Instant::now())));
            }
            Unheard::Parked(frames, incomplete) => {
                let mut parked = Parked::default();
                for (room, text) in frames {
                    parked.push(room, Frame::from_text(&text), self.limits.bytes_max);
                }
                for room in incomplete {
                    parked.give_up(room);
                }
                state.link = Link::Gone(Box::new(parked));
            }
        }
        drop(state);
        adopted
    }

    /// How far its client has heard this room for certain, where it keeps offsets.
    pub(crate) fn heard(&self, room: RoomKey) -> Option<super::Heard> {
        let state = self.state.lock();
        state.log.as_ref()?.heard(room)
    }

    /// What was told in a room cannot be told again.
    pub(crate) fn lose(&self, room: RoomKey) {
        let mut state = self.state.lock();
        if let Some(log) = &mut state.log {
            log.skip();
        }
        if let Link::Gone(parked) = &mut state.link {
            parked.give_up(room);
        }
    }
}

pub(super) fn text(frame: &Frame) -> String {
    String::from_utf8_lossy(frame.as_text()).into_owned()
}
