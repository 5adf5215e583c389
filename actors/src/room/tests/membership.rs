//! Who may be in a room: reads of memberships that come late, fail, or find nothing.

use collabflow_protocol::error::ErrorCode;
use tokio::sync::oneshot;

use super::{TestRoom, patch, title, two_tabs, user};
use crate::{node::Refusal, room::message::RoomMessage, store::StoreError};

fn put_out(room: &mut TestRoom, n: u8) -> oneshot::Receiver<()> {
    room.members.roles.remove(&user(n).id);
    let (done, heard) = oneshot::channel();
    room.send(RoomMessage::MembershipChanged(done));
    heard
}

#[tokio::test]
async fn what_was_read_of_memberships_before_they_changed_lets_nobody_in() {
    let (mut room, [_, _, other]) = two_tabs();
    let mut heard = put_out(&mut room, 2);
    assert!(
        heard.try_recv().is_ok(),
        "the answer comes when the stranger is out"
    );
    let events = room.take_told();
    let names: Vec<_> = events.iter().map(|(event, _)| event.name()).collect();
    assert_eq!(names, ["user:left"]);
    assert!(!other.is_in(room.state.key()));
    room.by_socket(&other, patch(title("still here?")));
    assert!(
        matches!(room.take_answered().last(), Some(Err(Refusal::Error(e))) if e.code == ErrorCode::Forbidden)
    );
}

/// A room breaks while memberships are read, and what was read before they changed comes in when it is back.
#[tokio::test]
async fn a_read_that_a_broken_room_began_counts_no_more() {
    let (mut room, [.., other]) = two_tabs();
    let before = room.members.clone();
    room.holds_reads = true;
    room.pass(std::time::Duration::from_secs(10));
    room.by_socket(&other, patch(title("by a member?")));
    let mut heard = put_out(&mut room, 2);
    room.restart();
    assert_eq!(room.reads.len(), 2, "one by the room as it was, one anew");
    room.read(Ok(Some(before)));
    assert!(heard.try_recv().is_err(), "it is too old to go by");
    let after = room.members.clone();
    room.read(Ok(Some(after)));
    assert!(heard.try_recv().is_ok());
    assert!(!other.is_in(room.state.key()));
}

#[tokio::test]
async fn nobody_stays_in_the_room_of_what_is_gone() {
    let (mut room, sessions) = two_tabs();
    room.holds_reads = true;
    let (done, mut heard) = oneshot::channel();
    room.send(RoomMessage::MembershipChanged(done));
    room.read(Ok(None));
    assert!(heard.try_recv().is_ok());
    assert!(room.state.members().is_empty());
    assert!(sessions.iter().all(|entry| !entry.is_in(room.state.key())));
}

/// A removal is in force before it is answered: a read that fails says nothing of who may stay.
#[tokio::test]
async fn a_removal_waits_for_a_read_that_does_not_fail() {
    let (mut room, [.., other]) = two_tabs();
    room.holds_reads = true;
    let mut heard = put_out(&mut room, 2);
    for _ in 0..3 {
        room.read(Err(StoreError::Failed("a read fails".into())));
        assert!(heard.try_recv().is_err(), "it is not in force yet");
        assert!(
            room.reads.is_empty(),
            "the store is left in peace for a moment"
        );
        let due = room.state.next_deadline().expect("another read");
        room.pass(due - room.now);
        assert_eq!(room.reads.len(), 1);
    }
    let after = room.members.clone();
    room.read(Ok(Some(after)));
    assert!(heard.try_recv().is_ok());
    assert!(!other.is_in(room.state.key()));
}
