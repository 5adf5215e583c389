//! What another program has stored is told at its announcement, or when the database says so, once.

use collabflow_protocol::{
    id::UserId,
    model::{Task, TaskField},
};
use serde_json::{Value, json};
use tokio::time::Duration;

use super::{TASK, create, created, patch, task, title, two_tabs, user, whole};
use crate::{
    id::SessionId,
    room::{
        effect::{Answer, Audience, Request},
        fixture::TestRoom,
        message::RoomMessage,
    },
    session::reply::Done,
    store::{Announced, Claim, Seen, StoreError, TaskOutcome},
};

fn news(version: u64, text: &str, fields: &[TaskField]) -> Answer {
    Answer::Found(Announced::Stored {
        task: Box::new(task(version, text)),
        index: 3,
        news: fields.to_vec(),
    })
}

fn names(room: &mut TestRoom, session: SessionId) -> Vec<Value> {
    let heard = room.heard_by(session).into_iter();
    heard.map(|mut event| event[0].take()).collect()
}

fn claim(room: &TestRoom) -> Claim {
    match &room.asked()[0].1 {
        Request::LookUp(TASK, claim) => claim.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_update_that_changes_nothing_announces_what_is_news() {
    let (mut room, [page, tab, other]) = two_tabs();
    room.by_socket(&page, patch(title("theirs")));
    assert!(matches!(
        room.asked()[0].1,
        Request::UpdateTask {
            announces: true,
            ..
        }
    ));
    room.answer(Answer::Changed(TaskOutcome::News {
        task: Box::new(task(5, "theirs")),
        index: 3,
        news: vec![TaskField::Title],
    }));
    let told = room.take_told();
    assert_eq!(told.len(), 1);
    let (event, audience) = &told[0];
    let payload = serde_json::to_value(event).expect("JSON");
    assert_eq!(payload["updates"], json!({ "title": "theirs" }));
    assert_eq!(
        (&payload["version"], event.name()),
        (&json!(5), "task:updated")
    );
    assert_eq!(*audience, Audience::AllBut(vec![page.id]));
    let answered = room.take_answered();
    assert!(matches!(answered.last(), Some(Ok(Done::Task(task))) if task.version == 5));
    room.by_socket(&page, patch(title("theirs")));
    let unchanged = TaskOutcome::Unchanged(Box::new(task(5, "theirs")));
    room.answer(Answer::Changed(unchanged));
    for session in [tab.id, other.id] {
        assert!(room.heard_by(session).is_empty());
    }
}

#[tokio::test]
async fn a_task_that_was_never_told_is_told_as_new() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.by_socket(&page, created(&task(0, "theirs")));
    room.answer(news(1, "theirs", &TaskField::ALL));
    assert_eq!(names(&mut room, tab.id), ["task:created"]);
    // A later version of a task that is known is no new task.
    room.by_socket(&page, whole(&task(0, "theirs")));
    room.answer(news(2, "theirs", &[TaskField::Description]));
    assert_eq!(names(&mut room, tab.id), ["task:updated"]);
}

#[tokio::test]
async fn a_delete_elsewhere_is_told_at_its_announcement() {
    let (mut room, [page, tab, _]) = two_tabs();
    let delete = || collabflow_protocol::event::TaskCommand::Delete { task: TASK };
    room.by_socket(&page, delete());
    room.answer(Answer::Deleted(TASK, None));
    assert_eq!(claim(&room), Claim::Deleted);
    room.answer(Answer::Found(Announced::Gone { is_news: true }));
    assert_eq!(room.take_told().len(), 1);
    assert!(matches!(room.take_answered().last(), Some(Ok(Done::Plain))));
    room.by_socket(&page, delete());
    room.answer(Answer::Deleted(TASK, None));
    room.answer(Answer::Found(Announced::Gone { is_news: false }));
    assert!(room.heard_by(tab.id).is_empty());
}

#[tokio::test]
async fn a_change_that_is_watched_is_told_to_all() {
    let (mut room, [page, _, other]) = two_tabs();
    room.send(RoomMessage::Elsewhere(TASK, Seen::Changed, 7));
    assert_eq!(claim(&room), Claim::Seen);
    room.answer(news(2, "theirs", &[TaskField::Title]));
    let told = room.take_told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1, Audience::All);
    room.send(RoomMessage::Elsewhere(TASK, Seen::Changed, 7));
    room.answer(news(2, "theirs", &[]));
    assert!(room.heard_by(page.id).is_empty() && room.heard_by(other.id).is_empty());
}

#[tokio::test]
async fn what_is_announced_is_told_though_its_sender_has_waited_too_long() {
    let (mut room, [page, _, _]) = two_tabs();
    room.by_socket(&page, created(&task(1, "theirs")));
    room.pass(Duration::from_secs(5));
    assert!(matches!(room.take_answered().as_slice(), [Err(_)]));
    room.answer(news(1, "theirs", &TaskField::ALL));
    let told = room.take_told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0.name(), "task:created");
    assert_eq!(
        told[0].1,
        Audience::AllBut(vec![page.id]),
        "its page has it"
    );
}

#[tokio::test]
async fn a_change_that_is_watched_outlasts_a_store_that_is_away() {
    let (mut room, [page, _, other]) = two_tabs();
    room.by_socket(&page, patch(title("late")));
    room.pass(Duration::from_secs(5));
    room.send(RoomMessage::Elsewhere(TASK, Seen::Changed, 7));
    assert_eq!(room.asked().len(), 2, "behind what is stuck");
    let away = || Answer::Failed(StoreError::Unavailable("away".into()));
    room.answer(away());
    room.answer(away());
    room.take_told();
    assert_eq!(claim(&room), Claim::Seen);
    room.answer(news(2, "theirs", &[TaskField::Title]));
    assert_eq!(names(&mut room, other.id), ["task:updated"]);
    room.send(RoomMessage::Elsewhere(TASK, Seen::Changed, 7));
    room.answer(Answer::Failed(StoreError::Failed("odd".into())));
    assert_eq!(names(&mut room, other.id)[0], "room:resync");
}

#[tokio::test]
async fn those_here_do_not_wait_behind_a_flood_of_changes_elsewhere() {
    let (mut room, [_, _, other]) = two_tabs();
    for _ in 0..300 {
        room.send(RoomMessage::Elsewhere(TASK, Seen::Changed, 7));
    }
    assert_eq!(room.asked().len(), 200);
    for _ in 0..199 {
        room.answer(news(2, "theirs", &[]));
    }
    assert!(room.heard_by(other.id).is_empty());
    room.answer(news(2, "theirs", &[]));
    assert_eq!(names(&mut room, other.id)[0], "room:resync");
    room.send(RoomMessage::Elsewhere(TASK, Seen::Changed, 7));
    room.answer(news(2, "theirs", &[]));
    assert!(room.heard_by(other.id).is_empty());
}

/// The page that made it has it already, and announces it; a script never does.
#[tokio::test]
async fn who_made_a_watched_task_hears_of_it_unless_one_of_its_pages_announces_it() {
    let made_by: UserId = user(1).id;
    let watched = || {
        let (mut room, sessions) = two_tabs();
        room.send(RoomMessage::Elsewhere(TASK, Seen::New(Some(made_by)), 7));
        room.answer(Answer::Found(Announced::Stored {
            task: Box::new(Task {
                created_by: Some((*user(1)).clone()),
                ..task(1, "theirs")
            }),
            index: 0,
            news: TaskField::ALL.to_vec(),
        }));
        (room, sessions)
    };
    let (mut room, [page, _, other]) = watched();
    let told = room.take_told();
    assert_eq!(told.len(), 1, "only user 2 hears of it at once");
    assert_eq!(told[0].0.name(), "task:created");
    assert!(
        matches!(&told[0].1, Audience::AllBut(out) if out.len() == 2 && !out.contains(&other.id))
    );
    room.pass(Duration::from_secs(2));
    assert_eq!(names(&mut room, page.id), ["task:created"]);
    let (mut room, [page, tab, _]) = watched();
    room.take_told();
    room.by_socket(&page, created(&task(1, "theirs")));
    room.answer(news(1, "theirs", &[]));
    let told = room.take_told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1, Audience::Only(vec![tab.id]));
    room.pass(Duration::from_secs(3));
    assert!(room.take_told().is_empty());
}

#[tokio::test]
async fn who_waits_too_long_is_refused_and_hears_what_became_of_it() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.by_socket(&page, patch(title("late")));
    room.pass(Duration::from_secs(4));
    assert!(room.take_answered().is_empty());
    room.pass(Duration::from_secs(1));
    let unavailable = |room: &mut TestRoom| {
        let answered = room.take_answered();
        let [Err(crate::node::Refusal::Error(error))] = answered.as_slice() else {
            panic!("{answered:?}");
        };
        assert_eq!(
            error.code,
            collabflow_protocol::error::ErrorCode::Unavailable
        );
    };
    unavailable(&mut room);
    // What comes now would wait behind it.
    room.by_socket(&tab, create("another"));
    unavailable(&mut room);
    assert_eq!(room.asked().len(), 1);
    room.answer(Answer::Changed(TaskOutcome::Changed {
        before: Box::new(task(1, "early")),
        after: Box::new(task(2, "late")),
        index: 0,
        base: 1,
    }));
    let told = room.take_told();
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].1,
        Audience::All,
        "also who made it: it was told that it is not stored"
    );
    room.by_socket(&tab, patch(title("after")));
    assert_eq!(room.asked().len(), 1);
}

#[tokio::test]
async fn a_task_that_is_gone_again_is_told_to_nobody_later() {
    let (mut room, [page, _, other]) = two_tabs();
    room.send(RoomMessage::Elsewhere(TASK, Seen::New(Some(user(1).id)), 7));
    room.send(RoomMessage::Elsewhere(TASK, Seen::Gone, 7));
    room.answer(Answer::Found(Announced::Stored {
        task: Box::new(Task {
            created_by: Some((*user(1)).clone()),
            ..task(1, "theirs")
        }),
        index: 0,
        news: TaskField::ALL.to_vec(),
    }));
    assert_eq!(names(&mut room, other.id), ["task:created"]);
    room.answer(Answer::Found(Announced::Gone { is_news: false }));
    assert_eq!(names(&mut room, page.id), ["task:deleted"]);
    room.pass(Duration::from_secs(3));
    assert!(room.take_told().is_empty());
}

#[tokio::test]
async fn a_task_that_comes_from_another_project_is_told_as_new_and_where_it_was_as_gone() {
    let (mut room, [page, ..]) = two_tabs();
    room.send(RoomMessage::Elsewhere(TASK, Seen::Arrived, 7));
    room.answer(news(7, "theirs", &[]));
    assert_eq!(names(&mut room, page.id), ["task:created"]);
    room.send(RoomMessage::Elsewhere(TASK, Seen::Gone, 7));
    room.answer(Answer::Found(Announced::Stored {
        task: Box::new(Task {
            project: collabflow_protocol::id::ObjectId::from_bytes([9; 12]).into(),
            ..task(8, "theirs")
        }),
        index: 0,
        news: Vec::new(),
    }));
    assert_eq!(names(&mut room, page.id), ["task:deleted"]);
}

/// Every node sees that a task has come from another project, and finds that by itself.
#[tokio::test]
async fn what_every_node_finds_by_itself_has_one_name_in_the_log() {
    let appended = |seen, answer: fn() -> Answer, event| {
        let mut room = TestRoom::following();
        room.send(RoomMessage::Elsewhere(TASK, seen, event));
        room.answer(answer());
        let [append] = &room.take_appended()[..] else {
            panic!("it is appended once");
        };
        append.id
    };
    let arrived = || news(7, "theirs", &[]);
    let gone = || Answer::Found(Announced::Gone { is_news: false });
    let changed = || news(7, "theirs", &[TaskField::Title]);
    assert_eq!(
        appended(Seen::Arrived, arrived, 1),
        appended(Seen::Arrived, arrived, 1)
    );
    assert_eq!(appended(Seen::Gone, gone, 1), appended(Seen::Gone, gone, 1));
    assert_ne!(
        appended(Seen::Arrived, arrived, 1),
        appended(Seen::Arrived, arrived, 2)
    );
    // The store says to one node alone what of a change is news: the next time that is other news, by whichever event.
    assert_ne!(
        appended(Seen::Changed, changed, 1),
        appended(Seen::Changed, changed, 1)
    );
}
