//! The events that tell a change of a task.

use std::sync::Arc;

use collabflow_protocol::{
    event::ServerEvent,
    model::{Status, Task, TaskField, TaskUpdates, UserBrief},
};
use tokio::time::Instant;

use crate::room::{
    entry::Changed,
    told::{Change, Kind},
};

impl Change {
    /// The change as it is told, with the values of `present`.
    pub(in crate::room) fn event(&self, present: &Arc<Task>) -> ServerEvent {
        let author = (*self.author).clone();
        match self.kind {
            Kind::Created => ServerEvent::TaskCreated {
                task: Arc::clone(present),
                created_by: author,
            },
            Kind::Deleted => ServerEvent::TaskDeleted {
                task_id: present.id,
                deleted_by: author,
            },
            Kind::Moved(_) => moved(present, self.from.clone(), self.index.unwrap_or(0), author),
            Kind::Updated(_) => updated(present, self.fields.iter().copied(), author),
        }
    }
}

impl Changed {
    /// The change as it is told.
    pub(in crate::room) fn event(self) -> ServerEvent {
        let now = Instant::now();
        let change = self.into_change(now);
        change.event(&change.task)
    }
}

pub(in crate::room) fn updated(
    task: &Task,
    fields: impl IntoIterator<Item = TaskField>,
    updated_by: UserBrief,
) -> ServerEvent {
    let updates = Box::new(TaskUpdates::of(task, fields));
    ServerEvent::TaskUpdated {
        task_id: task.id,
        updates,
        updated_by,
        version: task.version,
    }
}

pub(in crate::room) fn moved(
    task: &Task,
    from_status: Status,
    new_index: u64,
    moved_by: UserBrief,
) -> ServerEvent {
    ServerEvent::TaskMoved {
        project_id: task.project,
        task_id: task.id,
        from_status,
        to_status: task.status.clone(),
        new_index,
        position: task.position.clone(),
        version: task.version,
        moved_by,
    }
}
