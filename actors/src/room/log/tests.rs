//! What a room makes of the order in which pushes of its log and answers to its own appends come.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use collabflow_protocol::{
    event::ServerEvent,
    model::{Task, TaskField},
    time::Timestamp,
};

use crate::{
    backplane::{Appended, EntryId, Logged, Place, Position, Tail},
    cluster::RoomSays,
    id::NodeId,
    room::{
        Followed,
        effect::{Answer, Effect},
        entry::{By, Changed, Entry, Origin},
        fixture::{TestRoom, patch, session, task, title, user},
        log::{AGAIN, behind::BEHIND_MAX},
        message::RoomMessage,
        state::Command,
        told::Kind,
    },
    session::reply::Done,
    store::TaskOutcome,
};

/// A room with a member that follows a log to which nobody has written.
fn following() -> TestRoom {
    let mut room = TestRoom::clustered();
    room.join(&session(1));
    room.apply(Command::Following(Ok(Followed {
        top: None,
        stamp: 0,
        present: Vec::new(),
    })));
    room.take_told();
    room
}

fn place(offset: u64) -> Place {
    Place {
        position: Position {
            epoch: "e".into(),
            offset,
        },
        stamp: offset,
    }
}

/// A page's change that is told when it comes back; its id.
fn own(room: &mut TestRoom, before: &Task, after: &Task) -> EntryId {
    let command = patch(title(&after.title));
    room.by_page(2, command, Some(before), after);
    room.appended.last().expect("it is appended").id
}

/// Another node's entry, as it is pushed.
fn pushed(id: EntryId, offset: u64, before: &Task, after: &Task) -> Command {
    let by = By {
        user: user(3),
        origin: Origin::Session(session(3).id),
    };
    let kind = Kind::Updated(Vec::new());
    let after = Arc::new(after.clone());
    let entry = Entry::Changed(Changed::new(by, kind, Some(before), &after, None));
    Command::Logged(Logged {
        id,
        place: place(offset),
        payload: Bytes::from(serde_json::to_vec(&entry).expect("JSON")),
    })
}

fn versions(room: &mut TestRoom) -> Vec<u64> {
    let told = room.take_told().into_iter();
    told.map(|(event, _)| match event {
        ServerEvent::TaskUpdated { version, .. } => version,
        other => panic!("{other:?}"),
    })
    .collect()
}

/// The answer comes over another connection than the pushes. It came first, at the second place of a log that had just
/// begun: the room took the log for another one, told its members to reload, and never told the first entry.
#[tokio::test]
async fn an_answer_that_overtakes_the_first_push_of_a_log_loses_nothing() {
    let [one, two, three] = [1, 2, 3].map(|version| task(version, &version.to_string()));
    let mut room = following();
    let id = own(&mut room, &two, &three);
    room.apply(Command::Appended(id, Ok(Appended::At(place(2)))));
    assert!(versions(&mut room).is_empty());
    room.apply(pushed(1, 1, &one, &two));
    assert_eq!(versions(&mut room), [2, 3]);
    assert!(room.log_reads.is_empty(), "{:?}", room.log_reads);
}

#[tokio::test]
async fn what_a_push_has_overtaken_is_read_at_once_and_what_an_answer_has_in_a_while() {
    let [two, three, four] = [2, 3, 4].map(|version| task(version, &version.to_string()));
    let mut room = following();
    let id = own(&mut room, &two, &three);
    room.apply(Command::Appended(id, Ok(Appended::At(place(2)))));
    assert!(room.log_reads.is_empty());
    room.pass(AGAIN);
    assert_eq!(room.log_reads, [0]);

    let mut room = following();
    room.apply(pushed(1, 2, &three, &four));
    assert_eq!(room.log_reads, [0]);
}

#[tokio::test]
async fn nothing_is_read_in_a_while_when_the_pushes_have_come() {
    let [one, two, three] = [1, 2, 3].map(|version| task(version, &version.to_string()));
    let mut room = following();
    let id = own(&mut room, &two, &three);
    room.apply(Command::Appended(id, Ok(Appended::At(place(2)))));
    room.apply(pushed(1, 1, &one, &two));
    assert_eq!(versions(&mut room), [2, 3]);
    room.pass(AGAIN);
    assert!(room.log_reads.is_empty(), "{:?}", room.log_reads);
}

#[tokio::test]
async fn a_log_that_ends_beyond_what_was_told_is_read() {
    let [two, three] = [2, 3].map(|version| task(version, &version.to_string()));
    let mut room = following();
    let top = |offset| Command::Top(Some(place(offset).position));
    room.apply(Command::Top(None));
    room.apply(pushed(1, 1, &two, &three));
    room.take_told();
    room.apply(top(1));
    assert!(room.log_reads.is_empty(), "all was told");
    room.apply(top(2));
    assert_eq!(room.log_reads, [1]);
}

#[tokio::test]
async fn a_log_that_is_another_one_is_read_and_members_are_told_to_reload() {
    let [two, three] = [2, 3].map(|version| task(version, &version.to_string()));
    let mut room = following();
    room.apply(pushed(1, 1, &two, &three));
    room.take_told();
    let other = Position {
        epoch: "other".into(),
        offset: 1,
    };
    room.apply(Command::Top(Some(other.clone())));
    assert_eq!(room.log_reads, [1]);
    room.apply(Command::Tail(Ok(Tail {
        top: Some(other),
        began: Some(0),
        entries: Vec::new(),
    })));
    let told = room.take_told();
    assert!(
        matches!(told[0].0, ServerEvent::RoomResync { .. }),
        "{told:?}"
    );
}

/// Logs are not kept for ever: in a room where nothing had happened for hours, the next event told everybody to reload.
#[tokio::test]
async fn a_log_that_is_not_kept_any_more_goes_on_under_another_epoch() {
    let [two, three, four, five] = [2, 3, 4, 5].map(|version| task(version, &version.to_string()));
    let mut room = following();
    room.apply(pushed(1, 1, &two, &three));
    // It was asked before the first entry came.
    room.apply(Command::Top(None));
    room.apply(pushed(2, 2, &three, &four));
    assert_eq!(versions(&mut room), [3, 4]);
    for _ in 0..2 {
        room.apply(Command::Top(None));
    }
    let Command::Logged(mut next) = pushed(3, 1, &four, &five) else {
        panic!("an entry");
    };
    next.place.position.epoch = "other".into();
    room.apply(Command::Logged(next));
    assert_eq!(versions(&mut room), [5]);
}

/// A room that has told its own change alone, and appends it now.
fn appending() -> (TestRoom, EntryId) {
    let [one, two] = [1, 2].map(|version| task(version, &version.to_string()));
    let mut room = following();
    room.apply(Command::Link(false));
    room.by_page(2, patch(title("2")), Some(&one), &two);
    assert_eq!(versions(&mut room), [2]);
    room.apply(Command::Link(true));
    room.apply(Command::Tail(Ok(Tail {
        top: None,
        began: Some(0),
        entries: Vec::new(),
    })));
    let id = room.appended.last().expect("it is appended").id;
    (room, id)
}

fn names(room: &mut TestRoom) -> Vec<&'static str> {
    let told = room.take_told().into_iter();
    told.map(|(event, _)| event.name()).collect()
}

/// The other node's came into the log between the look at its end and our own: members here had them the other way round.
#[tokio::test]
async fn members_who_were_told_in_another_order_than_the_log_s_are_told_to_reload() {
    let [seven, eight] = [7, 8].map(|version| task(version, &version.to_string()));
    let (mut room, id) = appending();
    room.apply(pushed(1, 1, &seven, &eight));
    assert!(names(&mut room).is_empty(), "it would be an earlier one");
    room.apply(Command::Appended(id, Ok(Appended::At(place(2)))));
    assert_eq!(names(&mut room), ["room:resync", "room:users"]);
    room.apply(pushed(2, 3, &seven, &eight));
    assert_eq!(names(&mut room), ["task:updated"]);

    // The answer overtakes the push.
    let (mut room, id) = appending();
    room.apply(Command::Appended(id, Ok(Appended::At(place(2)))));
    room.apply(pushed(1, 1, &seven, &eight));
    assert_eq!(names(&mut room), ["room:resync", "room:users"]);
}

#[tokio::test]
async fn members_who_were_told_in_the_log_s_order_are_not_told_to_reload() {
    let [seven, eight] = [7, 8].map(|version| task(version, &version.to_string()));
    let (mut room, id) = appending();
    room.apply(Command::Appended(id, Ok(Appended::At(place(1)))));
    room.apply(pushed(1, 2, &seven, &eight));
    assert_eq!(names(&mut room), ["task:updated"]);
}

/// A node changed a task that another had just made, and reached the log first, which knew nothing of the task: the making
/// of it came too late, and whoever had not loaded the task by then never had it.
#[tokio::test]
async fn a_change_of_what_may_still_be_on_its_way_says_so() {
    let [one, two, three] = [1, 2, 3].map(|version| task(version, &version.to_string()));
    let mut room = following();
    let is_base_new = |room: &TestRoom| {
        let append = room.appended.last().expect("it is appended");
        append.turn.expect("a version").is_base_new
    };
    own(&mut room, &one, &two);
    assert!(is_base_new(&room));
    room.apply(pushed(1, 1, &one, &two));
    own(&mut room, &two, &three);
    assert!(!is_base_new(&room), "it was told here");

    let mut later = two.clone();
    later.updated_at = Timestamp::from_millis(two.updated_at.millis() + 60_000).expect("valid");
    let mut room = following();
    own(&mut room, &one, &later);
    assert!(!is_base_new(&room), "it was stored long ago");
}

/// A move to where the task was already has no turn, and was answered with an earlier version than its page had been told.
#[tokio::test]
async fn a_change_of_nothing_is_answered_no_older_than_what_was_told() {
    let [one, two] = [1, 2].map(|version| task(version, &version.to_string()));
    let mut room = following();
    let page = session(1);
    room.by_socket(&page, patch(title("1")));
    room.answer(Answer::Changed(TaskOutcome::Unchanged(Box::new(
        one.clone(),
    ))));
    let id = room.appended.last().expect("it is appended").id;
    room.apply(pushed(1, 1, &one, &two));
    room.apply(Command::Appended(id, Ok(Appended::At(place(2)))));
    let answered = room.take_answered();
    let [.., Ok(Done::Task(task))] = &answered[..] else {
        panic!("{answered:?}");
    };
    assert_eq!(task.version, 2);
}

/// Whoever wrote for hours while the log was away would have filled the memory with what is to be appended.
#[tokio::test]
async fn of_more_than_is_kept_for_the_others_they_are_told_that_they_have_missed_it() {
    let mut room = following();
    room.apply(Command::Link(false));
    for version in 1..=BEHIND_MAX as u64 + 2 {
        let [before, after] = [version, version + 1].map(|n| task(n, &n.to_string()));
        room.by_page(2, patch(title(&after.title)), Some(&before), &after);
    }
    room.take_told();
    room.apply(Command::Link(true));
    room.apply(Command::Tail(Ok(Tail {
        top: None,
        began: Some(0),
        entries: Vec::new(),
    })));
    let appended = room.take_appended();
    assert_eq!(appended.len(), 3);
    for (append, offset) in appended.iter().zip(1..) {
        room.apply(Command::Appended(
            append.id,
            Ok(Appended::At(place(offset))),
        ));
    }
    assert!(room.take_told().is_empty(), "members here have heard all");
    let mut other = following();
    for (append, offset) in appended.into_iter().zip(1..) {
        other.apply(Command::Logged(Logged {
            id: append.id,
            place: place(offset),
            payload: append.payload,
        }));
    }
    let told = names(&mut other);
    assert_eq!(
        told,
        ["room:resync", "room:users", "task:updated", "task:updated"]
    );
}

/// While what others had done was still to come from the log, a move to where the task was already was told to members here
/// as a change of all of the task, in a version that they had been told.
#[tokio::test]
async fn what_changes_nothing_tells_nothing_though_all_else_is_told_whole() {
    let [one, two] = [1, 2].map(|version| Arc::new(task(version, &version.to_string())));
    let by = || By {
        user: user(3),
        origin: Origin::Session(session(3).id),
    };
    let kind = || Kind::Updated(vec![TaskField::Title]);
    let mut nothing = Changed::new(by(), kind(), Some(&two), &two, None);
    nothing.tell_whole();
    assert!(nothing.fields.is_empty());
    let mut change = Changed::new(by(), kind(), Some(&one), &two, None);
    change.tell_whole();
    assert_eq!(change.fields, TaskField::ALL);
    assert_eq!(change.kind, kind(), "its author named no more than that");
}

/// With both tabs on one node the other one was told; on two nodes nobody knew of the close.
#[tokio::test]
async fn a_tab_that_closes_on_another_node_may_have_been_to_announce_a_change() {
    let (mut room, tab) = (following(), session(2));
    room.join(&tab);
    room.take_told();
    let [one, two] = [1, 2].map(|version| task(version, &version.to_string()));
    let id = own(&mut room, &one, &two);
    room.apply(Command::Appended(id, Ok(Appended::At(place(1)))));
    assert!(
        room.heard_by(tab.id).is_empty(),
        "its page may have made it"
    );
    let closed = RoomSays::Closed(user(2).id);
    room.apply(Command::Word(NodeId::random(), closed));
    room.pass(Duration::from_millis(600));
    assert_eq!(names(&mut room), ["task:updated"]);
}

#[tokio::test]
async fn a_tab_that_closes_before_a_change_is_announced_is_told_to_the_other_nodes() {
    let (mut room, tab) = (following(), session(2));
    room.join(&tab);
    let [one, two] = [1, 2].map(|version| task(version, &version.to_string()));
    let id = own(&mut room, &one, &two);
    room.apply(Command::Appended(id, Ok(Appended::At(place(1)))));
    room.of_cluster.clear();
    room.send(RoomMessage::Away(tab));
    let is_said = |effect: &Effect| matches!(effect, Effect::Closed(id) if *id == user(2).id);
    assert!(room.of_cluster.iter().any(is_said));
}

/// A replica took over that lacked the last entries: others got their offsets, and were taken for what had been told.
#[tokio::test]
async fn a_log_that_has_gone_back_is_noticed_and_members_are_told_to_reload() {
    let [one, two, three] = [1, 2, 3].map(|version| task(version, &version.to_string()));
    for (top, entries) in [(1, vec![]), (2, vec![(8, 2)]), (3, vec![(8, 2), (9, 3)])] {
        let mut room = following();
        room.apply(pushed(6, 1, &one, &two));
        room.apply(pushed(7, 2, &two, &three));
        room.take_told();
        room.apply(Command::Link(false));
        room.apply(Command::Link(true));
        let entries = entries.into_iter().map(|(id, offset)| Logged {
            id,
            place: place(offset),
            payload: Bytes::from_static(b"\"what nobody here can read\""),
        });
        room.apply(Command::Tail(Ok(Tail {
            top: Some(place(top).position),
            entries: entries.collect(),
            began: None,
        })));
        let told = room.take_told();
        let is_told = |(event, _): &_| matches!(event, ServerEvent::RoomResync { .. });
        assert_eq!(told.iter().filter(|told| is_told(told)).count(), 1, "{top}");
    }
}

/// A REST change that changed nothing knew the version that another node had just stored: what came from the log before that
/// was taken for overtaken, and nobody here was told of it.
#[tokio::test]
async fn a_change_of_nothing_overtakes_nothing() {
    let [one, two, three] = [1, 2, 3].map(|version| task(version, &version.to_string()));
    let mut room = following();
    own(&mut room, &three, &three);
    let id = room.appended.last().expect("it is appended").id;
    room.apply(Command::Appended(id, Ok(Appended::At(place(1)))));
    room.take_told();
    room.apply(pushed(7, 2, &one, &two));
    room.apply(pushed(8, 3, &two, &three));
    assert_eq!(versions(&mut room), [2, 3]);
}
