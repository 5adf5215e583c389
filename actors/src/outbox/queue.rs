//! Frames in the order in which they go out, the first of them perhaps written in part.

use std::{collections::VecDeque, io::IoSlice};

use bytes::Bytes;
use collabflow_protocol::frame::Frame;

use super::progress::Offset;
use crate::key::RoomKey;

/// A queue that has grown past this is given back to the system once it is empty.
pub(super) const ITEMS_KEPT: usize = 32;

#[derive(Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    /// Bytes of all items, without those that are written.
    bytes: usize,
    /// Bytes of the first item that are written already.
    written: usize,
    /// Bytes, the first to go out, for which their session is not to blame.
    excused: usize,
}

pub(super) struct Item {
    payload: Payload,
    /// Of a durable frame.
    place: Option<Place>,
}

/// What a durable frame is known by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// It is told in this room.
    Room(RoomKey),
    /// The session's own log has it.
    Logged(Offset),
}

enum Payload {
    Text(Frame),
    /// A WebSocket control frame.
    Control(Bytes),
}

impl Item {
    pub(super) const fn text(frame: Frame, place: Option<Place>) -> Self {
        Self {
            payload: Payload::Text(frame),
            place,
        }
    }

    pub(super) const fn numbered(frame: Frame, offset: Offset) -> Self {
        Self::text(frame, Some(Place::Logged(offset)))
    }

    pub(super) const fn control(frame: Bytes) -> Self {
        Self {
            payload: Payload::Control(frame),
            place: None,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.payload {
            Payload::Text(frame) => frame.as_websocket(),
            Payload::Control(bytes) => bytes,
        }
    }

    /// The frame and its place, where it is durable.
    fn into_durable(self) -> Option<(Place, Frame)> {
        match (self.place, self.payload) {
            (Some(place), Payload::Text(frame)) => Some((place, frame)),
            _ => None,
        }
    }

    /// The frame and its room, where it is durable, and in no log.
    pub(super) fn into_unlogged(self) -> Option<(RoomKey, Frame)> {
        match self.into_durable()? {
            (Place::Room(room), frame) => Some((room, frame)),
            (Place::Logged(_), _) => None,
        }
    }
}

impl Queue {
    pub(super) fn push(&mut self, item: Item) {
        self.bytes += item.as_bytes().len();
        if self.items.capacity() == 0 {
            // Most sockets never have more than one frame waiting.
            self.items.reserve_exact(1);
        }
        self.items.push_back(item);
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frames that nobody needs later.
    pub(super) fn passing(&self) -> usize {
        let is_passing = |item: &&Item| item.place.is_none();
        self.items.iter().filter(is_passing).count()
    }

    /// What waits because its session does not read it.
    pub(super) const fn bytes_unexcused(&self) -> usize {
        self.bytes - self.excused
    }

    /// What waits now was put here all at once.
    pub(super) const fn excuse(&mut self) {
        self.excused = self.bytes;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the first frame is written in part.
    pub(super) const fn is_torn(&self) -> bool {
        self.written > 0
    }

    /// What is to be written of the first frame, if it is the only one.
    pub(super) fn only(&self) -> Option<&[u8]> {
        let first = self.items.front().filter(|_| self.items.len() == 1)?;
        Some(&first.as_bytes()[self.written..])
    }

    /// What is to be written next, as far as `bufs` holds it.
    pub(super) fn slices<'a, 'b>(&'a self, bufs: &'b mut [IoSlice<'a>]) -> &'b [IoSlice<'a>] {
        let mut skip = self.written;
        let mut count = 0;
        for (buf, item) in bufs.iter_mut().zip(&self.items) {
            *buf = IoSlice::new(&item.as_bytes()[skip..]);
            (skip, count) = (0, count + 1);
        }
        &bufs[..count]
    }

    /// So many bytes are written; durable frames that are out wholly are handed to `sent`.
    pub(super) fn advance(&mut self, count: usize, mut sent: impl FnMut(Place, Frame)) {
        self.bytes -= count;
        self.excused = self.excused.saturating_sub(count);
        self.written += count;
        while let Some(item) = self.items.front() {
            let length = item.as_bytes().len();
            if self.written < length {
                break;
            }
            self.written -= length;
            if let Some((place, frame)) = self.items.pop_front().and_then(Item::into_durable) {
                sent(place, frame);
            }
        }
        if self.items.is_empty() && self.items.capacity() > ITEMS_KEPT {
            self.items = VecDeque::new();
        }
    }

    /// Takes the first frame, if it is text and leaves at most `bytes_max` of text.
    pub(super) fn take_text(&mut self, bytes_max: usize) -> Option<(Option<Place>, Frame)> {
        let first = self.items.front()?;
        let Payload::Text(frame) = &first.payload else {
            return None;
        };
        if frame.len() > bytes_max {
            return None;
        }
        let (place, frame) = (first.place, frame.clone());
        self.advance(frame.as_websocket().len(), |_, _| {});
        Some((place, frame))
    }

    /// Empties the queue: what is durable of it, and in no log.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (RoomKey, Frame)> {
        let items = std::mem::take(self).items;
        items.into_iter().filter_map(Item::into_unlogged)
    }
}
