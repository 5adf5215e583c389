//! Tasks: how they are made, shown and deleted.

use collabflow_protocol::model::{
    Label, Priority, Role, Status, SubtaskDraft, Task, TaskDraft, User,
};

use super::{
    Odd,
    stage::{Stage, draft, found, ok, step, title},
};
use crate::store::{CreateOutcome, Membered, StoreError, TaskQuery};

super::cases![
    a_task_is_stored_as_it_was_drafted,
    a_new_task_is_at_the_top_of_its_column,
    a_task_needs_its_project,
    an_assignee_is_a_member_of_the_project,
    people_are_shown_as_they_are_now,
    subtasks_have_ids,
    an_id_is_used_once,
    a_deleted_task_is_gone,
    a_task_of_another_project_is_not_deleted,
    words_of_another_program_are_shown_as_they_are,
];

async fn a_task_is_stored_as_it_was_drafted(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let new = stage.new_task(
        &project,
        TaskDraft {
            title: "Weave".into(),
            description: Some("A pattern of flowers".into()),
            status: Status::Review,
            priority: Priority::High,
            assignee: Some(owner.id),
            due_date: Some(stage.now()),
            subtasks: vec![step("Warp"), step("Weft")],
            labels: vec![Label {
                name: "loom".into(),
                color: "#00ff00".into(),
            }],
        },
    );
    let made = stage.create(new.clone()).await;
    assert_eq!(made.id, new.id);
    assert_eq!(
        (made.project, made.workspace),
        (project.id, project.workspace)
    );
    assert_eq!(made.title, new.draft.title);
    assert_eq!(made.description, new.draft.description);
    assert_eq!(
        (&made.status, &made.priority),
        (&Status::Review, &Priority::High)
    );
    assert_eq!(made.assignee, Some(owner.clone()));
    assert_eq!(made.created_by, Some(owner.into()));
    assert_eq!(made.due_date, new.draft.due_date);
    assert_eq!(made.labels, new.draft.labels);
    assert_eq!(made.version, 1);
    assert_eq!((made.created_at, made.updated_at), (new.now, new.now));
    assert_eq!(found(stage.store.task(made.id)).await, made);
}

async fn a_new_task_is_at_the_top_of_its_column(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let mut column = Vec::new();
    for title in ["first", "second", "third"] {
        let task = stage.task(&project, title).await;
        column.insert(0, task.id);
        assert_eq!(found(stage.store.placed_task(task.id)).await, (task, 0));
    }
    assert_eq!(stage.column(project.id, Status::Todo).await, column);
    let mut elsewhere = draft("elsewhere");
    elsewhere.status = Status::Done;
    let task = stage.create(stage.new_task(&project, elsewhere)).await;
    assert_eq!(stage.column(project.id, Status::Done).await, [task.id]);
    assert_eq!(stage.column(project.id, Status::Todo).await, column);
    let (_, index) = found(stage.store.placed_task(column[2])).await;
    assert_eq!(index, 2);
    assert_eq!(ok(stage.store.placed_task(stage.id())).await, None);
}

async fn a_task_needs_its_project(stage: Stage) {
    let (mut project, _) = stage.owned_project().await;
    project.id = stage.id();
    let new = stage.new_task(&project, draft("lost"));
    let id = new.id;
    let outcome = ok(stage.store.create_task(new)).await;
    assert_eq!(outcome, CreateOutcome::NoProject);
    assert_eq!(ok(stage.store.task(id)).await, None);
}

async fn an_assignee_is_a_member_of_the_project(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let stranger = stage.account("Ada").await;
    stage
        .put(
            Membered::Workspace(project.workspace),
            &stranger,
            Role::Owner,
        )
        .await;
    let assigned = TaskDraft {
        assignee: Some(stranger.id),
        ..draft("task")
    };
    let new = stage.new_task(&project, assigned.clone());
    let outcome = ok(stage.store.create_task(new)).await;
    assert_eq!(outcome, CreateOutcome::NotMember);
    let list = ok(stage.store.tasks(project.id, TaskQuery::default())).await;
    assert_eq!(list.tasks, []);
    stage
        .put(Membered::Project(project.id), &stranger, Role::Viewer)
        .await;
    let task = stage.create(stage.new_task(&project, assigned)).await;
    assert_eq!(task.assignee, Some(stranger));
}

async fn people_are_shown_as_they_are_now(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ghost = User {
        id: stage.id(),
        ..owner
    };
    stage
        .put(Membered::Project(project.id), &ghost, Role::Member)
        .await;
    let assigned = TaskDraft {
        assignee: Some(ghost.id),
        ..draft("task")
    };
    let mut new = stage.new_task(&project, assigned);
    new.creator = ghost.id;
    let task = stage.create(new).await;
    assert_eq!((&task.assignee, &task.created_by), (&None, &None));
    // A change of something else does not lose the reference.
    stage.patched(&task, title("still a task")).await;
    ok(stage.store.remember(ghost.clone())).await;
    let task = found(stage.store.task(task.id)).await;
    assert_eq!(task.assignee, Some(ghost.clone()));
    assert_eq!(task.created_by, Some(ghost.into()));
}

async fn subtasks_have_ids(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let own = SubtaskDraft {
        id: Some(stage.id()),
        completed: true,
        ..step("named")
    };
    let steps = TaskDraft {
        subtasks: vec![step("first"), own.clone(), step("last")],
        ..draft("task")
    };
    let new = stage.new_task(&project, steps);
    let fresh = new.subtask_ids.clone();
    let task = stage.create(new).await;
    let ids: Vec<_> = task.subtasks.iter().map(|step| step.id).collect();
    let expected = [Some(fresh[0]), own.id, Some(fresh[2])];
    assert_eq!(ids.into_iter().map(Some).collect::<Vec<_>>(), expected);
    let done: Vec<_> = task.subtasks.iter().map(|step| step.completed).collect();
    assert_eq!(done, [false, true, false]);
}

async fn an_id_is_used_once(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let task = stage.task(&project, "first").await;
    let mut new = stage.new_task(&project, draft("second"));
    new.id = task.id;
    let answer = stage.store.create_task(new).await;
    assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
    assert_eq!(found(stage.store.task(task.id)).await, task);
}

async fn a_deleted_task_is_gone(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let task = stage.task(&project, "doomed").await;
    let other = stage.task(&project, "other").await;
    let deleted = found(stage.store.delete_task(project.id, task.id)).await;
    assert_eq!(deleted, task);
    assert_eq!(ok(stage.store.task(task.id)).await, None);
    assert_eq!(stage.column(project.id, Status::Todo).await, [other.id]);
    let again = stage.store.delete_task(project.id, task.id);
    assert_eq!(ok(again).await, None);
}

async fn a_task_of_another_project_is_not_deleted(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let other = stage.project(&owner).await;
    let task: Task = stage.task(&project, "safe").await;
    assert_eq!(ok(stage.store.delete_task(other.id, task.id)).await, None);
    assert_eq!(found(stage.store.task(task.id)).await, task);
}

async fn words_of_another_program_are_shown_as_they_are(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let plain = stage.task(&project, "plain").await;
    let odd = stage.task(&project, "odd").await;
    stage
        .plant(Odd::Words {
            task: odd.id,
            status: "blocked".into(),
            priority: "URGENT".into(),
        })
        .await;
    let blocked = Status::Other("blocked".into());
    let list = ok(stage.store.tasks(project.id, TaskQuery::default())).await;
    assert_eq!(list.tasks.len(), 2);
    assert_eq!(list.tasks[0].status, blocked);
    assert_eq!(list.tasks[0].priority, Priority::Other("URGENT".into()));
    assert_eq!(list.tasks[1], plain);
    assert_eq!(stage.column(project.id, blocked.clone()).await, [odd.id]);
    let after = stage.patched(&odd, title("still odd")).await;
    assert_eq!(after.status, blocked);
}
