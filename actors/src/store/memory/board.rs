//! Tasks.

use std::cmp::Reverse;

use collabflow_protocol::{
    id::{ProjectId, TaskId},
    model::{Position, Status, Task},
};

use super::state::{State, StoredTask, taken};
use crate::store::{
    CreateOutcome, Moved, NewTask, ONCE_WINDOW, StoreError, TaskChange, TaskCursor, TaskMove,
    TaskOutcome, TaskPage, TaskQuery, apply_move, apply_patch, is_stale, new_task, newly_assigned,
};

impl State {
    pub(super) fn task(&self, id: TaskId) -> Option<Task> {
        self.tasks.get(&id).map(|stored| self.shown_task(stored))
    }

    fn task_in(&self, project: ProjectId, id: TaskId) -> Option<Task> {
        self.task(id).filter(|task| task.project == project)
    }

    pub(super) fn placed_task(&self, id: TaskId) -> Option<(Task, u64)> {
        let task = self.task(id)?;
        let index = self.index_of(&task);
        Some((task, index))
    }

    fn index_of(&self, task: &Task) -> u64 {
        self.column(task.project, &task.status)
            .iter()
            .position(|(_, id)| *id == task.id)
            .map_or(0, |index| index as u64)
    }

    /// A column in its order.
    fn column(&self, project: ProjectId, status: &Status) -> Vec<(Position, TaskId)> {
        let mut column: Vec<_> = self
            .tasks
            .values()
            .map(|stored| &stored.task)
            .filter(|task| task.project == project && task.status == *status)
            .map(|task| (task.position.clone(), task.id))
            .collect();
        column.sort_unstable();
        column
    }

    pub(super) fn tasks(&self, project: ProjectId, query: &TaskQuery) -> TaskPage {
        let mut list: Vec<_> = self
            .tasks
            .values()
            .filter(|stored| {
                stored.task.project == project
                    && query
                        .status
                        .as_ref()
                        .is_none_or(|status| *status == stored.task.status)
                    && query.assignee.is_none_or(|id| Some(id) == stored.assignee)
            })
            .map(|stored| self.shown_task(stored))
            .collect();
        list.sort_by_key(|task| Reverse((task.created_at, task.id)));
        if let Some(after) = query.after {
            list.retain(|task| (task.created_at, task.id) < (after.created_at, after.id));
        }
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        let more = list.len() > limit;
        list.truncate(limit);
        let next = list.last().filter(|_| more).map(|last| TaskCursor {
            created_at: last.created_at,
            id: last.id,
        });
        TaskPage { tasks: list, next }
    }

    pub(super) fn create_task(&mut self, new: NewTask) -> Result<CreateOutcome, StoreError> {
        let window = i64::try_from(ONCE_WINDOW.as_millis()).unwrap_or(i64::MAX);
        self.once
            .retain(|_, (at, _)| new.now.millis() - at.millis() < window);
        if let Some((_, made)) = new.once.as_ref().and_then(|once| self.once.get(once)) {
            let task = self.task(made.id).unwrap_or_else(|| made.clone());
            return Ok(if task.project == new.project {
                CreateOutcome::Repeated(Box::new(task))
            } else {
                CreateOutcome::KeyTaken
            });
        }
        let Some(project) = self.projects.get(&new.project) else {
            return Ok(CreateOutcome::NoProject);
        };
        let workspace = project.document.workspace;
        let (assignee, creator, once, now) =
            (new.draft.assignee, new.creator, new.once.clone(), new.now);
        if assignee.is_some_and(|user| !self.is_member(new.project.0, user)) {
            return Ok(CreateOutcome::NotMember);
        }
        if self.tasks.contains_key(&new.id) {
            return Err(taken());
        }
        let column = self.column(new.project, &new.draft.status);
        let top = column.first().map(|(position, _)| position);
        let shown = assignee.and_then(|id| self.user(id));
        let made_by = self.user(creator).map(Into::into);
        let task = new_task(new, workspace, top, shown, made_by);
        if let Some(once) = once {
            self.once.insert(once, (now, task.clone()));
        }
        let stored = StoredTask {
            task: task.clone(),
            assignee,
            creator,
        };
        self.tasks.insert(task.id, stored);
        Ok(CreateOutcome::Created(Box::new(task)))
    }

    pub(super) fn update_task(&mut self, change: &TaskChange) -> TaskOutcome {
        let Some(before) = self.task_in(change.project, change.id) else {
            return TaskOutcome::NotFound;
        };
        if is_stale(&before, change.expected) {
            return TaskOutcome::Conflict(Box::new(before));
        }
        let assigned = newly_assigned(&before, &change.patch);
        if assigned.is_some_and(|user| !self.is_member(change.project.0, user)) {
            return TaskOutcome::NotMember;
        }
        let column = match &change.patch.status {
            Some(status) => self.column(change.project, status),
            None => Vec::new(),
        };
        let end = column.last().map(|(position, _)| position);
        let assignee = assigned.and_then(|id| self.user(id));
        match apply_patch(&before, change, assignee, end) {
            None => TaskOutcome::Unchanged(Box::new(before)),
            Some(after) => self.replace_task(before, after),
        }
    }

    pub(super) fn move_task(&mut self, change: &TaskMove) -> TaskOutcome {
        let Some(before) = self.task_in(change.project, change.id) else {
            return TaskOutcome::NotFound;
        };
        if is_stale(&before, change.expected) {
            return TaskOutcome::Conflict(Box::new(before));
        }
        let mut column = self.column(change.project, &change.to);
        column.retain(|(_, id)| *id != change.id);
        match apply_move(&before, change, &column) {
            Moved::Stays => TaskOutcome::Unchanged(Box::new(before)),
            Moved::To(after, _) => self.replace_task(before, *after),
        }
    }

    /// An assignee that was not changed stays, even if it leads nowhere.
    fn replace_task(&mut self, before: Task, after: Task) -> TaskOutcome {
        if let Some(stored) = self.tasks.get_mut(&after.id) {
            if before.assignee != after.assignee {
                stored.assignee = after.assignee.as_ref().map(|user| user.id);
            }
            stored.task = after.clone();
        }
        TaskOutcome::Changed {
            index: self.index_of(&after),
            base: before.version,
            before: Box::new(before),
            after: Box::new(after),
        }
    }

    pub(super) fn delete_task(&mut self, project: ProjectId, id: TaskId) -> Option<Task> {
        let task = self.task_in(project, id)?;
        self.tasks.remove(&id);
        Some(task)
    }
}
