//! Another node is gone.

use collabflow_protocol::event::ServerEvent;
use tokio::sync::oneshot;

use super::*;
use crate::{
    backplane::{Appended, BackplaneError},
    cluster::{End, RoomSays},
    id::NodeId,
    room::{effect::Audience, fixture::place, state::Command},
};

/// A room with user 1 here and user 3 on another node.
fn room() -> (TestRoom, Arc<SessionEntry>, NodeId) {
    let mut room = TestRoom::following();
    let (entry, node) = (session(1), NodeId::random());
    room.join(&entry);
    room.apply(Command::Word(node, RoomSays::Here((*user(3)).clone())));
    room.take_told();
    (room, entry, node)
}

fn names(told: &[(ServerEvent, Audience)]) -> Vec<&'static str> {
    told.iter().map(|(event, _)| event.name()).collect()
}

/// What it has stored last may never have come into the log.
#[tokio::test]
async fn of_a_node_that_was_lost_everybody_is_told_to_reload() {
    let (mut room, _entry, node) = room();
    room.apply(Command::NodeGone(node, End::Lost));
    let told = room.take_told();
    assert_eq!(names(&told), ["user:left", "room:resync", "room:users"]);
}

#[tokio::test]
async fn of_a_node_that_has_ended_well_its_users_have_left() {
    let (mut room, _entry, node) = room();
    room.apply(Command::NodeGone(node, End::Bye));
    assert_eq!(names(&room.take_told()), ["user:left"]);
}

/// It may have removed a member, and told nobody.
#[tokio::test]
async fn memberships_are_read_anew_when_a_node_was_lost() {
    let (mut room, entry, node) = room();
    room.members.roles.remove(&user(1).id);
    room.apply(Command::NodeGone(node, End::Bye));
    assert!(room.state.members().get(entry.id).is_some());
    room.apply(Command::NodeGone(node, End::Lost));
    assert!(room.state.members().get(entry.id).is_none());
}

/// Changes of another program were missed, and among them may be one of memberships.
#[tokio::test]
async fn memberships_are_read_anew_when_something_was_missed() {
    let (mut room, entry, _node) = room();
    room.members.roles.remove(&user(1).id);
    let (done, _told) = oneshot::channel();
    room.send(RoomMessage::Resync(done));
    assert!(room.state.members().get(entry.id).is_none());
}

#[tokio::test]
async fn where_nobody_is_nothing_is_told_or_read() {
    let mut room = TestRoom::clustered();
    room.holds_reads = true;
    room.apply(Command::NodeGone(NodeId::random(), End::Lost));
    assert!(room.take_told().is_empty() && room.reads.is_empty());
}

#[tokio::test]
async fn a_room_is_settled_when_all_is_stored_and_in_the_log() {
    let [one, two] = [1, 2].map(|version| task(version, "ours"));
    let (mut room, entry, _node) = room();
    room.by_socket(&entry, patch(title("ours")));
    let (done, mut settled) = oneshot::channel();
    room.send(RoomMessage::Settle(done));
    assert!(settled.try_recv().is_err(), "it is at the store");
    room.answer(Answer::Changed(crate::store::TaskOutcome::Changed {
        before: Box::new(one),
        after: Box::new(two),
        index: 0,
        base: 1,
    }));
    assert!(settled.try_recv().is_err(), "it is on its way to the log");
    let id = room.take_appended()[0].id;
    let away = BackplaneError::Away("cut".into());
    room.apply(Command::Appended(id, Err(away)));
    assert!(settled.try_recv().is_err(), "it is told here alone");
    room.apply(Command::Appended(id, Ok(Appended::At(place(1)))));
    assert!(settled.try_recv().is_ok());
    let (done, mut settled) = oneshot::channel();
    room.send(RoomMessage::Settle(done));
    assert!(settled.try_recv().is_ok(), "at once");
}
