//! The outbox against a socket that takes what the test lets it take.

mod recovery;

use std::io::IoSlice;

use collabflow_protocol::id::{ChannelId, ObjectId};

use super::{state::UNPROVEN_MAX, *};

#[derive(Clone, Default)]
struct Wall(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    calls: usize,
    /// What it still takes; `None` is anything.
    room: Option<usize>,
}

impl Socket for Wall {
    fn try_write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut taken = self.0.lock();
        taken.calls += 1;
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let count = taken.room.unwrap_or(all.len()).min(all.len());
        if count == 0 && !all.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        taken.bytes.extend(&all[..count]);
        taken.room = taken.room.map(|room| room - count);
        Ok(count)
    }

    fn say_goodbye(&mut self, reason: CloseReason) {
        self.0.lock().bytes.extend(format!("bye: {reason}").bytes());
    }
}

const ROOM: RoomKey = RoomKey::Chat(ChannelId(ObjectId::from_bytes([1; 12])));
const OTHER: RoomKey = RoomKey::Chat(ChannelId(ObjectId::from_bytes([2; 12])));

fn frame(text: &str) -> Frame {
    Frame::from_text(text)
}

fn outbox(bytes_max: usize) -> (Arc<Outbox>, Wall) {
    let outbox = Outbox::new(
        Wire::SocketIo,
        OutboxLimits {
            bytes_max,
            stall_max: Duration::from_secs(10),
        },
    );
    let wall = Wall::default();
    outbox.attach(Box::new(wall.clone()));
    (outbox, wall)
}

fn missed(outbox: &Outbox, room: RoomKey) -> Vec<String> {
    let missed = outbox.take_missed(room);
    assert!(missed.complete);
    missed
        .frames
        .iter()
        .map(|frame| String::from_utf8_lossy(frame.as_text()).into_owned())
        .collect()
}

#[tokio::test]
async fn what_is_queued_goes_out_in_one_write_and_in_order() {
    let (outbox, wall) = outbox(1_000);
    assert!(outbox.push(&frame("one")));
    assert!(
        !outbox.push(&frame("two")),
        "somebody has undertaken to flush already"
    );
    outbox.flush();
    assert_eq!(wall.0.lock().calls, 1);
    assert_eq!(wall.0.lock().bytes, b"\x81\x03one\x81\x03two");
    assert!(outbox.push(&frame("three")));
}

#[tokio::test]
async fn a_socket_that_takes_a_part_gets_the_rest_when_it_has_room() {
    let (outbox, wall) = outbox(1_000);
    wall.0.lock().room = Some(7);
    outbox.push(&frame("one"));
    outbox.push(&frame("two"));
    outbox.flush();
    assert!(outbox.blocked_for().is_some());
    outbox.changed().await;
    outbox.push(&frame("three"));
    outbox.flush();
    assert_eq!(
        wall.0.lock().calls,
        2,
        "while it is full, only its own task tries again"
    );
    wall.0.lock().room = None;
    outbox.resume();
    assert_eq!(wall.0.lock().bytes, b"\x81\x03one\x81\x03two\x81\x05three");
    assert!(outbox.blocked_for().is_none());
}

#[tokio::test]
async fn more_frames_than_one_write_takes_all_go_out() {
    let (outbox, wall) = outbox(10_000);
    for number in 0..100 {
        outbox.push(&frame(&format!("{number:03}")));
    }
    outbox.flush();
    assert_eq!(wall.0.lock().bytes.len(), 500);
    assert_eq!(wall.0.lock().calls, 4);
}

#[tokio::test]
async fn a_full_outbox_closes_its_session() {
    let (outbox, wall) = outbox(100);
    wall.0.lock().room = Some(0);
    outbox.push(&frame(&"x".repeat(60)));
    assert_eq!(outbox.closed(), None);
    outbox.push(&frame(&"x".repeat(60)));
    assert_eq!(outbox.closed(), Some(CloseReason::OutboxFull));
    outbox.changed().await;
    assert!(!outbox.push(&frame("more")));
}

#[tokio::test]
async fn a_burst_that_the_socket_takes_is_not_too_much() {
    let (outbox, wall) = outbox(100);
    for _ in 0..10 {
        outbox.push(&frame(&"x".repeat(60)));
    }
    outbox.flush();
    assert_eq!(outbox.closed(), None);
    assert!(wall.0.lock().bytes.len() >= 600);
}

#[tokio::test(start_paused = true)]
async fn an_outbox_whose_socket_takes_nothing_for_too_long_closes_its_session() {
    let (outbox, wall) = outbox(1_000);
    wall.0.lock().room = Some(0);
    outbox.send(&frame("one"));
    tokio::time::advance(Duration::from_secs(9)).await;
    outbox.send(&frame("two"));
    assert_eq!(outbox.closed(), None);
    tokio::time::advance(Duration::from_millis(1_001)).await;
    outbox.send(&frame("three"));
    assert_eq!(outbox.closed(), Some(CloseReason::OutboxStalled));
}

#[tokio::test]
async fn a_poll_takes_what_fits_and_one_frame_at_least() {
    let outbox = Outbox::for_tests();
    for text in ["a", "bb", "ccc"] {
        outbox.send(&frame(text));
    }
    outbox.polled().await;
    assert_eq!(outbox.take(1), [frame("a")]);
    assert_eq!(outbox.take(100), [frame("bb"), frame("ccc")]);
    assert_eq!(outbox.take(100), []);
    outbox.send(&frame("d"));
    let wall = Wall::default();
    outbox.attach(Box::new(wall.clone()));
    assert_eq!(wall.0.lock().bytes, b"\x81\x01d");
}

#[tokio::test]
async fn what_was_not_wholly_written_and_what_comes_later_is_kept_for_each_room() {
    let (outbox, wall) = outbox(1_000);
    outbox.push_durable(ROOM, Mark::Beside, &frame("heard"));
    outbox.flush();
    wall.0.lock().room = Some(2);
    outbox.push_durable(ROOM, Mark::Beside, &frame("half"));
    outbox.push(&frame("typing"));
    outbox.push_durable(OTHER, Mark::Beside, &frame("other"));
    outbox.flush();
    outbox.park();
    outbox.push_durable(ROOM, Mark::Beside, &frame("later"));
    outbox.push(&frame("typing again"));
    assert_eq!(missed(&outbox, ROOM), ["half", "later"]);
    assert_eq!(missed(&outbox, OTHER), ["other"]);
    assert_eq!(missed(&outbox, ROOM), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_was_written_since_a_connection_fell_silent_is_missed_too() {
    let (outbox, _wall) = outbox(1_000);
    outbox.push_durable(ROOM, Mark::Beside, &frame("read"));
    outbox.flush();
    tokio::time::advance(Duration::from_millis(50)).await;
    let since = Instant::now();
    outbox.push_durable(ROOM, Mark::Beside, &frame("unread"));
    outbox.flush();
    outbox.close(CloseReason::PingTimeout);
    outbox.push_durable(ROOM, Mark::Beside, &frame("later"));
    outbox.end(CloseReason::PingTimeout, Some(since));
    assert_eq!(missed(&outbox, ROOM), ["unread", "later"]);
}

#[tokio::test]
async fn what_was_written_to_a_connection_that_did_not_fall_silent_counts_as_read() {
    let (outbox, _wall) = outbox(1_000);
    outbox.push_durable(ROOM, Mark::Beside, &frame("read"));
    outbox.flush();
    outbox.end(CloseReason::PeerClosed, None);
    outbox.end(
        CloseReason::PingTimeout,
        Some(Instant::now() - Duration::from_secs(1)),
    );
    assert_eq!(missed(&outbox, ROOM), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_proof_of_reading_leaves_nothing_to_remember() {
    let (outbox, _wall) = outbox(1_000);
    let start = Instant::now();
    outbox.push_durable(ROOM, Mark::Beside, &frame("read"));
    outbox.flush();
    tokio::time::advance(Duration::from_millis(1)).await;
    outbox.prove_read(Instant::now());
    outbox.push_durable(ROOM, Mark::Beside, &frame("unread"));
    outbox.flush();
    outbox.end(CloseReason::PingTimeout, Some(start));
    assert_eq!(missed(&outbox, ROOM), ["unread"]);
}

#[tokio::test]
async fn more_unread_frames_than_are_remembered_make_their_room_incomplete() {
    let (outbox, _wall) = outbox(10_000);
    let start = Instant::now();
    outbox.push_durable(ROOM, Mark::Beside, &frame("first"));
    for number in 0..UNPROVEN_MAX {
        outbox.push_durable(OTHER, Mark::Beside, &frame(&format!("{number}")));
    }
    outbox.flush();
    outbox.end(CloseReason::PingTimeout, Some(start));
    assert!(!outbox.take_missed(ROOM).complete);
    assert_eq!(missed(&outbox, OTHER).len(), UNPROVEN_MAX);
}

#[tokio::test]
async fn what_a_poll_was_answered_is_missed_unless_another_poll_follows() {
    let outbox = Outbox::for_tests();
    for text in ["proven", "unproven", "never taken"] {
        outbox.push_durable(ROOM, Mark::Beside, &frame(text));
    }
    assert_eq!(outbox.take(1), [frame("proven")]);
    assert_eq!(outbox.take(1), [frame("unproven")]);
    outbox.park();
    assert_eq!(missed(&outbox, ROOM), ["unproven", "never taken"]);
}

#[tokio::test]
async fn an_answer_that_its_connection_has_taken_is_read_unless_the_client_falls_silent() {
    let polled = || {
        let outbox = Outbox::for_tests();
        outbox.push_durable(ROOM, Mark::Beside, &frame("answered"));
        assert_eq!(outbox.take(100), [frame("answered")]);
        outbox.push_durable(ROOM, Mark::Beside, &frame("queued"));
        outbox.answer_sent();
        outbox
    };
    let cut = polled();
    cut.end(CloseReason::ConnectionLost, None);
    assert_eq!(missed(&cut, ROOM), ["queued"]);
    let silent = polled();
    let pinged_later = Instant::now() + Duration::from_secs(20);
    silent.end(CloseReason::PingTimeout, Some(pinged_later));
    assert_eq!(missed(&silent, ROOM), ["answered", "queued"]);
}

#[tokio::test]
async fn who_has_read_nothing_misses_all_that_is_not_proven() {
    let (outbox, _) = outbox(1000);
    outbox.push_durable(ROOM, Mark::Beside, &frame("proven"));
    outbox.flush();
    outbox.prove_read(Instant::now());
    outbox.push_durable(ROOM, Mark::Beside, &frame("written"));
    outbox.flush();
    outbox.end(CloseReason::PeerClosed, None);
    outbox.push_durable(ROOM, Mark::Beside, &frame("later"));
    outbox.disprove();
    assert_eq!(missed(&outbox, ROOM), ["written", "later"]);
}

#[tokio::test]
async fn an_upgrade_proves_that_the_last_poll_was_read() {
    let outbox = Outbox::for_tests();
    outbox.push_durable(ROOM, Mark::Beside, &frame("read"));
    assert_eq!(outbox.take(100), [frame("read")]);
    outbox.attach(Box::new(Wall::default()));
    assert_eq!(
        outbox.take(100),
        [],
        "a late poll gets nothing of the socket's"
    );
    outbox.park();
    assert_eq!(missed(&outbox, ROOM), Vec::<String>::new());
}

#[tokio::test]
async fn a_close_lets_out_what_the_socket_takes_and_says_why_unless_a_frame_is_torn() {
    let (open, wall) = outbox(1_000);
    open.push(&frame("one"));
    open.close(CloseReason::Draining);
    open.close(CloseReason::Internal);
    assert_eq!(wall.0.lock().bytes, b"\x81\x03onebye: the server is ending");
    let (full, wall) = outbox(1_000);
    wall.0.lock().room = Some(3);
    full.send(&frame("one"));
    full.close(CloseReason::Draining);
    assert_eq!(wall.0.lock().bytes, b"\x81\x03o");
}

#[tokio::test]
async fn a_room_of_which_too_much_was_missed_is_incomplete_and_others_are_not() {
    let (outbox, _wall) = outbox(100);
    outbox.park();
    outbox.push_durable(OTHER, Mark::Beside, &frame("little"));
    for _ in 0..3 {
        outbox.push_durable(ROOM, Mark::Beside, &frame(&"x".repeat(60)));
    }
    assert_eq!(
        outbox.take_missed(ROOM),
        Missed {
            frames: Vec::new(),
            complete: false
        }
    );
    assert_eq!(missed(&outbox, OTHER), ["little"]);
}

#[tokio::test]
async fn a_socket_that_is_full_is_closed_once_it_has_taken_what_waits() {
    let (outbox, wall) = outbox(1_000);
    wall.0.lock().room = Some(0);
    outbox.send(&frame("one"));
    outbox.close_when_flushed(CloseReason::Draining);
    assert_eq!(outbox.closed(), None);
    wall.0.lock().room = None;
    outbox.resume();
    assert_eq!(outbox.closed(), Some(CloseReason::Draining));
    assert_eq!(wall.0.lock().bytes, b"\x81\x03onebye: the server is ending");
}

#[tokio::test]
async fn one_that_polls_is_closed_by_the_answer_to_a_poll() {
    let limits = OutboxLimits {
        bytes_max: 1_000,
        stall_max: Duration::from_secs(10),
    };
    let outbox = Outbox::new(Wire::SocketIo, limits);
    outbox.send(&frame("one"));
    outbox.close_when_flushed(CloseReason::Draining);
    assert_eq!(outbox.take(1_000).len(), 1);
    assert_eq!(outbox.closed(), None);
    assert_eq!(outbox.closing(), Some(CloseReason::Draining));
}
