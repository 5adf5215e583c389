//! How tasks come to be, change and move.

use collabflow_protocol::{
    id::{TaskId, UserId, WorkspaceId},
    model::{Position, Subtask, SubtaskDraft, Task, TaskPatch, User, UserBrief},
    time::Timestamp,
};

use super::set;
use crate::store::{NewTask, TaskChange, TaskMove};

/// The task that a draft becomes; `top` is the first position in its column, `assignee` and `creator` are populated.
#[must_use]
pub fn new_task(
    new: NewTask,
    workspace: WorkspaceId,
    top: Option<&Position>,
    assignee: Option<User>,
    creator: Option<UserBrief>,
) -> Task {
    let NewTask {
        draft, subtask_ids, ..
    } = new;
    let subtasks = draft
        .subtasks
        .into_iter()
        .zip(subtask_ids)
        .map(|(draft, fresh)| Subtask {
            id: draft.id.unwrap_or(fresh),
            title: draft.title,
            completed: draft.completed,
        })
        .collect();
    Task {
        id: new.id,
        title: draft.title,
        description: draft.description,
        status: draft.status,
        priority: draft.priority,
        assignee: assignee.map(User::populated),
        project: new.project,
        workspace,
        due_date: draft.due_date,
        subtasks,
        labels: draft.labels,
        created_by: creator,
        position: Position::between(None, top, new.random),
        version: 1,
        created_at: new.now,
        updated_at: new.now,
    }
}

/// Whether a task has another version than the one a change expects.
#[must_use]
pub fn is_stale(task: &Task, expected: Option<u64>) -> bool {
    expected.is_some_and(|version| version != task.version)
}

/// The user that a patch assigns a task to anew: who must be a member of its project.
#[must_use]
pub fn newly_assigned(before: &Task, patch: &TaskPatch) -> Option<UserId> {
    let present = before.assignee.as_ref().map(|user| user.id);
    patch.assignee.flatten().filter(|to| Some(*to) != present)
}

/// The task after a patch, or `None` where that changes nothing. `assignee` is whom it is [`newly_assigned`] to,
/// populated; `end` is the last position in the patch's column.
#[must_use]
pub fn apply_patch(
    before: &Task,
    change: &TaskChange,
    assignee: Option<User>,
    end: Option<&Position>,
) -> Option<Task> {
    let mut after = before.clone();
    let TaskPatch {
        title,
        description,
        status,
        priority,
        assignee: to,
        due_date,
        subtasks,
        labels,
        project: _,
        workspace: _,
    } = change.patch.clone();
    set(&mut after.title, title);
    set(&mut after.description, description);
    set(&mut after.priority, priority);
    set(&mut after.due_date, due_date);
    set(&mut after.labels, labels);
    if to.is_some_and(|to| to != before.assignee.as_ref().map(|user| user.id)) {
        after.assignee = assignee.map(User::populated);
    }
    if let Some(drafts) = subtasks {
        let mut fresh = change.subtask_ids.iter().copied();
        after.subtasks = SubtaskDraft::with_ids(drafts, &before.subtasks, || {
            fresh.next().expect("there are as many ids as subtasks")
        });
    }
    if let Some(status) = status.filter(|status| *status != before.status) {
        after.status = status;
        after.position = Position::between(end, None, change.random);
    }
    (after != *before).then(|| next_version(after, change.now))
}

/// What a move comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The task goes to this place; it is as it will be, with its index.
    To(Box<Task>, usize),
    /// It is there already.
    Stays,
}

/// The task after a move. `column` is the destination in its order, without the task itself.
#[must_use]
pub fn apply_move(before: &Task, change: &TaskMove, column: &[(Position, TaskId)]) -> Moved {
    let index = change
        .index
        .and_then(|index| usize::try_from(index).ok())
        .unwrap_or(usize::MAX)
        .min(column.len());
    if before.status == change.to && index_in(column, before) == index {
        return Moved::Stays;
    }
    let low = index.checked_sub(1).map(|index| &column[index].0);
    // Where two nodes made one key, the next greater one is the upper end.
    let high = column[index..]
        .iter()
        .map(|(position, _)| position)
        .find(|high| low.is_none_or(|low| low < high));
    let mut after = before.clone();
    after.status = change.to.clone();
    after.position = Position::between(low, high, change.random);
    let index = index_in(column, &after);
    Moved::To(Box::new(next_version(after, change.now)), index)
}

/// The index that a task has among the others of its column.
fn index_in(column: &[(Position, TaskId)], task: &Task) -> usize {
    column.partition_point(|(position, id)| (position, id) < (&task.position, &task.id))
}

fn next_version(mut task: Task, now: Timestamp) -> Task {
    task.version = task.version.saturating_add(1);
    task.updated_at = now.max(task.updated_at);
    task
}
