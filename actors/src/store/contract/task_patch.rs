//! Changes of a task's fields.

use collabflow_protocol::{
    id::SubtaskId,
    model::{Label, Priority, Role, Status, SubtaskDraft, Task, TaskDraft, TaskPatch},
};

use super::stage::{Stage, changed, draft, found, ok, step, time, title};
use crate::store::{
    Membered,
    TaskOutcome::{Conflict, NotFound, NotMember, Unchanged},
};

super::cases![
    a_patch_changes_what_it_names,
    what_can_be_cleared_is_cleared,
    a_patch_that_changes_nothing_writes_nothing,
    another_version_is_a_conflict,
    a_task_of_another_project_is_not_found,
    a_new_assignee_is_a_member_of_the_project,
    an_assignee_that_left_is_no_obstacle,
    another_status_puts_the_task_at_the_end,
    the_same_status_moves_nothing,
    subtasks_keep_their_ids,
    time_does_not_go_back,
];

async fn a_patch_changes_what_it_names(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let task = stage.task(&project, "before").await;
    let patch = TaskPatch {
        title: Some("after".into()),
        description: Some(Some("words".into())),
        priority: Some(Priority::Low),
        assignee: Some(Some(owner.id)),
        due_date: Some(Some(time(1_800_000_000_123))),
        labels: Some(vec![Label {
            name: "new".into(),
            color: "red".into(),
        }]),
        ..TaskPatch::default()
    };
    let change = stage.task_change(&task, patch.clone());
    let now = change.now;
    let (before, after, index) = changed(ok(stage.store.update_task(change)).await);
    assert_eq!(before, task);
    let expected = Task {
        title: "after".into(),
        description: Some("words".into()),
        priority: Priority::Low,
        assignee: Some(owner),
        due_date: Some(time(1_800_000_000_123)),
        labels: patch.labels.unwrap_or_default(),
        version: 2,
        updated_at: now,
        ..task
    };
    assert_eq!(after, expected);
    assert_eq!(index, 0);
    assert_eq!(found(stage.store.task(after.id)).await, after);
    let next = stage.patched(&after, title("at last")).await;
    assert_eq!((next.version, next.priority), (3, Priority::Low));
}

async fn what_can_be_cleared_is_cleared(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let full = TaskDraft {
        description: Some("words".into()),
        assignee: Some(owner.id),
        due_date: Some(stage.now()),
        subtasks: vec![step("one")],
        labels: vec![Label {
            name: "label".into(),
            color: String::new(),
        }],
        ..draft("task")
    };
    let task = stage.create(stage.new_task(&project, full)).await;
    let patch = TaskPatch {
        description: Some(None),
        assignee: Some(None),
        due_date: Some(None),
        subtasks: Some(Vec::new()),
        labels: Some(Vec::new()),
        ..TaskPatch::default()
    };
    let after = stage.patched(&task, patch).await;
    assert_eq!((&after.description, &after.assignee), (&None, &None));
    assert_eq!(after.due_date, None);
    assert_eq!(after.subtasks, []);
    assert_eq!(after.labels, []);
    assert_eq!(found(stage.store.task(task.id)).await, after);
}

async fn a_patch_that_changes_nothing_writes_nothing(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let task = stage.task(&project, "same").await;
    for patch in [
        TaskPatch::default(),
        TaskPatch {
            status: Some(Status::Todo),
            assignee: Some(None),
            subtasks: Some(Vec::new()),
            ..title("same")
        },
    ] {
        let outcome = stage.patch(&task, patch).await;
        assert_eq!(outcome, Unchanged(Box::new(task.clone())));
    }
    assert_eq!(found(stage.store.task(task.id)).await, task);
}

async fn another_version_is_a_conflict(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let task = stage.task(&project, "one").await;
    let expecting = |task: &Task, text: &str, expected| {
        let mut change = stage.task_change(task, title(text));
        change.expected = Some(expected);
        ok(stage.store.update_task(change))
    };
    let (_, second, _) = changed(expecting(&task, "two", 1).await);
    let conflict = Conflict(Box::new(second.clone()));
    assert_eq!(expecting(&task, "three", 1).await, conflict);
    assert_eq!(expecting(&task, "three", 3).await, conflict);
    // Even where the patch would change nothing: the sender does not know what is stored.
    assert_eq!(expecting(&task, "two", 1).await, conflict);
    assert_eq!(found(stage.store.task(task.id)).await, second);
    changed(expecting(&task, "three", 2).await);
}

async fn a_task_of_another_project_is_not_found(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let other = stage.project(&owner).await;
    let task = stage.task(&project, "task").await;
    let astray = Task {
        project: other.id,
        ..task.clone()
    };
    assert_eq!(stage.patch(&astray, title("new")).await, NotFound);
    let nowhere = Task {
        id: stage.id(),
        ..task.clone()
    };
    assert_eq!(stage.patch(&nowhere, title("new")).await, NotFound);
    assert_eq!(found(stage.store.task(task.id)).await, task);
}

async fn a_new_assignee_is_a_member_of_the_project(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    let task = stage.task(&project, "task").await;
    let to_ada = TaskPatch {
        assignee: Some(Some(ada.id)),
        ..title("new")
    };
    assert_eq!(stage.patch(&task, to_ada.clone()).await, NotMember);
    assert_eq!(found(stage.store.task(task.id)).await, task);
    stage
        .put(Membered::Project(project.id), &ada, Role::Viewer)
        .await;
    let after = stage.patched(&task, to_ada).await;
    assert_eq!(after.assignee, Some(ada));
}

async fn an_assignee_that_left_is_no_obstacle(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    let of = Membered::Project(project.id);
    stage.put(of, &ada, Role::Member).await;
    let hers = TaskDraft {
        assignee: Some(ada.id),
        ..draft("task")
    };
    let task = stage.create(stage.new_task(&project, hers)).await;
    stage.remove(of, &ada).await;
    let whole = TaskPatch {
        assignee: Some(Some(ada.id)),
        ..title("new")
    };
    let after = stage.patched(&task, whole).await;
    assert_eq!(after.assignee, Some(ada));
}

async fn another_status_puts_the_task_at_the_end(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let mut done = Vec::new();
    for title in ["a", "b"] {
        let draft = TaskDraft {
            status: Status::Done,
            ..draft(title)
        };
        done.insert(0, stage.create(stage.new_task(&project, draft)).await.id);
    }
    let task = stage.task(&project, "task").await;
    let to_done = TaskPatch {
        status: Some(Status::Done),
        ..TaskPatch::default()
    };
    let (before, after, index) = changed(stage.patch(&task, to_done).await);
    assert_eq!(
        (before.status, &after.status),
        (Status::Todo, &Status::Done)
    );
    assert_eq!(index, 2);
    done.push(task.id);
    assert_eq!(stage.column(project.id, Status::Done).await, done);
    assert_eq!(stage.column(project.id, Status::Todo).await, []);
    assert_eq!(found(stage.store.placed_task(task.id)).await, (after, 2));
}

async fn the_same_status_moves_nothing(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let below = stage.task(&project, "below").await;
    let above = stage.task(&project, "above").await;
    let patch = TaskPatch {
        status: Some(Status::Todo),
        ..title("new")
    };
    let (_, after, index) = changed(stage.patch(&above, patch).await);
    assert_eq!((after.position, index), (above.position, 0));
    let column = stage.column(project.id, Status::Todo).await;
    assert_eq!(column, [above.id, below.id]);
}

async fn subtasks_keep_their_ids(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let steps = TaskDraft {
        subtasks: vec![step("one"), step("two")],
        ..draft("task")
    };
    let task = stage.create(stage.new_task(&project, steps)).await;
    let [one, two] = [task.subtasks[0].id, task.subtasks[1].id];
    let patch = |subtasks| TaskPatch {
        subtasks: Some(subtasks),
        ..TaskPatch::default()
    };
    // The same title at the same place is the same subtask.
    let same = patch(vec![step("one"), step("two")]);
    let outcome = stage.patch(&task, same).await;
    assert_eq!(outcome, Unchanged(Box::new(task.clone())));
    let own: SubtaskId = stage.id();
    let named = |id, title: &str, completed| SubtaskDraft {
        id: Some(id),
        completed,
        ..step(title)
    };
    let change = stage.task_change(
        &task,
        patch(vec![
            named(two, "two", true),
            named(own, "own", false),
            step("new"),
        ]),
    );
    let (_, after, _) = changed(ok(stage.store.update_task(change)).await);
    let ids: Vec<_> = after.subtasks.iter().map(|step| step.id).collect();
    assert_eq!(ids[..2], [two, own]);
    assert!(![one, two, own].contains(&ids[2]));
    assert!(after.subtasks[0].completed);
    assert_eq!(found(stage.store.task(task.id)).await, after);
}

async fn time_does_not_go_back(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let task = stage.task(&project, "task").await;
    let mut change = stage.task_change(&task, title("new"));
    change.now = time(task.created_at.millis() - 60_000);
    let (_, after, _) = changed(ok(stage.store.update_task(change)).await);
    assert_eq!(after.updated_at, task.updated_at);
    assert_eq!(after.version, 2);
}
