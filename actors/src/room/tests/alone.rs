//! Memberships while the backplane is away, and when it is back.

use tokio::time::Duration;

use super::*;
use crate::{room::state::Command, store::StoreError};

/// The contract's.
const READ_WITHIN: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(250);

/// A room with users 1 and 9 in it.
fn room() -> (TestRoom, Arc<SessionEntry>) {
    let mut room = TestRoom::following();
    let entry = session(1);
    room.join(&entry);
    (room, entry)
}

fn remove(room: &mut TestRoom) {
    room.members.roles.remove(&user(1).id);
}

fn pass(room: &mut TestRoom, time: Duration) {
    let end = room.now + time;
    while room.now < end {
        room.pass(LOOK);
    }
}

fn is_in(room: &TestRoom, entry: &SessionEntry) -> bool {
    room.state.members().get(entry.id).is_some()
}

#[tokio::test]
async fn who_is_removed_while_the_backplane_is_away_and_only_listens_is_out_in_time() {
    let (mut room, entry) = room();
    pass(&mut room, READ_WITHIN * 2);
    room.apply(Command::Link(false));
    // Whenever it is.
    for wait in [0, 7, 14, 23] {
        pass(&mut room, Duration::from_secs(wait));
        room.join(&entry);
        assert!(is_in(&room, &entry));
        remove(&mut room);
        pass(&mut room, READ_WITHIN);
        assert!(!is_in(&room, &entry), "after {wait} s");
        room.members
            .roles
            .insert(user(1).id, collabflow_protocol::model::Role::Member);
    }
}

#[tokio::test]
async fn nothing_is_read_by_the_clock_while_others_can_say_so() {
    let (mut room, entry) = room();
    remove(&mut room);
    pass(&mut room, READ_WITHIN * 3);
    assert!(is_in(&room, &entry));
    assert!(room.state.rereads_at().is_none());
}

#[tokio::test]
async fn who_was_removed_meanwhile_is_out_when_the_backplane_is_back() {
    let (mut room, entry) = room();
    room.apply(Command::Link(false));
    remove(&mut room);
    room.apply(Command::Link(true));
    assert!(!is_in(&room, &entry));
}

/// A read that began before counts for nothing, and one that fails is made again.
#[tokio::test]
async fn memberships_are_read_again_until_the_store_answers() {
    let (mut room, entry) = room();
    room.apply(Command::Link(false));
    room.holds_reads = true;
    pass(&mut room, READ_WITHIN);
    assert_eq!(room.reads.len(), 1);
    let before = Ok(Some(room.members.clone()));
    remove(&mut room);
    room.apply(Command::Link(true));
    room.read(before);
    assert_eq!(room.reads.len(), 1, "another one");
    room.read(Err(StoreError::Unavailable("away".into())));
    assert!(is_in(&room, &entry));
    pass(&mut room, Duration::from_secs(1));
    let after = Ok(Some(room.members.clone()));
    room.read(after);
    assert!(!is_in(&room, &entry));
}

/// The store is not asked the more often for being away as well.
#[tokio::test]
async fn a_store_that_fails_is_asked_as_seldom_as_one_that_answers() {
    let (mut room, _entry) = room();
    room.holds_reads = true;
    room.apply(Command::Link(false));
    let mut reads = 0;
    for _ in 0..240 {
        room.pass(LOOK);
        if !room.reads.is_empty() {
            room.read(Err(StoreError::Unavailable("away".into())));
            reads += 1;
        }
    }
    assert!((6..=8).contains(&reads), "{reads} in a minute");
}
