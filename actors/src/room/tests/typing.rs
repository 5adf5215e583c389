//! Typing always ends for the others.

use std::sync::Arc;

use collabflow_protocol::id::ObjectId;
use tokio::time::Duration;

use super::{TestRoom, session};
use crate::{
    key::RoomKey,
    room::message::{Departure, RoomMessage},
    session::{entry::SessionEntry, reply::Reply},
};

/// A channel's room with user 2 in it.
fn channel() -> (TestRoom, Arc<SessionEntry>) {
    let id = ObjectId::from_bytes([200; 12]);
    let (mut room, other) = (TestRoom::of(RoomKey::Chat(id.into())), session(2));
    room.join(&other);
    room.take_told();
    (room, other)
}

fn types(room: &mut TestRoom, entry: &Arc<SessionEntry>) {
    let entry = Arc::clone(entry);
    room.send(RoomMessage::Typing(entry, true, Reply::nobody()));
}

fn leaves(room: &mut TestRoom, entry: &Arc<SessionEntry>) {
    let (entry, how) = (Arc::clone(entry), Departure::Left);
    room.send(RoomMessage::Depart(entry, how, Reply::nobody()));
}

/// What a session was told of typing since the last call.
fn told(room: &mut TestRoom, entry: &SessionEntry) -> Vec<bool> {
    let heard = room.heard_by(entry.id);
    let of_typing = heard.iter().filter(|event| event[0] == "chat:userTyping");
    of_typing
        .map(|event| event[1]["isTyping"].as_bool().expect("a bool"))
        .collect()
}

#[tokio::test]
async fn typing_by_who_never_joined_ends_with_its_leave() {
    let (mut room, other) = channel();
    let guest = session(1);
    types(&mut room, &guest);
    leaves(&mut room, &guest);
    assert_eq!(told(&mut room, &other), [true, false]);
}

#[tokio::test]
async fn typing_that_waits_for_memberships_does_not_begin_after_its_session_has_left() {
    for drops in [true, false] {
        let (mut room, other) = channel();
        let typist = session(1);
        room.join(&typist);
        room.pass(Duration::from_secs(10));
        room.holds_reads = true;
        types(&mut room, &typist);
        if drops {
            typist.end(true);
            room.send(RoomMessage::Away(Arc::clone(&typist)));
        } else {
            leaves(&mut room, &typist);
        }
        room.take_told();
        let found = room.members.clone();
        room.read(Ok(Some(found)));
        assert!(!told(&mut room, &other).contains(&true), "drops: {drops}");
    }
}

#[tokio::test]
async fn typing_ends_where_the_room_breaks() {
    let (mut room, other) = channel();
    let typist = session(1);
    room.join(&typist);
    types(&mut room, &typist);
    assert_eq!(told(&mut room, &other), [true]);
    room.restart();
    assert_eq!(told(&mut room, &other), [false]);
    room.pass(Duration::from_secs(7));
    assert_eq!(told(&mut room, &other), [] as [bool; 0]);
}

/// The store is away: what nobody keeps goes on by what was known.
#[tokio::test]
async fn typing_waits_only_a_moment_for_memberships_that_cannot_be_read() {
    let (mut room, other) = channel();
    let typist = session(1);
    room.join(&typist);
    room.take_told();
    room.pass(Duration::from_secs(10));
    room.holds_reads = true;
    types(&mut room, &typist);
    assert!(told(&mut room, &other).is_empty());
    room.pass(Duration::from_millis(500));
    assert_eq!(told(&mut room, &other), [true]);
    let away = crate::store::StoreError::Unavailable("away".into());
    room.read(Err(away));
    types(&mut room, &typist);
    assert_eq!(told(&mut room, &other), [true]);
    // Who was none before is none now.
    let stranger = session(10);
    types(&mut room, &stranger);
    room.pass(Duration::from_millis(500));
    assert!(told(&mut room, &other).is_empty());
}
