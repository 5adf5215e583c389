//! What a session misses while its connection is gone.

use std::collections::{HashSet, VecDeque};

use collabflow_protocol::frame::Frame;

use super::unproven::Unread;
use crate::{key::RoomKey, metrics};

/// What a session has missed in one room.
#[derive(Debug, PartialEq, Eq)]
pub struct Missed {
    /// The durable events, in order.
    pub frames: Vec<Frame>,
    /// Whether these are all; if not, there are none, and the client has to reload.
    pub complete: bool,
}

/// Durable frames that wait for the session to come back, bounded by their bytes.
#[derive(Debug, Default)]
pub(super) struct Parked {
    frames: VecDeque<(RoomKey, Frame)>,
    bytes: usize,
    /// Rooms of which something had to be given up.
    incomplete: HashSet<RoomKey>,
}

impl Parked {
    pub(super) fn push(&mut self, room: RoomKey, frame: Frame, bytes_max: usize) {
        if self.incomplete.contains(&room) {
            return;
        }
        self.bytes += frame.len();
        self.frames.push_back((room, frame));
        if self.bytes > bytes_max {
            self.give_up(room);
        }
    }

    /// Puts frames before all others: they were sent earlier.
    pub(super) fn push_front(&mut self, unread: Unread, bytes_max: usize) {
        for room in unread.incomplete {
            self.give_up(room);
        }
        for (room, frame) in unread.frames.into_iter().rev() {
            if self.incomplete.contains(&room) {
                continue;
            }
            self.bytes += frame.len();
            self.frames.push_front((room, frame));
            if self.bytes > bytes_max {
                self.give_up(room);
            }
        }
    }

    pub(super) fn take(&mut self, room: RoomKey) -> Missed {
        let complete = !self.incomplete.remove(&room);
        Missed {
            frames: self.drain(room),
            complete,
        }
    }

    /// All frames, and the rooms of which they are not all.
    pub(super) fn hand_over(&mut self) -> (VecDeque<(RoomKey, Frame)>, Vec<RoomKey>) {
        let Self {
            frames, incomplete, ..
        } = std::mem::take(self);
        (frames, incomplete.into_iter().collect())
    }

    /// Nothing of a room is kept any more.
    pub(super) fn give_up(&mut self, room: RoomKey) {
        let given_up = self.drain(room).len();
        metrics::frames_dropped("away_too_much", given_up);
        self.incomplete.insert(room);
    }

    fn drain(&mut self, room: RoomKey) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.frames.retain(|(of, frame)| {
            if *of == room {
                frames.push(frame.clone());
            }
            *of != room
        });
        self.bytes -= frames.iter().map(Frame::len).sum::<usize>();
        frames
    }
}
