//! Sessions that recover: the room's part of it.

use std::sync::Arc;

use tokio::time::Duration;

use crate::{
    outbox::Outbox,
    room::{
        Departure, RoomMessage, Standing,
        effect::Audience,
        fixture::{TestRoom, session, user},
    },
    session::{entry::SessionEntry, reply::Reply},
};

/// A session away in the room, and the entry by which it comes back.
fn recovering(room: &mut TestRoom) -> (Arc<SessionEntry>, Arc<SessionEntry>) {
    let old = session(1);
    room.join(&old);
    old.outbox.keep_log(1_000);
    let new = SessionEntry::renewed(&old, user(1), Outbox::for_tests(), |_| true);
    room.take_told();
    (old, new)
}

fn renew(room: &mut TestRoom, old: &Arc<SessionEntry>, new: &Arc<SessionEntry>) {
    let (old, new) = (Arc::clone(old), Arc::clone(new));
    room.send(RoomMessage::Renew { old, new });
}

#[tokio::test]
async fn a_recovered_session_keeps_its_seat_and_nobody_notices() {
    for is_away in [false, true] {
        let mut room = TestRoom::new();
        let (old, new) = recovering(&mut room);
        if is_away {
            room.send(RoomMessage::Away(Arc::clone(&old)));
        }
        renew(&mut room, &old, &new);
        let told = room.take_told();
        assert_eq!(told.len(), 1, "who is there, to the session alone");
        assert_eq!(told[0].1, Audience::Only(vec![new.id]));
        // What the old connection still says is late.
        room.send(RoomMessage::Away(Arc::clone(&old)));
        room.send(RoomMessage::Depart(
            Arc::clone(&old),
            Departure::Left,
            Reply::nobody(),
        ));
        room.pass(Duration::from_secs(6));
        assert_eq!(room.take_told(), []);
        let seat = room.state.members().get(new.id).expect("a seat");
        assert!(Arc::ptr_eq(&seat.entry, &new) && !seat.is_away());
        room.send(RoomMessage::Depart(new, Departure::Left, Reply::nobody()));
        assert_eq!(room.take_told().len(), 1, "it was one session all the time");
    }
}

#[tokio::test]
async fn a_session_that_recovers_twice_before_the_room_hears_of_it_keeps_its_seat() {
    let mut room = TestRoom::new();
    let (old, new) = recovering(&mut room);
    assert!(old.yield_place() && new.yield_place());
    let newest = SessionEntry::renewed(&new, user(1), Outbox::for_tests(), |_| true);
    renew(&mut room, &old, &new);
    renew(&mut room, &new, &newest);
    let seat = room.state.members().get(newest.id).expect("a seat");
    assert!(Arc::ptr_eq(&seat.entry, &newest));
    assert!(newest.is_in(room.state.key()));
}

#[tokio::test]
async fn a_session_that_was_put_out_before_the_room_heard_of_its_recovery_is_not_in_it() {
    let mut room = TestRoom::new();
    let (old, new) = recovering(&mut room);
    room.members.roles.remove(&old.user_id());
    let (done, _) = tokio::sync::oneshot::channel();
    room.send(RoomMessage::MembershipChanged(done));
    renew(&mut room, &old, &new);
    assert!(room.state.members().is_empty());
    assert!(!new.is_in(room.state.key()));
}

#[tokio::test]
async fn a_room_vouches_for_members_alone() {
    let mut room = TestRoom::new();
    let standing = |room: &mut TestRoom, n| {
        let (asked, mut answer) = tokio::sync::oneshot::channel();
        room.send(RoomMessage::Vouch(user(n).id, asked));
        answer.try_recv().ok()
    };
    assert_eq!(standing(&mut room, 1), Some(Standing::Member));
    assert_eq!(standing(&mut room, 10), Some(Standing::Stranger));
}

#[tokio::test]
async fn a_session_that_is_over_before_the_room_hears_that_it_recovered_is_present_no_more() {
    let mut room = TestRoom::new();
    let other = session(2);
    room.join(&other);
    let (old, new) = recovering(&mut room);
    // As a rival does that takes its place, before the room has been told of it.
    room.send(RoomMessage::Depart(
        Arc::clone(&new),
        Departure::Dropped,
        Reply::nobody(),
    ));
    renew(&mut room, &old, &new);
    room.pass(Duration::from_secs(6));
    let told = room.take_told();
    let names: Vec<_> = told.iter().map(|(event, _)| event.name()).collect();
    assert_eq!(names, ["user:left"]);
    assert!(room.state.members().get(new.id).is_none());
}
