//! How documents change: the rules that every store applies inside its own atomic write.

use std::collections::HashMap;

use collabflow_protocol::{
    id::{UserId, WorkspaceId},
    model::{Position, Role, Subtask, SubtaskDraft, Task, TaskPatch, User, UserBrief},
    time::Timestamp,
};

use super::{MemberChange, NewTask, TaskChange, TaskMove};

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
        assignee,
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

/// The task after a patch, or `None` where that changes nothing. `assignee` is the patch's assignee, populated; `end`
/// is the last position in the patch's column.
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
    if to.is_some() && to.flatten() != before.assignee.as_ref().map(|user| user.id) {
        after.assignee = assignee;
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

/// The task after a move and its index there, or `None` for the task where that changes nothing. `column` is the
/// destination in order, without the task itself.
#[must_use]
pub fn apply_move(before: &Task, change: &TaskMove, column: &[Position]) -> (Option<Task>, usize) {
    let index = change
        .index
        .and_then(|index| usize::try_from(index).ok())
        .unwrap_or(usize::MAX)
        .min(column.len());
    let low = index.checked_sub(1).map(|index| &column[index]);
    let stays = before.status == change.to
        && low.is_none_or(|low| *low <= before.position)
        && column
            .get(index)
            .is_none_or(|high| before.position <= *high);
    if stays {
        return (None, index);
    }
    // Where two nodes made one key, the next greater one is the upper end.
    let high = column[index..]
        .iter()
        .find(|high| low.is_none_or(|low| low < *high));
    let mut after = before.clone();
    after.status = change.to.clone();
    after.position = Position::between(low, high, change.random);
    (Some(next_version(after, change.now)), index)
}

/// Whether a change of memberships leaves at least one owner, where there is one now.
#[must_use]
pub fn may_change_members(members: &HashMap<UserId, Role>, change: MemberChange) -> bool {
    let (user, role) = match change {
        MemberChange::Put(_, None) => return true,
        MemberChange::Put(user, Some(role)) => (user, role),
        MemberChange::Remove(user) => (user, Role::Viewer),
    };
    let is_last = members.get(&user) == Some(&Role::Owner)
        && !members
            .iter()
            .any(|(other, role)| *other != user && *role == Role::Owner);
    role == Role::Owner || !is_last
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn next_version(mut task: Task, now: Timestamp) -> Task {
    task.version += 1;
    task.updated_at = now.max(task.updated_at);
    task
}
