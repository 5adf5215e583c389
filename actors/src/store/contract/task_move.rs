//! Moves on the board: where a task goes, and the index that is told of it.

use collabflow_protocol::{
    id::TaskId,
    model::{Project, Status, Task},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    Odd,
    stage::{Stage, changed, far, found, ok},
};
use crate::store::TaskOutcome::{Conflict, NotFound, Unchanged};

super::cases![
    a_task_moves_to_an_index_of_another_column,
    a_task_moves_within_its_column,
    without_an_index_a_task_goes_to_the_end,
    an_index_past_the_end_is_the_end,
    a_move_to_where_it_is_writes_nothing,
    another_version_is_a_conflict,
    a_task_of_another_project_is_not_found,
    a_move_changes_one_task,
    many_moves_keep_the_order,
    the_index_is_the_real_one_among_equal_positions,
    a_position_that_is_no_key_is_lived_with,
];

/// Tasks of one column, from the top.
async fn column_of(stage: &Stage, project: &Project, count: usize) -> Vec<Task> {
    let mut column = Vec::new();
    for number in 0..count {
        column.insert(0, stage.task(project, &format!("{number}")).await);
    }
    column
}

fn ids<'a>(tasks: impl IntoIterator<Item = &'a Task>) -> Vec<TaskId> {
    tasks.into_iter().map(|task| task.id).collect()
}

async fn a_task_moves_to_an_index_of_another_column(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 5).await;
    for (task, index, real) in [(0, 0, 0), (1, 0, 0), (2, 1, 1), (3, 3, 3)] {
        let change = stage.task_move(&tasks[task], Status::Review, Some(index));
        let now = change.now;
        let (before, after, told) = changed(ok(stage.store.move_task(change)).await);
        assert_eq!(before, tasks[task]);
        assert_eq!(told, real);
        let expected = Task {
            status: Status::Review,
            position: after.position.clone(),
            version: 2,
            updated_at: now,
            ..before
        };
        assert_eq!(after, expected);
        assert_eq!(
            found(stage.store.placed_task(after.id)).await,
            (after, real)
        );
    }
    let expected = ids([&tasks[1], &tasks[2], &tasks[0], &tasks[3]]);
    assert_eq!(stage.column(project.id, Status::Review).await, expected);
    let left = stage.column(project.id, Status::Todo).await;
    assert_eq!(left, [tasks[4].id]);
}

async fn a_task_moves_within_its_column(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 4).await;
    let mut order = ids(&tasks);
    for (from, to) in [(0, 3), (3, 0), (0, 1), (2, 1), (1, 2), (3, 2)] {
        let task = found(stage.store.task(order[from])).await;
        let outcome = stage.move_to(&task, Status::Todo, Some(to as u64)).await;
        assert_eq!(changed(outcome).2, to as u64, "from {from} to {to}");
        let moved = order.remove(from);
        order.insert(to, moved);
        assert_eq!(stage.column(project.id, Status::Todo).await, order);
    }
}

async fn without_an_index_a_task_goes_to_the_end(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 3).await;
    let (.., index) = changed(stage.move_to(&tasks[0], Status::Todo, None).await);
    assert_eq!(index, 2);
    for (nth, task) in tasks.iter().enumerate() {
        let outcome = stage.move_to(task, Status::Done, None).await;
        assert_eq!(changed(outcome).2, nth as u64);
    }
    assert_eq!(stage.column(project.id, Status::Done).await, ids(&tasks));
}

async fn an_index_past_the_end_is_the_end(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 3).await;
    for (task, past) in [(0, 3), (1, u64::MAX)] {
        let outcome = stage.move_to(&tasks[task], Status::Todo, Some(past)).await;
        assert_eq!(changed(outcome).2, 2);
    }
    let expected = ids([&tasks[2], &tasks[0], &tasks[1]]);
    assert_eq!(stage.column(project.id, Status::Todo).await, expected);
    let outcome = stage.move_to(&tasks[2], Status::Done, Some(7)).await;
    assert_eq!(changed(outcome).2, 0);
}

async fn a_move_to_where_it_is_writes_nothing(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 3).await;
    for (task, index) in [
        (0, Some(0)),
        (1, Some(1)),
        (2, Some(2)),
        (2, Some(9)),
        (2, None),
    ] {
        let outcome = stage.move_to(&tasks[task], Status::Todo, index).await;
        assert_eq!(outcome, Unchanged(Box::new(tasks[task].clone())));
    }
}

async fn another_version_is_a_conflict(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 2).await;
    let expecting = |index, expected| {
        let mut change = stage.task_move(&tasks[0], Status::Todo, Some(index));
        change.expected = Some(expected);
        ok(stage.store.move_task(change))
    };
    let (_, after, _) = changed(expecting(1, 1).await);
    let conflict = Conflict(Box::new(after));
    assert_eq!(expecting(0, 1).await, conflict);
    // Where it is now, too.
    assert_eq!(expecting(1, 1).await, conflict);
    changed(expecting(0, 2).await);
}

async fn a_task_of_another_project_is_not_found(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let task = stage.task(&project, "task").await;
    let astray = Task {
        project: stage.project(&owner).await.id,
        ..task.clone()
    };
    let outcome = stage.move_to(&astray, Status::Done, None).await;
    assert_eq!(outcome, NotFound);
    assert_eq!(found(stage.store.task(task.id)).await, task);
}

async fn a_move_changes_one_task(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 4).await;
    changed(stage.move_to(&tasks[3], Status::Todo, Some(1)).await);
    for task in &tasks[..3] {
        assert_eq!(found(stage.store.task(task.id)).await, *task);
    }
}

async fn many_moves_keep_the_order(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 6).await;
    let columns = [Status::Todo, Status::Done];
    let mut board = [ids(&tasks), Vec::new()];
    let mut rng = StdRng::seed_from_u64(20_260_301);
    for _ in 0..150 {
        let task = &tasks[rng.random_range(0..tasks.len())];
        let to = rng.random_range(0..2);
        let index = rng.random_range(0..8);
        for column in &mut board {
            column.retain(|id| *id != task.id);
        }
        let real = index.min(board[to].len());
        board[to].insert(real, task.id);
        let wanted = Some(index as u64);
        match stage.move_to(task, columns[to].clone(), wanted).await {
            Unchanged(_) => {}
            outcome => assert_eq!(changed(outcome).2, real as u64),
        }
        for (status, expected) in columns.iter().zip(&board) {
            let column = stage.column(project.id, status.clone()).await;
            assert_eq!(column, *expected);
        }
    }
}

async fn the_index_is_the_real_one_among_equal_positions(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 5).await;
    // Two nodes made one key: the order among them is that of their ids.
    for (task, position) in tasks.iter().zip(["a0", "a1", "a1", "a11", "a12"]) {
        let (task, position) = (task.id, position.to_owned());
        stage.plant(Odd::Position { task, position }).await;
    }
    let order = stage.column(project.id, Status::Todo).await;
    for (index, id) in order.iter().enumerate() {
        let (task, real) = found(stage.store.placed_task(*id)).await;
        assert_eq!(real, index as u64);
        let outcome = stage.move_to(&task, Status::Todo, Some(real)).await;
        assert_eq!(outcome, Unchanged(Box::new(task)));
    }
    for (task, to) in [(order[4], 2), (order[0], 1), (order[2], 0)] {
        let task = found(stage.store.task(task)).await;
        let outcome = stage.move_to(&task, Status::Todo, Some(to)).await;
        let (_, after, told) = changed(outcome);
        let column = stage.column(project.id, Status::Todo).await;
        let real = column.iter().position(|id| *id == after.id);
        assert_eq!(Some(told), real.map(|index| index as u64));
        assert!(told.abs_diff(to) <= 1, "{told} is far from {to}");
    }
}

async fn a_position_that_is_no_key_is_lived_with(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = column_of(&stage, &project, 3).await;
    for (task, position) in [(0, "!"), (2, far().as_str())] {
        let (task, position) = (tasks[task].id, position.to_owned());
        stage.plant(Odd::Position { task, position }).await;
    }
    assert_eq!(stage.column(project.id, Status::Todo).await, ids(&tasks));
    let (_, after, told) = changed(stage.move_to(&tasks[1], Status::Todo, None).await);
    let column = stage.column(project.id, Status::Todo).await;
    assert_eq!(column[usize::try_from(told).expect("small")], after.id);
    let (_, after, told) = changed(stage.move_to(&after, Status::Todo, Some(0)).await);
    let column = stage.column(project.id, Status::Todo).await;
    assert_eq!(column[usize::try_from(told).expect("small")], after.id);
}
