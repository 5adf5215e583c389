//! Events that several rooms are told, in a cluster and without one.

use std::sync::Arc;

use collabflow_protocol::{event::ServerEvent, frame::Frame};
use tokio::sync::oneshot;

use super::*;
use crate::{
    backplane::{Append, Appended, BackplaneError, Logged, Tail},
    directory::somebody,
    key::RoomKey,
    node::Refusal,
    outbox::{Broadcast, Weight, Wire},
    room::{
        entry::{Entry, name_in},
        fixture::{PROJECT, WORKSPACE, place},
        shared::Shared,
        state::Command,
    },
    session::reply::Done,
};

fn shared(id: u128) -> Arc<Shared> {
    let event = ServerEvent::ProjectDeleted {
        project_id: PROJECT,
        deleted_by: somebody(),
    };
    Arc::new(Shared {
        id,
        rooms: vec![RoomKey::Project(PROJECT), RoomKey::Workspace(WORKSPACE)],
        only: Some([user(1).id].into()),
        event: Broadcast::new(&event),
    })
}

type Told = oneshot::Receiver<Result<Done, Refusal>>;

fn tell(room: &mut TestRoom, id: u128) -> Told {
    let (reply, told) = Reply::rest(false);
    room.send(RoomMessage::Tell(shared(id), reply));
    told
}

fn appended(room: &mut TestRoom) -> Append {
    let [append] = &room.take_appended()[..] else {
        panic!("one entry is appended");
    };
    append.clone()
}

fn comes(room: &mut TestRoom, append: &Append, offset: u64) {
    room.apply(Command::Logged(logged(append, offset)));
}

fn logged(append: &Append, offset: u64) -> Logged {
    Logged {
        id: append.id,
        place: place(offset),
        payload: append.payload.clone(),
    }
}

fn ids(room: &TestRoom) -> Vec<u128> {
    room.shared.iter().map(|shared| shared.id).collect()
}

fn is_answered(room: &mut TestRoom) -> bool {
    !room.take_answered().is_empty()
}

#[tokio::test]
async fn a_node_by_itself_tells_at_once() {
    let mut room = TestRoom::new();
    let _told = tell(&mut room, 1);
    assert_eq!(ids(&room), [1]);
    assert!(is_answered(&mut room));
}

#[tokio::test]
async fn in_a_cluster_it_is_told_when_it_comes_back_from_the_log() {
    let mut room = TestRoom::following();
    let _told = tell(&mut room, 1);
    let append = appended(&mut room);
    assert!(room.shared.is_empty() && !is_answered(&mut room));
    comes(&mut room, &append, 1);
    room.apply(Command::Appended(append.id, Ok(Appended::At(place(1)))));
    assert_eq!(ids(&room), [1]);
    assert!(is_answered(&mut room));
}

#[tokio::test]
async fn who_has_only_the_log_tells_the_same_in_both_wire_forms() {
    let mut room = TestRoom::following();
    let _told = tell(&mut room, 7);
    let append = appended(&mut room);
    let mut other = TestRoom::following();
    comes(&mut other, &append, 1);
    let [there] = &other.shared[..] else {
        panic!("it is told");
    };
    let here = shared(7);
    assert_eq!(
        (there.id, &there.rooms, &there.only),
        (7, &here.rooms, &here.only)
    );
    let text = |shared: &Shared, wire| Frame::clone(shared.event.frame(wire));
    for wire in [Wire::SocketIo, Wire::Plain] {
        assert_eq!(text(there, wire), text(&here, wire));
    }
    assert_eq!(there.event.weight(), Weight::Durable);
}

#[tokio::test]
async fn what_several_nodes_tell_by_one_name_is_told_once() {
    let mut room = TestRoom::following();
    let _told = tell(&mut room, 1);
    let ours = appended(&mut room);
    let mut other = TestRoom::following();
    let _told = tell(&mut other, 1);
    assert_eq!(
        appended(&mut other).id,
        ours.id,
        "in one room it has one name"
    );
    comes(&mut other, &ours, 1);
    assert_eq!(ids(&other), [1]);
    other.apply(Command::Appended(ours.id, Ok(Appended::Before(place(1)))));
    assert_eq!(ids(&other), [1]);
    assert!(is_answered(&mut other));
}

/// A change of another program is seen by a node after another node's entry of it was told here.
#[tokio::test]
async fn what_another_node_has_told_already_is_not_told_again() {
    let mut room = TestRoom::following();
    let theirs = Append {
        room: RoomKey::Project(PROJECT),
        id: name_in(RoomKey::Project(PROJECT), 1),
        turn: None,
        payload: serde_json::to_vec(&Entry::Shared(shared(1)))
            .expect("JSON")
            .into(),
    };
    comes(&mut room, &theirs, 1);
    assert_eq!(ids(&room), [1]);
    let _told = tell(&mut room, 1);
    let ours = appended(&mut room);
    assert_eq!(ours.id, theirs.id);
    room.apply(Command::Appended(ours.id, Ok(Appended::Before(place(1)))));
    assert_eq!(ids(&room), [1]);
    assert!(is_answered(&mut room));
    // It has another name in another room.
    assert_ne!(ours.id, name_in(RoomKey::Workspace(WORKSPACE), 1));
}

#[tokio::test]
async fn while_the_log_is_away_it_is_told_at_once_and_appended_later() {
    let mut room = TestRoom::following();
    let _told = tell(&mut room, 1);
    let append = appended(&mut room);
    let away = BackplaneError::Away("frozen".into());
    room.apply(Command::Appended(append.id, Err(away)));
    assert_eq!(ids(&room), [1]);
    assert!(is_answered(&mut room));
    room.apply(Command::Link(false));
    let _told = tell(&mut room, 2);
    assert_eq!(ids(&room), [1, 2]);
    room.apply(Command::Link(true));
    room.apply(Command::Tail(Ok(Tail {
        top: Some(place(0).position),
        began: None,
        entries: Vec::new(),
    })));
    let again = room.take_appended();
    assert_eq!(again.len(), 2);
    assert_eq!(again[0].id, append.id);
    for (append, offset) in again.iter().zip(1..) {
        comes(&mut room, append, offset);
        room.apply(Command::Appended(
            append.id,
            Ok(Appended::At(place(offset))),
        ));
    }
    assert_eq!(ids(&room), [1, 2], "its members have heard it");
}

/// The push of the entry that says why was lost, and another node asks to close the room.
#[tokio::test]
async fn a_room_is_closed_when_what_is_missing_of_its_log_was_told() {
    let mut room = TestRoom::following();
    let mut other = TestRoom::following();
    let _told = tell(&mut other, 1);
    let lost = appended(&mut other);
    let _told = tell(&mut other, 2);
    let next = appended(&mut other);
    comes(&mut room, &next, 2);
    let (done, mut closed) = oneshot::channel();
    room.send(RoomMessage::Close(done));
    assert!(closed.try_recv().is_err() && room.shared.is_empty());
    room.apply(Command::Tail(Ok(Tail {
        top: Some(place(2).position),
        began: None,
        entries: [(&lost, 1), (&next, 2)]
            .map(|(append, at)| logged(append, at))
            .into(),
    })));
    assert_eq!(ids(&room), [1, 2]);
    assert!(closed.try_recv().is_ok());
}

/// Other nodes are asked to close their rooms a little after these have told why.
#[tokio::test]
async fn nobody_gets_into_what_is_told_to_be_gone() {
    let mut room = TestRoom::new();
    room.join(&session(1));
    room.holds_reads = true;
    let _told = tell(&mut room, 1);
    room.take_answered();
    room.join(&session(2));
    assert_eq!(room.reads.len(), 1);
    room.read(Ok(None));
    let answered = room.take_answered();
    assert!(
        matches!(answered[..], [Err(Refusal::Error(_))]),
        "{answered:?}"
    );
}

#[test]
fn a_session_hears_it_once_whatever_rooms_it_is_in() {
    let (member, stranger) = (session(1), session(2));
    let first = shared(1);
    assert!(first.is_for(&member) && !first.is_for(&member));
    assert!(!first.is_for(&stranger), "it is meant for others");
    assert!(shared(2).is_for(&member));
    assert!(
        !shared(1).is_for(&successor(&member)),
        "it is told who has its place"
    );
}

#[test]
fn a_room_by_itself_need_not_be_remembered() {
    let member = session(1);
    let single = |id| Shared {
        id,
        rooms: vec![RoomKey::Project(PROJECT)],
        only: None,
        event: Broadcast::new(&ServerEvent::RoomResync {
            room: String::new(),
        }),
    };
    assert!(single(1).is_for(&member));
    (2..100).for_each(|id| assert!(single(id).is_for(&member)));
    assert!(member.hears(1));
}
