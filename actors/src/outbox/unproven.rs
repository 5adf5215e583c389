//! Durable frames that are written, and that nothing proves yet to have been read.
//!
//! A pong proves that what was written before its ping was read, the next poll that what the last one was answered
//! arrived. Most sessions are proven before long, so this is empty while nothing happens.

use std::collections::VecDeque;

use collabflow_protocol::frame::Frame;
use tokio::time::Instant;

use crate::key::RoomKey;

#[derive(Debug, Default)]
pub(super) struct Unproven {
    frames: VecDeque<(Instant, RoomKey, Frame)>,
    /// Rooms of which frames had to be forgotten, and when the last of these was written.
    forgotten: Vec<(RoomKey, Instant)>,
}

/// What is taken to be unread, before anything that was never written.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub(super) frames: Vec<(RoomKey, Frame)>,
    /// Rooms of which this is not all.
    pub(super) incomplete: Vec<RoomKey>,
}

impl Unproven {
    pub(super) fn add(&mut self, at: Instant, room: RoomKey, frame: Frame) {
        self.frames.push_back((at, room, frame));
    }

    /// Forgets the oldest frames, so that with one more there are no more than so many.
    pub(super) fn make_room(&mut self, frames_max: usize) {
        while self.frames.len() >= frames_max {
            let Some((at, room, _)) = self.frames.pop_front() else {
                return;
            };
            match self.forgotten.iter_mut().find(|(of, _)| *of == room) {
                Some((_, last)) => *last = at,
                None => self.forgotten.push((room, at)),
            }
        }
    }

    /// What was written before was read.
    pub(super) fn prove(&mut self, before: Instant) {
        self.frames.retain(|(at, ..)| *at >= before);
        self.forgotten.retain(|(_, at)| *at >= before);
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }

    /// All was read.
    pub(super) fn prove_all(&mut self) {
        *self = Self::default();
    }

    /// Takes what was written at or after `since`.
    pub(super) fn take_since(&mut self, since: Instant) -> Unread {
        let start = self.frames.partition_point(|(at, ..)| *at < since);
        let is_since = |(_, at): &mut (RoomKey, Instant)| *at >= since;
        let frames = self.frames.split_off(start);
        let forgotten = self.forgotten.extract_if(.., is_since).collect();
        Self { frames, forgotten }.take_all()
    }

    /// Takes all of it.
    pub(super) fn take_all(&mut self) -> Unread {
        let Self { frames, forgotten } = std::mem::take(self);
        Unread {
            frames: frames
                .into_iter()
                .map(|(_, room, frame)| (room, frame))
                .collect(),
            incomplete: forgotten.into_iter().map(|(room, _)| room).collect(),
        }
    }
}
