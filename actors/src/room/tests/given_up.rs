//! A room that keeps breaking is given up, and made afresh by whoever needs it: who was in the old one comes back to it.

use std::sync::Arc;

use super::{TestRoom, session, successor, user};
use crate::{outbox::Outbox, room::message::RoomMessage, session::entry::SessionEntry};

/// A session that was in a room that is no more.
fn left_behind() -> (TestRoom, Arc<SessionEntry>) {
    let (mut room, old) = (TestRoom::new(), session(1));
    room.join(&old);
    old.end(true);
    let mut fresh = TestRoom::new();
    fresh.join(&session(2));
    fresh.take_told();
    (fresh, old)
}

fn told_to(room: &mut TestRoom, entry: &SessionEntry) -> Vec<String> {
    let heard = room.heard_by(entry.id);
    heard
        .iter()
        .map(|event| event[0].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn who_was_in_a_room_that_was_given_up_is_in_the_new_one_and_told_to_reload() {
    let (mut room, old) = left_behind();
    let back = successor(&old);
    room.send(RoomMessage::Return {
        old: Arc::clone(&old),
        new: Arc::clone(&back),
    });
    assert!(back.is_in(room.state.key()));
    assert!(room.state.members().get(back.id).is_some());
    assert_eq!(told_to(&mut room, &back), ["room:resync", "room:users"]);
}

#[tokio::test]
async fn who_recovers_into_a_room_that_was_given_up_is_in_the_new_one_and_told_to_reload() {
    let (mut room, old) = left_behind();
    old.outbox.keep_log(1_000);
    let new = SessionEntry::renewed(&old, user(1), Outbox::for_tests(), |_| true);
    room.send(RoomMessage::Renew {
        old: Arc::clone(&old),
        new: Arc::clone(&new),
    });
    assert!(room.state.members().get(new.id).is_some());
    assert_eq!(told_to(&mut room, &new), ["room:resync", "room:users"]);
}

#[tokio::test]
async fn who_has_left_a_room_does_not_come_back_to_it() {
    let (mut room, old) = left_behind();
    let back = successor(&old);
    old.left(room.state.key());
    room.send(RoomMessage::Return {
        old,
        new: Arc::clone(&back),
    });
    assert!(!back.is_in(room.state.key()));
    assert_eq!(told_to(&mut room, &back), [] as [&str; 0]);
}
