//! What is remembered of changes is bounded.

use super::*;
use crate::room::fixture::{task, user};

/// A change of one field that left this task.
fn update(at: Instant, field: TaskField, task: &Task) -> Change {
    Change {
        at,
        author: user(1),
        by_rest: true,
        kind: Kind::Updated(vec![field]),
        from: task.status.clone(),
        fields: vec![field],
        task: Arc::new(task.clone()),
        index: None,
        left_out: Vec::new(),
        is_in_flight: false,
        told_at: None,
    }
}

/// Somebody renames a task with a long description, again and again.
#[tokio::test]
async fn of_a_former_version_no_more_is_kept_than_was_changed() {
    let (now, mut told) = (Instant::now(), Told::default());
    for version in 1..=1_000 {
        let large = Task {
            description: Some("x".repeat(80_000)),
            ..task(version, &format!("title {version}"))
        };
        told.record(update(now, TaskField::Title, &large));
    }
    assert_eq!(told.order.len(), 1_000);
    assert!(told.bytes < 100_000, "{}", told.bytes);
    let mut titles = told.of_task(crate::room::fixture::TASK);
    assert!(titles.any(|change| change.task.title == "title 1"));
    let latest = told.latest(crate::room::fixture::TASK);
    assert!(matches!(latest, Some(Latest::Stored(task)) if task.description.is_some()));
}

/// On another node somebody asked for what a task was already, while it became something else. That came later in the log,
/// was taken for the task as it is, and given to whoever asked for nothing next: their pages went back to it.
#[tokio::test]
async fn a_change_of_nothing_takes_no_task_back() {
    let (now, mut told) = (Instant::now(), Told::default());
    let of_nothing = |version| Change {
        fields: Vec::new(),
        ..update(now, TaskField::Title, &task(version, "as it was"))
    };
    let id = crate::room::fixture::TASK;
    told.record(update(now, TaskField::Title, &task(3, "as it is")));
    told.record(of_nothing(2));
    assert_eq!(told.present(id).map(|task| task.version), Some(3));
    assert_eq!(told.announceable(user(1).id, id, now).count(), 2);
    told.record(Change {
        kind: Kind::Deleted,
        ..of_nothing(3)
    });
    told.record(of_nothing(2));
    assert!(matches!(told.latest(id), Some(Latest::Deleted(_))));
}

#[tokio::test]
async fn large_tasks_are_forgotten_sooner() {
    let (now, mut told) = (Instant::now(), Told::default());
    let large = Task {
        description: Some("x".repeat(80_000)),
        ..task(1, "large")
    };
    for second in 0..1_000 {
        let at = now + Duration::from_secs(second);
        told.record(update(at, TaskField::Description, &large));
    }
    assert!(told.bytes <= BYTES_MAX);
    assert_eq!(told.order.len(), BYTES_MAX / (large.title.len() + 80_000));
    assert!(told.latest(large.id).is_some());
    told.prune(now + Duration::from_secs(1_000) + KEPT_FOR);
    assert_eq!(told.bytes, 0);
    assert!(told.tasks.is_empty());
}

#[tokio::test]
async fn of_one_task_so_many_changes_are_kept_and_those_of_others_with_them() {
    let (now, mut told) = (Instant::now(), Told::default());
    let mut other = task(1, "other");
    other.id = collabflow_protocol::id::ObjectId::from_bytes([77; 12]).into();
    told.record(update(now, TaskField::Title, &other));
    let sessions: Vec<_> = (0..50).map(|_| SessionId::random()).collect();
    for version in 1..=OF_TASK_MAX as u64 + 500 {
        let at = now + Duration::from_millis(version);
        let left_out = sessions.iter().map(|session| LeftOut::new(*session, false));
        told.record(Change {
            left_out: left_out.collect(),
            ..update(at, TaskField::Title, &task(version, "busy"))
        });
    }
    let versions: Vec<_> = told
        .of_task(crate::room::fixture::TASK)
        .map(|change| change.task.version)
        .collect();
    assert_eq!((versions.len(), versions[0]), (OF_TASK_MAX, 501));
    assert!(told.latest(other.id).is_some());
    assert!(told.bytes > OF_TASK_MAX * 50 * size_of::<LeftOut>());
    told.prune(now + KEPT_FOR);
    assert!(told.latest(other.id).is_none());
    assert!(told.latest(crate::room::fixture::TASK).is_some());
    told.prune(now + KEPT_FOR + Duration::from_secs(2));
    assert_eq!((told.bytes, told.order.len()), (0, 0));
}
