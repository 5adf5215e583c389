//! Coming and going.

use std::sync::Arc;

use tokio::time::Duration;

use collabflow_protocol::model::UserBrief;

use super::{TestRoom, patch, session, successor, task, title, two_tabs, user};
use crate::{
    room::{
        effect::Answer,
        message::{Departure, RoomMessage},
    },
    session::reply::{Done, Reply},
    store::TaskOutcome,
};

#[tokio::test]
async fn a_user_with_a_new_name_has_it_in_what_is_told_from_then_on() {
    let (mut room, [one, _, other]) = two_tabs();
    let renamed = Arc::new(UserBrief {
        name: "Renamed".into(),
        ..(*user(1)).clone()
    });
    one.rename(Arc::clone(&renamed));
    room.send(RoomMessage::UserChanged(Arc::clone(&renamed)));
    room.send(RoomMessage::UserChanged(user(9)));
    assert_eq!(
        room.take_told(),
        [],
        "that it has changed is told to nobody"
    );

    room.by_socket(&one, patch(title("Two")));
    room.answer(Answer::Changed(TaskOutcome::Changed {
        before: Box::new(task(1, "One")),
        after: Box::new(task(2, "Two")),
        index: 0,
        base: 1,
    }));
    let events = room.heard_by(other.id);
    assert_eq!(events[0][1]["updatedBy"]["name"], "Renamed");

    room.take_answered();
    room.join(&session(3));
    let answered = room.take_answered();
    let [Ok(Done::Users(users))] = &answered[..] else {
        panic!("{answered:?}");
    };
    let mut names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Renamed", "User 2", "User 3"]);
}

#[tokio::test]
async fn a_session_that_is_back_takes_its_seat_and_the_user_never_left() {
    let (mut room, [_, _, other]) = two_tabs();
    room.send(RoomMessage::Away(Arc::clone(&other)));
    assert_eq!(room.take_told(), []);
    let back = successor(&other);
    room.send(RoomMessage::Return {
        old: other,
        new: Arc::clone(&back),
    });
    let events = room.heard_by(back.id);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0][0], "room:users");
    assert!(back.is_in(room.state.key()));
    room.pass(Duration::from_secs(10));
    assert_eq!(room.take_told(), []);
}

#[tokio::test]
async fn a_session_that_has_ended_gets_into_no_room() {
    let mut room = TestRoom::new();
    let entry = session(1);
    entry.end(true);
    room.join(&entry);
    assert!(room.state.members().is_empty());
    assert_eq!(room.take_told(), []);
}

#[tokio::test]
async fn a_session_that_has_left_the_room_meanwhile_does_not_give_it_on() {
    let (mut room, [_, _, other]) = two_tabs();
    let back = successor(&other);
    let left = RoomMessage::Depart(Arc::clone(&other), Departure::Left, Reply::nobody());
    room.send(left);
    room.send(RoomMessage::Return {
        old: other,
        new: Arc::clone(&back),
    });
    assert!(!back.is_in(room.state.key()));
    assert_eq!(back.rooms(), []);
    assert!(room.state.members().get(back.id).is_none());
}

#[tokio::test]
async fn a_session_that_is_away_again_before_its_seat_is_given_back_gets_it_and_gives_it_on() {
    let (mut room, [_, _, other]) = two_tabs();
    room.send(RoomMessage::Away(Arc::clone(&other)));
    let back = successor(&other);
    assert_eq!(back.end(true), Some((vec![room.state.key()], true)));
    room.send(RoomMessage::Away(Arc::clone(&back)));
    room.send(RoomMessage::Return {
        old: other,
        new: Arc::clone(&back),
    });
    let seat = room.state.members().get(back.id).expect("a seat");
    assert!(seat.is_away());
    let again = successor(&back);
    room.send(RoomMessage::Return {
        old: back,
        new: Arc::clone(&again),
    });
    let seat = room.state.members().get(again.id).expect("a seat");
    assert!(!seat.is_away());
    room.take_told();
    room.pass(Duration::from_secs(10));
    assert_eq!(room.take_told(), [], "the user never left");
}

#[tokio::test]
async fn a_session_is_in_no_more_rooms_than_allowed() {
    let entry = session(1);
    let rooms = (0..4_u8).map(|n| {
        let id = collabflow_protocol::id::ObjectId::from_bytes([200 + n; 12]);
        crate::key::RoomKey::Chat(id.into())
    });
    let refused: Vec<_> = rooms
        .map(|key| {
            let mut room = TestRoom::of(key);
            room.join(&entry);
            room.take_answered().remove(0).is_err()
        })
        .collect();
    assert_eq!(refused, [false, false, false, true]);
}

#[tokio::test]
async fn leaving_is_told_at_once_and_only_for_the_last_tab() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.send(RoomMessage::Depart(page, Departure::Left, Reply::nobody()));
    assert_eq!(room.take_told(), []);
    room.send(RoomMessage::Depart(tab, Departure::Left, Reply::nobody()));
    let events = room.take_told();
    assert_eq!(
        events
            .iter()
            .map(|(event, _)| event.name())
            .collect::<Vec<_>>(),
        ["user:left"]
    );
}
