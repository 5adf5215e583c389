//! The list of a project's tasks: newest first, in parts, filtered.

use collabflow_protocol::{
    id::{ProjectId, TaskId},
    model::{Project, Role, Status, TaskDraft},
};

use super::stage::{Stage, draft, found, ok};
use crate::store::{Membered, TaskCursor, TaskPage, TaskQuery};

super::cases![
    tasks_are_listed_newest_first,
    a_limit_gives_parts_that_make_the_whole,
    a_cursor_survives_the_deletion_of_its_task,
    a_new_task_does_not_come_again_on_a_later_page,
    filters_choose_by_status_and_assignee,
    a_filtered_list_has_parts_too,
    a_project_that_is_not_there_has_no_tasks,
];

async fn page(
    stage: &Stage,
    project: ProjectId,
    limit: u32,
    after: Option<TaskCursor>,
) -> (Vec<TaskId>, Option<TaskCursor>) {
    let query = TaskQuery {
        limit: Some(limit),
        after,
        ..TaskQuery::default()
    };
    let TaskPage { tasks, next } = ok(stage.store.tasks(project, query)).await;
    (tasks.into_iter().map(|task| task.id).collect(), next)
}

async fn list(stage: &Stage, project: ProjectId, query: TaskQuery) -> Vec<TaskId> {
    let page = ok(stage.store.tasks(project, query)).await;
    assert_eq!(page.next, None);
    page.tasks.into_iter().map(|task| task.id).collect()
}

/// Tasks, newest first; each two are of the same millisecond.
async fn some_tasks(stage: &Stage, project: &Project, count: usize) -> Vec<TaskId> {
    let mut tasks = Vec::new();
    let mut now = stage.now();
    for number in 0..count {
        let mut new = stage.new_task(project, draft(&format!("{number}")));
        if number % 2 == 0 {
            now = new.now;
        }
        new.now = now;
        tasks.insert(0, stage.create(new).await.id);
    }
    tasks
}

async fn tasks_are_listed_newest_first(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let tasks = some_tasks(&stage, &project, 6).await;
    let other = stage.project(&owner).await;
    let foreign = stage.task(&other, "foreign").await;
    // A move does not change the order of the list.
    let oldest = found(stage.store.task(tasks[5])).await;
    stage.move_to(&oldest, Status::Todo, Some(0)).await;
    let all = TaskQuery::default();
    assert_eq!(list(&stage, project.id, all.clone()).await, tasks);
    assert_eq!(list(&stage, other.id, all).await, [foreign.id]);
}

async fn a_limit_gives_parts_that_make_the_whole(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = some_tasks(&stage, &project, 7).await;
    for limit in 1..=8 {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let (part, next) = page(&stage, project.id, limit, cursor).await;
            assert!(part.len() <= limit as usize);
            assert!(!part.is_empty());
            seen.extend(part);
            cursor = next;
            if cursor.is_none() || seen.len() > tasks.len() {
                break;
            }
        }
        assert_eq!(seen, tasks, "in parts of {limit}");
    }
}

async fn a_cursor_survives_the_deletion_of_its_task(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = some_tasks(&stage, &project, 5).await;
    let (part, next) = page(&stage, project.id, 2, None).await;
    assert_eq!(part, tasks[..2]);
    for task in &tasks[1..3] {
        found(stage.store.delete_task(project.id, *task)).await;
    }
    let (part, next) = page(&stage, project.id, 2, next).await;
    assert_eq!(part, tasks[3..]);
    assert_eq!(next, None);
}

async fn a_new_task_does_not_come_again_on_a_later_page(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = some_tasks(&stage, &project, 4).await;
    let (_, next) = page(&stage, project.id, 2, None).await;
    stage.task(&project, "new").await;
    let (part, _) = page(&stage, project.id, 2, next).await;
    assert_eq!(part, tasks[2..]);
}

async fn filters_choose_by_status_and_assignee(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    stage
        .put(Membered::Project(project.id), &ada, Role::Member)
        .await;
    let make = async |status, assignee| {
        let draft = TaskDraft {
            status,
            assignee,
            ..draft("task")
        };
        stage.create(stage.new_task(&project, draft)).await.id
    };
    let nobodys = make(Status::Todo, None).await;
    let hers = make(Status::Todo, Some(ada.id)).await;
    let hers_done = make(Status::Done, Some(ada.id)).await;
    let owners = make(Status::Done, Some(owner.id)).await;
    let query = |status, assignee| TaskQuery {
        status,
        assignee,
        ..TaskQuery::default()
    };
    for (filter, expected) in [
        (query(Some(Status::Todo), None), vec![hers, nobodys]),
        (query(Some(Status::Done), None), vec![owners, hers_done]),
        (query(Some(Status::Review), None), vec![]),
        (query(None, Some(ada.id)), vec![hers_done, hers]),
        (query(Some(Status::Todo), Some(ada.id)), vec![hers]),
        (query(None, Some(stage.id())), vec![]),
    ] {
        let seen = list(&stage, project.id, filter.clone()).await;
        assert_eq!(seen, expected, "{filter:?}");
    }
}

async fn a_filtered_list_has_parts_too(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let tasks = some_tasks(&stage, &project, 6).await;
    let mut todo = tasks.clone();
    for id in [tasks[1], tasks[2], tasks[4]] {
        let task = found(stage.store.task(id)).await;
        stage.move_to(&task, Status::Done, None).await;
        todo.retain(|other| *other != id);
    }
    let query = |after| TaskQuery {
        status: Some(Status::Todo),
        limit: Some(2),
        after,
        ..TaskQuery::default()
    };
    let first = ok(stage.store.tasks(project.id, query(None))).await;
    let second = ok(stage.store.tasks(project.id, query(first.next))).await;
    let seen: Vec<_> = first.tasks.iter().chain(&second.tasks).collect();
    assert_eq!(seen.iter().map(|task| task.id).collect::<Vec<_>>(), todo);
    assert_eq!((first.tasks.len(), second.next), (2, None));
}

async fn a_project_that_is_not_there_has_no_tasks(stage: Stage) {
    let query = TaskQuery::default();
    let page = ok(stage.store.tasks(stage.id(), query)).await;
    assert_eq!(page, TaskPage::default());
}
