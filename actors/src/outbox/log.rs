//! What a session that can recover was told: its durable frames, numbered, until they are proven to be read.
//!
//! The numbers go up by one with each durable frame of the session, over all its rooms and connections; they are the
//! offsets that its client knows. Whatever was told after `floor` is here, except what may not be told again.

use std::collections::VecDeque;

use collabflow_protocol::{frame::Frame, socket};
use tokio::time::Instant;

use super::{
    handover::{self, Logged, LoggedFrame},
    progress::{Heard, Mark, Offset, Places},
    queue::ITEMS_KEPT,
};
use crate::key::RoomKey;

#[derive(Debug)]
pub(super) struct Log {
    entries: VecDeque<Entry>,
    bytes: usize,
    bytes_max: usize,
    /// The last frame that was told.
    last: Offset,
    /// The places in the rooms' logs that go with it.
    places: Places,
    /// Frames up to this one may be missing.
    floor: Offset,
    /// The places that go with that.
    floor_places: Places,
    /// The last frame that a poll was answered with.
    polled: Offset,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) offset: Offset,
    pub(super) room: RoomKey,
    /// As it is shared with other sessions: without the offset.
    pub(super) frame: Frame,
    /// The stamp of what it tells in the room's log, where it has one.
    pub(super) stamp: Option<u64>,
    /// When it was put in line.
    at: Instant,
}

impl Log {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            bytes_max,
            last: Offset::default(),
            places: Places::default(),
            floor: Offset::default(),
            floor_places: Places::default(),
            polled: Offset::default(),
        }
    }

    /// Takes a frame; the answer is the same with its offset, and that. The oldest are given up where there is no room.
    pub(super) fn add(
        &mut self,
        at: Instant,
        room: RoomKey,
        frame: &Frame,
        mark: Mark,
    ) -> Option<(Frame, Offset)> {
        let stamp = match mark {
            Mark::Beside => None,
            Mark::At(stamp) => Some(stamp),
            Mark::Away => {
                self.skip();
                return None;
            }
        };
        self.last.0 += 1;
        if let Some(stamp) = stamp {
            self.places.add(room, stamp);
        }
        self.bytes += frame.len();
        self.entries.push_back(Entry {
            offset: self.last,
            room,
            frame: frame.clone(),
            stamp,
            at,
        });
        let (mut left, bytes_max) = (self.bytes, self.bytes_max);
        self.drop_while(|entry| {
            let is_over = left > bytes_max;
            left -= entry.frame.len();
            is_over
        });
        let numbered = numbered(frame, self.last, &self.places);
        Some((numbered, self.last))
    }

    /// Something was told without an offset: nobody can say of who knows an earlier one whether it was heard.
    pub(super) fn skip(&mut self) {
        self.last.0 += 1;
        self.drop_while(|_| true);
        self.floor = self.last;
        self.floor_places = self.places.clone();
    }

    /// As another node is to know it.
    pub(super) fn hand_over(&self) -> Logged {
        let entry = |entry: &Entry| LoggedFrame {
            offset: entry.offset,
            room: entry.room,
            text: handover::text(&entry.frame),
            stamp: entry.stamp,
        };
        Logged {
            last: self.last,
            floor: self.floor,
            floor_places: self.floor_places.clone(),
            entries: self.entries.iter().map(entry).collect(),
        }
    }

    /// As another node has known it.
    pub(super) fn adopted(logged: Logged, bytes_max: usize, now: Instant) -> Self {
        let mut log = Self {
            last: logged.last,
            places: logged.floor_places.clone(),
            floor: logged.floor,
            floor_places: logged.floor_places,
            ..Self::new(bytes_max)
        };
        for LoggedFrame {
            offset,
            room,
            text,
            stamp,
        } in logged.entries
        {
            if let Some(stamp) = stamp {
                log.places.add(room, stamp);
            }
            log.bytes += text.len();
            log.entries.push_back(Entry {
                offset,
                room,
                frame: Frame::from_text(&text),
                stamp,
                at: now,
            });
        }
        log
    }

    /// The session is in that room no more: its offsets need not say how far it was told there.
    pub(super) fn leave(&mut self, room: RoomKey) {
        self.places.leave(room);
        self.floor_places.leave(room);
    }

    /// How far a room was told.
    pub(super) fn heard(&self, room: RoomKey) -> Option<Heard> {
        self.places.heard(room)
    }

    /// What was put in line before was read.
    pub(super) fn prove(&mut self, before: Instant) {
        self.drop_while(|entry| entry.at < before);
    }

    /// A poll was answered with this frame.
    pub(super) fn poll(&mut self, offset: Offset) {
        self.polled = offset;
    }

    /// What polls were answered with was read.
    pub(super) fn prove_polled(&mut self) {
        let polled = self.polled;
        self.drop_while(|entry| entry.offset <= polled);
    }

    /// Whether everything that was told after this offset is known.
    pub(super) fn reaches(&self, after: Offset) -> bool {
        (self.floor..=self.last).contains(&after)
    }

    /// What was told after this offset.
    pub(super) fn since(&self, after: Offset) -> impl Iterator<Item = &Entry> {
        let start = self.entries.partition_point(|entry| entry.offset <= after);
        self.entries.range(start..)
    }

    /// All that is known to be told, each with its offset, and that.
    pub(super) fn told_again(&self) -> Vec<(Frame, Offset)> {
        let mut places = self.floor_places.clone();
        let mut told = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            if let Some(stamp) = entry.stamp {
                places.add(entry.room, stamp);
            }
            told.push((numbered(&entry.frame, entry.offset, &places), entry.offset));
        }
        told
    }

    /// Everything up to this offset was read; the rest goes out anew.
    pub(super) fn resume(&mut self, after: Offset, now: Instant) {
        self.drop_while(|entry| entry.offset <= after);
        self.floor = self.floor.max(after);
        self.polled = after;
        for entry in &mut self.entries {
            entry.at = now;
        }
    }

    /// What was told in that room is not to be told again.
    pub(super) fn forget(&mut self, room: RoomKey) {
        let bytes = &mut self.bytes;
        self.entries.retain(|entry| {
            if entry.room == room {
                *bytes -= entry.frame.len();
            }
            entry.room != room
        });
    }

    fn drop_while(&mut self, mut is_dropped: impl FnMut(&Entry) -> bool) {
        while let Some(entry) = self.entries.pop_front_if(|entry| is_dropped(entry)) {
            self.bytes -= entry.frame.len();
            self.floor = entry.offset;
            if let Some(stamp) = entry.stamp {
                self.floor_places.add(entry.room, stamp);
            }
        }
        if self.entries.is_empty() && self.entries.capacity() > ITEMS_KEPT {
            self.entries = VecDeque::new();
        }
    }
}

fn numbered(frame: &Frame, offset: Offset, places: &Places) -> Frame {
    socket::with_offset(frame, format_args!("{offset}{places}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use collabflow_protocol::id::{ChannelId, ObjectId};

    use super::*;

    const ROOM: RoomKey = RoomKey::Chat(ChannelId(ObjectId::from_bytes([1; 12])));
    const OTHER: RoomKey = RoomKey::Chat(ChannelId(ObjectId::from_bytes([2; 12])));

    fn log(bytes_max: usize, texts: &[&str]) -> Log {
        let mut log = Log::new(bytes_max);
        for text in texts {
            log.add(Instant::now(), ROOM, &Frame::from_text(text), Mark::Beside);
        }
        log
    }

    fn since(log: &Log, after: u64) -> Vec<u64> {
        log.since(Offset(after))
            .map(|entry| entry.offset.0)
            .collect()
    }

    #[tokio::test]
    async fn all_that_was_told_since_an_offset_is_known_until_it_is_proven_to_be_read() {
        let mut log = log(100, &["a", "b", "c"]);
        assert_eq!(since(&log, 0), [1, 2, 3]);
        assert_eq!(since(&log, 2), [3]);
        assert!(since(&log, 3).is_empty());
        let later = Instant::now() + Duration::from_secs(1);
        log.add(later, ROOM, &Frame::from_text("d"), Mark::Beside);
        log.prove(later);
        assert_eq!(since(&log, 3), [4]);
        assert!(log.reaches(Offset(3)) && log.reaches(Offset(4)));
        assert!(!log.reaches(Offset(2)), "its successor is proven and gone");
    }

    #[tokio::test]
    async fn an_offset_that_was_never_told_is_not_known() {
        assert!(!log(100, &["a"]).reaches(Offset(2)));
        assert!(log(100, &[]).reaches(Offset(0)));
    }

    #[tokio::test]
    async fn the_oldest_frames_go_where_there_is_no_room_and_what_is_kept_stays_complete() {
        let mut log = log(10, &["aaaa", "bbbb", "cccc"]);
        assert_eq!(since(&log, 1), [2, 3]);
        assert!(!log.reaches(Offset(0)) && log.reaches(Offset(1)));
        log.add(
            Instant::now(),
            ROOM,
            &Frame::from_text(&"d".repeat(11)),
            Mark::Beside,
        );
        assert!(!log.reaches(Offset(3)) && log.reaches(Offset(4)));
        assert_eq!(log.bytes, 0);
    }

    #[tokio::test]
    async fn a_poll_proves_what_the_last_one_was_answered_with() {
        let mut log = log(100, &["a", "b", "c"]);
        log.poll(Offset(2));
        assert!(log.reaches(Offset(0)));
        log.prove_polled();
        assert_eq!(since(&log, 2), [3]);
        assert!(!log.reaches(Offset(1)));
    }

    #[tokio::test]
    async fn what_goes_out_anew_is_proven_by_what_comes_after_that() {
        let mut log = log(100, &["a", "b", "c"]);
        log.poll(Offset(3));
        let again = Instant::now() + Duration::from_secs(1);
        log.resume(Offset(1), again);
        log.prove(again);
        log.prove_polled();
        assert_eq!(since(&log, 1), [2, 3]);
    }

    #[tokio::test]
    async fn offsets_do_not_grow_with_every_room_that_was_ever_joined() {
        let mut log = Log::new(1_000);
        let mut add = |room| {
            let numbered = log.add(
                Instant::now(),
                room,
                &Frame::from_text("42[\"a\"]"),
                Mark::At(7),
            );
            numbered.expect("it has an offset").0.len()
        };
        let alone = add(OTHER);
        assert!(add(ROOM) > alone);
        log.leave(ROOM);
        let numbered = log.add(
            Instant::now(),
            OTHER,
            &Frame::from_text("42[\"a\"]"),
            Mark::At(8),
        );
        assert_eq!(numbered.expect("it has an offset").0.len(), alone);
    }

    #[tokio::test]
    async fn a_room_that_is_lost_is_not_told_again_and_others_are() {
        let mut log = log(100, &["a", "b"]);
        log.add(Instant::now(), OTHER, &Frame::from_text("c"), Mark::Beside);
        log.add(Instant::now(), ROOM, &Frame::from_text("d"), Mark::Beside);
        log.forget(ROOM);
        assert_eq!(since(&log, 0), [3]);
        assert!(log.reaches(Offset(0)) && log.reaches(Offset(4)));
        assert_eq!(log.bytes, 1);
    }
}
