//! Requests to make a task that are repeated: the first result again, and nothing written.

use collabflow_protocol::{
    id::UserId,
    model::{Project, Status},
};

use super::stage::{Stage, draft, found, ok, time, title};
use crate::store::{
    CreateOutcome, NewTask, ONCE_WINDOW, Once,
    OnceKind::{self, ClientId, Header},
    StoreError,
};

super::cases![
    a_key_makes_one_task,
    a_repeat_answers_the_task_as_it_is_now,
    a_repeat_answers_a_deleted_task_as_it_was_made,
    keys_of_two_kinds_do_not_meet,
    keys_of_two_users_do_not_meet,
    a_key_of_another_project_is_refused,
    a_key_is_forgotten_after_its_window,
    two_calls_at_once_make_one_task,
    a_call_that_failed_leaves_no_key,
];

fn keyed(stage: &Stage, project: &Project, user: UserId, kind: OnceKind, key: &str) -> NewTask {
    NewTask {
        creator: user,
        once: Some(Once {
            user,
            kind,
            key: key.to_owned(),
        }),
        ..stage.new_task(project, draft(key))
    }
}

fn repeated(outcome: CreateOutcome) -> collabflow_protocol::model::Task {
    match outcome {
        CreateOutcome::Repeated(task) => *task,
        other => panic!("not repeated: {other:?}"),
    }
}

async fn a_key_makes_one_task(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    for kind in [Header, ClientId] {
        let first = keyed(&stage, &project, owner.id, kind, "key");
        let task = stage.create(first).await;
        let second = keyed(&stage, &project, owner.id, kind, "key");
        let id = second.id;
        assert_eq!(repeated(ok(stage.store.create_task(second)).await), task);
        assert_eq!(ok(stage.store.task(id)).await, None);
        let other = keyed(&stage, &project, owner.id, kind, "other key");
        stage.create(other).await;
    }
    assert_eq!(stage.column(project.id, Status::Todo).await.len(), 4);
}

async fn a_repeat_answers_the_task_as_it_is_now(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let first = keyed(&stage, &project, owner.id, Header, "key");
    let task = stage.create(first).await;
    let now = stage.patched(&task, title("changed")).await;
    let second = keyed(&stage, &project, owner.id, Header, "key");
    assert_eq!(repeated(ok(stage.store.create_task(second)).await), now);
}

async fn a_repeat_answers_a_deleted_task_as_it_was_made(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let first = keyed(&stage, &project, owner.id, ClientId, "key");
    let task = stage.create(first).await;
    stage.patched(&task, title("changed")).await;
    found(stage.store.delete_task(project.id, task.id)).await;
    let again = || {
        let second = keyed(&stage, &project, owner.id, ClientId, "key");
        ok(stage.store.create_task(second))
    };
    assert_eq!(repeated(again().await), task);
    assert_eq!(stage.column(project.id, Status::Todo).await, []);
    found(stage.store.delete_project(project.id)).await;
    assert_eq!(repeated(again().await), task);
}

async fn keys_of_two_kinds_do_not_meet(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    for kind in [Header, ClientId] {
        let new = keyed(&stage, &project, owner.id, kind, "key");
        stage.create(new).await;
    }
}

async fn keys_of_two_users_do_not_meet(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    for user in [owner.id, ada.id] {
        let new = keyed(&stage, &project, user, Header, "key");
        stage.create(new).await;
    }
}

/// Else who was put out of the other project would read its task.
async fn a_key_of_another_project_is_refused(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let other = stage.project(&owner).await;
    for kind in [Header, ClientId] {
        let first = keyed(&stage, &project, owner.id, kind, "key");
        let task = stage.create(first).await;
        let elsewhere = || {
            ok(stage
                .store
                .create_task(keyed(&stage, &other, owner.id, kind, "key")))
        };
        assert_eq!(elsewhere().await, CreateOutcome::KeyTaken);
        found(stage.store.delete_task(project.id, task.id)).await;
        assert_eq!(elsewhere().await, CreateOutcome::KeyTaken);
        let again = keyed(&stage, &project, owner.id, kind, "key");
        assert_eq!(repeated(ok(stage.store.create_task(again)).await), task);
    }
    assert_eq!(stage.column(other.id, Status::Todo).await, []);
}

async fn a_key_is_forgotten_after_its_window(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let window = i64::try_from(ONCE_WINDOW.as_millis()).expect("a day");
    let at = |after: i64, start: &NewTask| {
        let mut new = keyed(&stage, &project, owner.id, Header, "key");
        new.now = time(start.now.millis() + after);
        ok(stage.store.create_task(new))
    };
    let first = keyed(&stage, &project, owner.id, Header, "key");
    let task = stage.create(first.clone()).await;
    assert_eq!(repeated(at(window - 1, &first).await), task);
    let CreateOutcome::Created(second) = at(window, &first).await else {
        panic!("the key is still known");
    };
    assert_ne!(second.id, task.id);
    assert_eq!(repeated(at(window + 1, &first).await), *second);
}

async fn two_calls_at_once_make_one_task(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let call = || {
        let new = keyed(&stage, &project, owner.id, Header, "key");
        ok(stage.store.create_task(new))
    };
    let (first, second) = (call(), call());
    let second = repeated(second.await);
    assert_eq!(first.await, CreateOutcome::Created(Box::new(second)));
}

async fn a_call_that_failed_leaves_no_key(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let taken = stage.task(&project, "first").await;
    let mut new = keyed(&stage, &project, owner.id, Header, "key");
    new.id = taken.id;
    let answer = stage.store.create_task(new).await;
    assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
    let mut nowhere = keyed(&stage, &project, owner.id, Header, "key");
    nowhere.project = stage.id();
    let outcome = ok(stage.store.create_task(nowhere)).await;
    assert_eq!(outcome, CreateOutcome::NoProject);
    let new = keyed(&stage, &project, owner.id, Header, "key");
    stage.create(new).await;
}
