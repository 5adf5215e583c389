//! The rules of a room, by its state alone: announcements, presence, memberships.

use std::sync::Arc;

use collabflow_protocol::{
    error::ErrorCode,
    event::{MoveCommand, TaskCommand},
    model::{Priority, Status, TaskDraft, TaskPatch},
};
use serde_json::{Value, json};
use tokio::time::Duration;

mod given_up;
mod in_flight;
mod membership;
mod order;
mod overtaken;
mod recovery;
mod typing;

use super::{
    effect::{Answer, Request},
    fixture::{TASK, TestRoom, patch, session, successor, task, title, user},
    message::{Author, Departure, RoomMessage},
    told::OVERTAKEN_WITHIN,
};
use crate::{
    node::Refusal,
    session::{
        entry::SessionEntry,
        reply::{Done, Reply},
    },
    store::TaskOutcome,
};

/// A room with two tabs of user 1 and one of user 2, told of nothing yet.
fn two_tabs() -> (TestRoom, [Arc<SessionEntry>; 3]) {
    let mut room = TestRoom::new();
    let sessions = [session(1), session(1), session(2)];
    sessions.iter().for_each(|entry| room.join(entry));
    room.take_told();
    room.take_answered();
    (room, sessions)
}

fn whole(task: &collabflow_protocol::model::Task) -> TaskCommand {
    let sent = serde_json::to_value(task)
        .expect("a task")
        .as_object()
        .expect("an object")
        .clone();
    let patch = TaskPatch::parse(&sent, collabflow_protocol::validate::Unknown::Ignore);
    TaskCommand::Update {
        task: task.id,
        whole: Some(sent),
        patch,
        expected: None,
    }
}

fn found(room: &mut TestRoom, task: &collabflow_protocol::model::Task) {
    assert!(
        matches!(room.asked()[0].1, Request::LookUp(_)),
        "{:?}",
        room.asked()
    );
    room.answer(Answer::Found(Some((Box::new(task.clone()), 0))));
}

fn told(events: &[Value]) -> Vec<(&str, &Value, Option<u64>)> {
    events
        .iter()
        .map(|event| {
            (
                event[0].as_str().expect("a name"),
                &event[1],
                event[1]["version"].as_u64(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_page_hears_its_other_tabs_change_from_the_announcement() {
    let (mut room, [page, tab, other]) = two_tabs();
    room.by_page(
        1,
        patch(title("new")),
        Some(&task(1, "old")),
        &task(2, "new"),
    );
    let events = room.take_told();
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0].1,
        super::effect::Audience::AllBut(vec![page.id, tab.id])
    );
    let _ = other;

    room.by_socket(&page, patch(title("new")));
    found(&mut room, &task(2, "new"));
    let events = room.heard_by(tab.id);
    assert_eq!(told(&events), [("task:updated", &events[0][1], Some(2))]);
    assert_eq!(events[0][1]["updates"], json!({"title": "new"}));
    assert!(matches!(room.take_answered().last(), Some(Ok(Done::Task(task))) if task.version == 2));

    // The tab announces it too, as a page with two sockets might: everybody has heard it.
    room.by_socket(&tab, patch(title("new")));
    found(&mut room, &task(2, "new"));
    assert_eq!(room.take_told(), []);
}

#[tokio::test]
async fn an_announcement_never_takes_back_what_somebody_else_has_changed_since() {
    let (mut room, [page, ..]) = two_tabs();
    room.by_page(
        1,
        patch(title("mine")),
        Some(&task(1, "old")),
        &task(2, "mine"),
    );
    room.by_page(
        2,
        patch(title("theirs")),
        Some(&task(2, "mine")),
        &task(3, "theirs"),
    );
    room.take_told();

    room.by_socket(&page, patch(title("mine")));
    found(&mut room, &task(3, "theirs"));
    let events = room.take_told();
    let [(event, audience)] = &events[..] else {
        panic!("the other tab has heard of it already: {events:?}")
    };
    let payload = serde_json::to_value(event).expect("json");
    assert_eq!(payload["updates"], json!({"title": "theirs"}));
    assert_eq!(payload["version"], 3);
    assert_eq!(*audience, super::effect::Audience::Only(vec![page.id]));
}

#[tokio::test]
async fn a_whole_task_that_is_announced_by_two_authors_reverts_nothing() {
    let (mut room, [page, _, other]) = two_tabs();
    let first = task(2, "one");
    let mut second = task(3, "one");
    second.priority = Priority::High;
    let urgent = TaskPatch {
        priority: Some(Priority::High),
        ..TaskPatch::default()
    };
    room.by_page(1, patch(title("one")), Some(&task(1, "old")), &first);
    room.by_page(2, patch(urgent), Some(&first), &second);
    room.take_told();

    room.by_socket(&page, whole(&first));
    found(&mut room, &second);
    let events = room.take_told();
    assert!(
        events
            .iter()
            .all(|(event, _)| event.name() == "task:updated")
    );
    let to_page = events
        .iter()
        .find(|(_, to)| *to == super::effect::Audience::Only(vec![page.id]));
    let payload = serde_json::to_value(&to_page.expect("the sender is corrected").0).expect("json");
    assert_eq!(payload["updates"], json!({"priority": "high"}));

    room.by_socket(&other, whole(&second));
    found(&mut room, &second);
    assert_eq!(room.take_told(), []);
}

#[tokio::test]
async fn a_drag_by_patch_is_announced_as_a_move_from_where_the_task_was() {
    let (mut room, [page, tab, _]) = two_tabs();
    let mut after = task(2, "card");
    after.status = Status::Done;
    after.position = collabflow_protocol::model::Position::stored("b00");
    let drag = TaskPatch {
        status: Some(Status::Done),
        ..TaskPatch::default()
    };
    room.by_page(1, patch(drag), Some(&task(1, "card")), &after);
    room.take_told();

    let command = MoveCommand {
        task: TASK,
        to: Status::Done,
        index: None,
        expected: None,
    };
    room.by_socket(&page, TaskCommand::Move(command));
    room.answer(Answer::Found(Some((Box::new(after), 4))));
    let events = room.heard_by(tab.id);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0][0], "task:moved");
    assert_eq!(events[0][1]["fromStatus"], "todo");
    assert_eq!(events[0][1]["toStatus"], "done");
    assert_eq!(events[0][1]["newIndex"], 4);
    assert_eq!(events[0][1]["version"], 2);
}

#[tokio::test]
async fn a_move_that_was_not_made_by_rest_is_written() {
    let (mut room, [page, ..]) = two_tabs();
    let command = MoveCommand {
        task: TASK,
        to: Status::Done,
        index: Some(0),
        expected: None,
    };
    room.by_socket(&page, TaskCommand::Move(command));
    assert!(matches!(room.asked()[0].1, Request::MoveTask(_)));
}

#[tokio::test]
async fn the_same_values_ten_seconds_later_are_a_change_of_their_own() {
    let (mut room, [page, ..]) = two_tabs();
    room.by_page(
        1,
        patch(title("new")),
        Some(&task(1, "old")),
        &task(2, "new"),
    );
    room.pass(Duration::from_millis(10_001));
    room.by_socket(&page, patch(title("new")));
    assert!(matches!(room.asked()[0].1, Request::UpdateTask { .. }));
}

#[tokio::test]
async fn a_change_of_nothing_is_an_announcement_too_when_it_is_repeated() {
    let (mut room, [page, ..]) = two_tabs();
    let caller = crate::node::Caller {
        user: user(1),
        echo: crate::node::Echo::NotAuthor,
    };
    let author = Author::Rest(caller, None);
    room.send(RoomMessage::Task(
        author,
        Box::new(patch(title("same"))),
        Reply::nobody(),
    ));
    room.answer(Answer::Changed(TaskOutcome::Unchanged(Box::new(task(
        1, "same",
    )))));
    room.by_page(
        2,
        patch(title("theirs")),
        Some(&task(1, "same")),
        &task(2, "theirs"),
    );
    room.take_told();
    room.by_socket(&page, patch(title("same")));
    found(&mut room, &task(2, "theirs"));
    assert_eq!(
        room.heard_by(page.id)[0][1]["updates"],
        json!({"title": "theirs"})
    );
}

#[tokio::test]
async fn a_tab_hears_of_a_new_task_as_it_is_when_it_is_announced() {
    let (mut room, [page, tab, _]) = two_tabs();
    let draft = TaskDraft::parse(
        json!({"title": "made"}).as_object().expect("object"),
        Default::default(),
    );
    let create = TaskCommand::Create {
        id: None,
        sent: serde_json::Map::new(),
        draft,
        client_id: None,
    };
    room.by_page(1, create, None, &task(1, "made"));
    room.by_page(
        2,
        patch(title("renamed")),
        Some(&task(1, "made")),
        &task(2, "renamed"),
    );
    room.take_told();

    let sent = serde_json::to_value(task(1, "made"))
        .expect("json")
        .as_object()
        .expect("object")
        .clone();
    let draft = TaskDraft::parse(&sent, Default::default());
    room.by_socket(
        &page,
        TaskCommand::Create {
            id: Some(TASK),
            sent,
            draft,
            client_id: None,
        },
    );
    found(&mut room, &task(2, "renamed"));
    let events = room.take_told();
    let by_name: Vec<_> = events
        .iter()
        .map(|(event, to)| (event.name(), to.clone()))
        .collect();
    let only = |id| super::effect::Audience::Only(vec![id]);
    assert_eq!(
        by_name,
        [
            ("task:created", only(tab.id)),
            ("task:updated", only(page.id))
        ]
    );
    let payload = serde_json::to_value(&events[0].0).expect("json");
    assert_eq!(payload["task"]["title"], "renamed");
}

#[tokio::test]
async fn where_a_socket_closes_before_any_announcement_the_others_are_told() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.by_page(
        1,
        patch(title("new")),
        Some(&task(1, "old")),
        &task(2, "new"),
    );
    room.take_told();
    room.send(RoomMessage::Away(Arc::clone(&page)));
    room.pass(Duration::from_millis(501));
    let told = room.take_told();
    assert_eq!(told.len(), 2, "each of them, once: {told:?}");
    for session in [page.id, tab.id] {
        assert!(
            told.iter()
                .any(|(_, to)| *to == super::effect::Audience::Only(vec![session]))
        );
    }
}

#[tokio::test]
async fn an_announcement_right_after_another_tab_closed_still_settles_it() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.by_page(
        1,
        patch(title("new")),
        Some(&task(1, "old")),
        &task(2, "new"),
    );
    room.send(RoomMessage::Away(Arc::clone(&tab)));
    room.take_told();
    room.by_socket(&page, patch(title("new")));
    found(&mut room, &task(2, "new"));
    // The tab that is away gets it when it is back; the page, which made it, does not.
    let audiences: Vec<_> = room.take_told().into_iter().map(|(_, to)| to).collect();
    assert_eq!(audiences, [super::effect::Audience::Only(vec![tab.id])]);
    room.pass(Duration::from_secs(1));
    assert_eq!(room.take_told(), []);
}

#[tokio::test]
async fn a_delete_of_what_is_stored_nowhere_is_an_announcement() {
    let (mut room, [page, tab, _]) = two_tabs();
    let caller = crate::node::Caller {
        user: user(1),
        echo: crate::node::Echo::NotAuthor,
    };
    let delete = || Box::new(TaskCommand::Delete { task: TASK });
    room.send(RoomMessage::Task(
        Author::Rest(caller, None),
        delete(),
        Reply::nobody(),
    ));
    room.answer(Answer::Deleted(TASK, Some(Box::new(task(1, "gone")))));
    room.take_told();
    room.by_socket(&page, *delete());
    room.answer(Answer::Found(None));
    assert_eq!(told(&room.heard_by(tab.id)).len(), 1);
    assert!(matches!(room.take_answered().last(), Some(Ok(Done::Plain))));
}

#[tokio::test]
async fn an_update_of_a_task_that_is_gone_is_not_found() {
    let (mut room, [page, ..]) = two_tabs();
    room.by_socket(&page, whole(&task(1, "gone")));
    room.answer(Answer::Found(None));
    let answered = room.take_answered();
    assert!(
        matches!(answered.last(), Some(Err(Refusal::Error(error))) if error.code == ErrorCode::NotFound)
    );
}

#[tokio::test]
async fn a_page_that_adds_a_task_after_somebody_deleted_it_is_told_so() {
    let (mut room, [page, ..]) = two_tabs();
    let draft = TaskDraft::parse(
        json!({"title": "made"}).as_object().expect("object"),
        Default::default(),
    );
    let create = TaskCommand::Create {
        id: None,
        sent: serde_json::Map::new(),
        draft: draft.clone(),
        client_id: None,
    };
    room.by_page(1, create, None, &task(1, "made"));
    let caller = crate::node::Caller {
        user: user(2),
        echo: crate::node::Echo::NotAuthor,
    };
    let delete = Box::new(TaskCommand::Delete { task: TASK });
    room.send(RoomMessage::Task(
        Author::Rest(caller, None),
        delete,
        Reply::nobody(),
    ));
    room.answer(Answer::Deleted(TASK, Some(Box::new(task(1, "made")))));
    room.take_told();
    let sent = serde_json::to_value(task(1, "made"))
        .expect("json")
        .as_object()
        .expect("object")
        .clone();
    room.by_socket(
        &page,
        TaskCommand::Create {
            id: Some(TASK),
            sent,
            draft,
            client_id: None,
        },
    );
    room.answer(Answer::Found(None));
    assert_eq!(told(&room.heard_by(page.id))[0].0, "task:deleted");
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

/// The old page keeps changing tasks by REST while its socket is away, and hears older changes when it is back.
#[tokio::test]
async fn what_was_missed_does_not_take_back_what_the_page_has_changed_meanwhile() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.send(RoomMessage::Away(Arc::clone(&page)));
    room.by_page(
        2,
        patch(title("theirs")),
        Some(&task(1, "old")),
        &task(2, "theirs"),
    );
    room.pass(OVERTAKEN_WITHIN + Duration::from_millis(1));
    room.by_page(
        1,
        patch(title("mine")),
        Some(&task(2, "theirs")),
        &task(3, "mine"),
    );
    let told: Vec<_> = room.take_told().into_iter().map(|(_, to)| to).collect();
    assert_eq!(
        told[1],
        super::effect::Audience::AllBut(vec![tab.id]),
        "the page hears both, in order"
    );
}

/// An offline tab hears a change of its user's in its place, after older ones of that field; the other tab's
/// announcement of its own change of the same field, which came before, must not repeat it.
#[tokio::test]
async fn an_announcement_repeats_nothing_that_an_offline_tab_was_told_in_its_place() {
    let (mut room, [page, tab, _]) = two_tabs();
    let change = |room: &mut TestRoom, who, to: &str, version| {
        let before = task(version - 1, "before");
        room.by_page(who, patch(title(to)), Some(&before), &task(version, to));
    };
    change(&mut room, 1, "from the tab", 2);
    room.send(RoomMessage::Away(Arc::clone(&page)));
    change(&mut room, 2, "theirs", 3);
    change(&mut room, 1, "mine", 4);
    room.take_told();
    room.by_socket(&tab, patch(title("from the tab")));
    found(&mut room, &task(4, "mine"));
    let audiences: Vec<_> = room.take_told().into_iter().map(|(_, to)| to).collect();
    assert_eq!(audiences, [super::effect::Audience::Only(vec![tab.id])]);
}

#[tokio::test]
async fn a_change_by_a_page_that_cannot_announce_it_is_told_when_the_time_for_that_is_over() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.send(RoomMessage::Away(Arc::clone(&page)));
    let draft = TaskDraft::parse(
        json!({"title": "made"}).as_object().expect("object"),
        Default::default(),
    );
    let create = TaskCommand::Create {
        id: None,
        sent: serde_json::Map::new(),
        draft,
        client_id: None,
    };
    room.by_page(1, create, None, &task(1, "made"));
    room.take_told();
    room.pass(Duration::from_secs(11));
    let audiences: Vec<_> = room.take_told().into_iter().map(|(_, to)| to).collect();
    assert_eq!(
        audiences,
        [super::effect::Audience::Only(vec![tab.id])],
        "the page that is away has it already"
    );
}

/// Two tabs were offline when one of them made a task: nobody can know which, and a card must not be there twice.
#[tokio::test]
async fn where_either_of_two_pages_may_have_made_a_task_it_is_taken_out_and_put_in_again() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.send(RoomMessage::Away(page));
    room.send(RoomMessage::Away(Arc::clone(&tab)));
    let draft = TaskDraft::parse(
        json!({"title": "made"}).as_object().expect("object"),
        Default::default(),
    );
    let create = TaskCommand::Create {
        id: None,
        sent: serde_json::Map::new(),
        draft,
        client_id: None,
    };
    room.by_page(1, create, None, &task(1, "made"));
    room.pass(Duration::from_secs(6));
    room.take_told();
    room.pass(Duration::from_secs(5));
    let names: Vec<_> = room
        .heard_by(tab.id)
        .iter()
        .map(|event| event[0].clone())
        .collect();
    assert_eq!(names, ["task:deleted", "task:created"]);
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
