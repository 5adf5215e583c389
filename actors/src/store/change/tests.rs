use collabflow_protocol::{
    id::ObjectId,
    model::{MessageDraft, Priority, Status, Task, TaskDraft, TaskPatch},
};

use super::*;
use crate::store::{NewTask, TaskChange};

fn an_id<T: From<ObjectId>>() -> T {
    ObjectId::from_bytes([1; 12]).into()
}

fn a_time() -> Timestamp {
    Timestamp::from_millis(0).expect("the epoch is a time")
}

/// As the store has an account, and as others see it.
fn ada() -> (User, User) {
    let shown = User {
        id: an_id(),
        name: "Ada".into(),
        email: None,
        avatar: Some("a.png".into()),
        extra: Extra::default(),
    };
    let stored = User {
        extra: Extra::of([("theme".to_owned(), "dark".into())]),
        ..shown.clone()
    };
    (stored, shown)
}

fn a_task(assignee: Option<User>) -> Task {
    let new = NewTask {
        id: an_id(),
        project: an_id(),
        draft: TaskDraft {
            title: "t".into(),
            description: None,
            status: Status::Todo,
            priority: Priority::Low,
            assignee: None,
            due_date: None,
            labels: Vec::new(),
            subtasks: Vec::new(),
        },
        subtask_ids: Vec::new(),
        creator: an_id(),
        once: None,
        now: a_time(),
        random: 0,
    };
    new_task(new, an_id(), None, assignee, None)
}

#[test]
fn who_writes_a_message_is_shown_as_others_see_them() {
    let (stored, shown) = ada();
    let new = NewMessage {
        id: an_id(),
        channel: an_id(),
        sender: stored.id,
        draft: MessageDraft {
            content: "hello".into(),
            client_id: None,
        },
        now: a_time(),
    };
    assert_eq!(new_message(new, Some(stored)).sender, Some(shown));
}

#[test]
fn who_gets_a_new_task_is_shown_as_others_see_them() {
    let (stored, shown) = ada();
    assert_eq!(a_task(Some(stored)).assignee, Some(shown));
}

#[test]
fn who_is_given_a_task_is_shown_as_others_see_them() {
    let (stored, shown) = ada();
    let change = TaskChange {
        project: an_id(),
        id: an_id(),
        patch: TaskPatch {
            assignee: Some(Some(stored.id)),
            ..TaskPatch::default()
        },
        subtask_ids: Vec::new(),
        expected: None,
        announces: false,
        now: a_time(),
        random: 0,
    };
    let after = apply_patch(&a_task(None), &change, Some(stored), None).expect("a change");
    assert_eq!(after.assignee, Some(shown));
}

#[test]
fn a_change_of_a_user_keeps_what_other_programs_have_stored() {
    let (stored, _) = ada();
    let patch = UserPatch {
        name: Some("Countess".into()),
        avatar: None,
    };
    let after = apply_user_patch(&stored, patch).expect("a change");
    assert_eq!(after.extra, stored.extra);
}

#[test]
fn claims_tell_nothing_but_a_name_and_an_email() {
    let (claims, known) = ada();
    let remembered = remember_claims(None, false, claims).expect("somebody new");
    let expected = User {
        avatar: None,
        ..known
    };
    assert_eq!(remembered, expected);
}
