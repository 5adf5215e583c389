//! Writes take effect in the order of their calls, whenever they are awaited; reads see what was answered.

use collabflow_protocol::model::{Status, TaskDraft};
use futures_util::future::join_all;

use super::stage::{Stage, changed, draft, found, ok, title};

super::cases![
    updates_take_effect_in_the_order_of_their_calls,
    moves_take_effect_in_the_order_of_their_calls,
    creates_take_effect_in_the_order_of_their_calls,
    a_write_needs_nobody_to_wait_for_it,
    a_read_sees_what_was_answered,
    a_store_that_is_well_says_so,
];

/// More than any group or queue of connections takes at once.
const MANY: usize = 200;

async fn updates_take_effect_in_the_order_of_their_calls(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let task = stage.task(&project, "task").await;
    let calls: Vec<_> = (0..MANY)
        .map(|number| {
            let change = stage.task_change(&task, title(&number.to_string()));
            stage.store.update_task(change)
        })
        .collect();
    // The last is awaited first.
    let mut answers = join_all(calls.into_iter().rev()).await;
    answers.reverse();
    for (number, answer) in answers.into_iter().enumerate() {
        let (_, after, _) = changed(answer.expect("the store answers"));
        assert_eq!(after.version, number as u64 + 2);
        assert_eq!(after.title, number.to_string());
    }
}

async fn moves_take_effect_in_the_order_of_their_calls(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let task = stage.task(&project, "task").await;
    let columns = [Status::InProgress, Status::Review, Status::Done];
    let calls: Vec<_> = (0..30)
        .map(|number| {
            let to = columns[number % columns.len()].clone();
            stage.store.move_task(stage.task_move(&task, to, None))
        })
        .collect();
    for (number, answer) in join_all(calls).await.into_iter().enumerate() {
        let (_, after, _) = changed(answer.expect("the store answers"));
        assert_eq!(after.version, number as u64 + 2);
        assert_eq!(after.status, columns[number % columns.len()]);
    }
}

async fn creates_take_effect_in_the_order_of_their_calls(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let mut column = Vec::new();
    let calls: Vec<_> = (0..MANY)
        .map(|number| {
            let new = stage.new_task(&project, draft(&number.to_string()));
            column.insert(0, new.id);
            stage.store.create_task(new)
        })
        .collect();
    join_all(calls).await;
    assert_eq!(stage.column(project.id, Status::Todo).await, column);
}

async fn a_write_needs_nobody_to_wait_for_it(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let task = stage.task(&project, "task").await;
    let change = stage.task_change(&task, title("unseen"));
    drop(stage.store.update_task(change));
    let after = stage.patched(&task, title("seen")).await;
    assert_eq!(after.version, 3);
}

async fn a_read_sees_what_was_answered(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    for number in 0..50 {
        let draft = TaskDraft {
            assignee: Some(owner.id),
            ..draft(&number.to_string())
        };
        let task = stage.create(stage.new_task(&project, draft)).await;
        assert_eq!(found(stage.store.task(task.id)).await, task);
        let next = stage.patched(&task, title("next")).await;
        assert_eq!(found(stage.store.task(task.id)).await, next);
    }
}

async fn a_store_that_is_well_says_so(stage: Stage) {
    ok(stage.store.ping()).await;
}
