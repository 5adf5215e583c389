//! A room that breaks and goes on, in a cluster.

use super::*;
use crate::{
    backplane::{Appended, Tail},
    cluster::RoomSays,
    id::NodeId,
    key::RoomKey,
    room::{Effect, Followed, fixture::place, message::Departure, state::Command},
    session::reply::Done,
};
use collabflow_protocol::{event::ServerEvent, id::ChannelId, id::ObjectId};

fn word(room: &mut TestRoom, node: NodeId, says: RoomSays) {
    room.apply(Command::Word(node, says));
}

/// Everybody who is present, as it was told last.
fn users(room: &mut TestRoom) -> Vec<u8> {
    let told = room.take_told().into_iter().rev();
    let mut users = told.filter_map(|(event, _)| match event {
        ServerEvent::RoomUsers { users, .. } => Some(users),
        _ => None,
    });
    let users = users.next().expect("it is told");
    let mut users: Vec<_> = users.iter().map(|user| user.0.bytes()[0]).collect();
    users.sort_unstable();
    users
}

#[tokio::test]
async fn who_is_present_on_other_nodes_stays_so() {
    let mut room = TestRoom::following();
    let node = NodeId::random();
    word(&mut room, node, RoomSays::Here((*user(3)).clone()));
    room.restart();
    assert_eq!(users(&mut room), [3, 9]);
    word(&mut room, node, RoomSays::NotHere(user(3).id));
    let told = room.take_told();
    assert!(
        matches!(told[..], [(ServerEvent::UserLeft { .. }, _)]),
        "{told:?}"
    );
}

#[tokio::test]
async fn the_other_nodes_are_told_who_is_here_and_who_is_not_any_more() {
    let mut room = TestRoom::following();
    let gone = session(4);
    room.join(&gone);
    let (how, nobody) = (Departure::Dropped, Reply::nobody());
    room.send(RoomMessage::Depart(gone, how, nobody));
    room.of_cluster.clear();
    room.restart();
    let said = std::mem::take(&mut room.of_cluster);
    let [Effect::NotHere(left), Effect::AllHere(here)] = &said[..] else {
        panic!("{said:?}");
    };
    assert_eq!((*left, here.len(), here[0].id), (user(4).id, 1, user(9).id));
}

/// It broke before the calls were made that it had decided on.
#[tokio::test]
async fn what_was_to_be_asked_of_the_log_is_asked_again() {
    let mut room = TestRoom::clustered();
    let entry = session(1);
    room.join(&entry);
    room.of_cluster.clear();
    room.restart();
    let said = std::mem::take(&mut room.of_cluster);
    assert!(matches!(said[..], [Effect::Follow]), "{said:?}");
    assert!(room.take_answered().is_empty());
    let followed = || {
        Command::Following(Ok(Followed {
            top: None,
            stamp: 0,
            present: Vec::new(),
        }))
    };
    room.apply(followed());
    assert_eq!(room.take_answered().len(), 1, "it is in");
    room.apply(followed());

    let [one, two] = [1, 2].map(|version| task(version, "ours"));
    room.by_page(2, patch(title("ours")), Some(&one), &two);
    let ours = room.take_appended();
    room.restart();
    assert_eq!(room.take_appended(), ours);
    assert_eq!(room.log_reads, [0]);
    let answer = || Ok(Appended::At(place(1)));
    room.apply(Command::Appended(ours[0].id, answer()));
    room.apply(Command::Appended(ours[0].id, answer()));
    room.apply(Command::Tail(Ok(Tail {
        top: Some(place(1).position),
        began: None,
        entries: Vec::new(),
    })));
    assert_eq!(room.take_answered().len(), 1, "once");
}

/// Who joins on another node was told the old name, until the user came anew.
#[tokio::test]
async fn a_new_name_is_known_on_all_nodes_where_the_user_is_shown() {
    let renamed = |n| {
        let name = "Renamed".into();
        collabflow_protocol::model::UserBrief {
            name,
            ..(*user(n)).clone()
        }
    };
    let mut room = TestRoom::following();
    room.send(RoomMessage::UserChanged(Arc::new(renamed(9))));
    let said = std::mem::take(&mut room.of_cluster);
    let [Effect::Here(said)] = &said[..] else {
        panic!("{said:?}");
    };
    assert_eq!(**said, renamed(9));
    let node = NodeId::random();
    word(&mut room, node, RoomSays::Here((*user(3)).clone()));
    room.take_told();
    word(&mut room, node, RoomSays::Here(renamed(3)));
    assert!(room.take_told().is_empty(), "it has not come");
    room.join(&session(4));
    let answered = room.take_answered();
    let [Ok(Done::Users(users))] = &answered[..] else {
        panic!("{answered:?}");
    };
    let of = |n: u8| users.iter().find(|one| one.id == user(n).id);
    assert_eq!(of(3).map(|user| &*user.name), Some("Renamed"));
}

#[tokio::test]
async fn nothing_is_said_of_presence_where_there_is_none_or_nobody_to_hear_it() {
    let chat = RoomKey::Chat(ChannelId(ObjectId::from_bytes([8; 12])));
    for mut room in [TestRoom::new(), TestRoom::with_log(chat, Some(false))] {
        let entry = session(1);
        room.join(&entry);
        let (how, nobody) = (Departure::Left, Reply::nobody());
        room.send(RoomMessage::Depart(entry, how, nobody));
        assert!(room.of_cluster.is_empty(), "{:?}", room.of_cluster);
    }
}

#[tokio::test]
async fn a_backplane_that_has_forgotten_who_is_here_is_told_again() {
    let mut room = TestRoom::following();
    room.apply(Command::Emptied);
    let said = std::mem::take(&mut room.of_cluster);
    assert!(
        matches!(&said[..], [Effect::AllHere(here)] if here.len() == 1),
        "{said:?}"
    );
}
