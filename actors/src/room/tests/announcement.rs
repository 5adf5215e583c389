//! Announcements: told to those whom the change left out, and never taken for changes.

use collabflow_protocol::{
    error::ErrorCode,
    event::{MoveCommand, TaskCommand},
    model::{Priority, Status, TaskPatch},
};
use serde_json::{Value, json};
use tokio::time::Duration;

use super::{TASK, ask_by_page, create, created, found, patch, task, title, two_tabs, whole};
use crate::{
    node::Refusal,
    room::effect::{Answer, Audience, Request},
    session::reply::Done,
    store::{Announced, TaskOutcome},
};

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
    assert_eq!(events[0].1, Audience::AllBut(vec![page.id, tab.id]));
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
    assert_eq!(*audience, Audience::Only(vec![page.id]));
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
        .find(|(_, to)| *to == Audience::Only(vec![page.id]));
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
    room.answer(Answer::Found(Announced::Stored {
        task: Box::new(after),
        index: 4,
        news: Vec::new(),
    }));
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
    assert!(matches!(room.asked()[0].1, Request::MoveTask(..)));
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
    ask_by_page(&mut room, 1, patch(title("same")));
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
    room.by_page(1, create("made"), None, &task(1, "made"));
    room.by_page(
        2,
        patch(title("renamed")),
        Some(&task(1, "made")),
        &task(2, "renamed"),
    );
    room.take_told();

    room.by_socket(&page, created(&task(1, "made")));
    found(&mut room, &task(2, "renamed"));
    let events = room.take_told();
    let by_name: Vec<_> = events
        .iter()
        .map(|(event, to)| (event.name(), to.clone()))
        .collect();
    let only = |id| Audience::Only(vec![id]);
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
async fn a_delete_of_what_is_stored_nowhere_is_an_announcement() {
    let (mut room, [page, tab, _]) = two_tabs();
    ask_by_page(&mut room, 1, TaskCommand::Delete { task: TASK });
    room.answer(Answer::Deleted(TASK, Some(Box::new(task(1, "gone")))));
    room.take_told();
    room.by_socket(&page, TaskCommand::Delete { task: TASK });
    room.answer(Answer::Found(Announced::Gone { is_news: false }));
    assert_eq!(told(&room.heard_by(tab.id)).len(), 1);
    assert!(matches!(room.take_answered().last(), Some(Ok(Done::Plain))));
}

#[tokio::test]
async fn an_update_of_a_task_that_is_gone_is_not_found() {
    let (mut room, [page, ..]) = two_tabs();
    room.by_socket(&page, whole(&task(1, "gone")));
    room.answer(Answer::Found(Announced::Gone { is_news: false }));
    let answered = room.take_answered();
    assert!(
        matches!(answered.last(), Some(Err(Refusal::Error(error))) if error.code == ErrorCode::NotFound)
    );
}

#[tokio::test]
async fn a_page_that_adds_a_task_after_somebody_deleted_it_is_told_so() {
    let (mut room, [page, ..]) = two_tabs();
    room.by_page(1, create("made"), None, &task(1, "made"));
    ask_by_page(&mut room, 2, TaskCommand::Delete { task: TASK });
    room.answer(Answer::Deleted(TASK, Some(Box::new(task(1, "made")))));
    room.take_told();
    room.by_socket(&page, created(&task(1, "made")));
    room.answer(Answer::Found(Announced::Gone { is_news: false }));
    assert_eq!(told(&room.heard_by(page.id))[0].0, "task:deleted");
}
