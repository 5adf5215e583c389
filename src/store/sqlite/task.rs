//! Tasks: one document read, made, changed, moved, deleted.

use collabflow_actors::store::{
    CreateOutcome, Moved, NewTask, TaskChange, TaskMove, TaskOutcome, apply_move, apply_patch,
    is_stale, new_task, newly_assigned,
};
use collabflow_protocol::{
    id::{ProjectId, TaskId, UserId},
    model::{Position, Priority, Status, Task},
};
use rusqlite::{Connection, Result, named_params, params};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    member, once, project,
    row::{Columns, one, run},
    task_list, user,
};

macro_rules! select_task {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.title, t.description, t.status, t.priority, a.id, a.name, a.email,
                a.avatar, t.project, t.workspace, t.due_date, t.subtasks, t.labels, c.id, c.name,
                c.email, t.position, t.version, t.created_at, t.updated_at
            FROM tasks t
            LEFT JOIN users a ON a.id = t.assignee LEFT JOIN users c ON c.id = t.created_by ",
            $rest
        )
    };
}
pub(super) use select_task;

pub(super) fn read(columns: &mut Columns<'_>) -> Result<Task> {
    Ok(Task {
        id: columns.id()?,
        title: columns.value()?,
        description: columns.value()?,
        status: Status::stored(&columns.value::<String>()?),
        priority: Priority::stored(&columns.value::<String>()?),
        assignee: columns.user()?,
        project: columns.id()?,
        workspace: columns.id()?,
        due_date: columns.maybe_time()?,
        subtasks: parsed(&columns.value::<String>()?),
        labels: parsed(&columns.value::<String>()?),
        created_by: columns.user_brief()?,
        position: Position::stored(columns.value::<String>()?),
        version: columns.value::<i64>()?.unsigned_abs(),
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// A value as JSON text.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("documents have text keys and finite numbers")
}

/// A list that cannot be read is shown empty: one odd task never makes a list of tasks fail.
fn parsed<T: DeserializeOwned>(text: &str) -> Vec<T> {
    serde_json::from_str(text).unwrap_or_default()
}

pub(super) fn find(db: &Connection, id: TaskId) -> Result<Option<Task>> {
    let sql = select_task!("WHERE t.id = ?1");
    one(db, sql, [id.0.bytes()], read)
}

fn find_in(db: &Connection, project: ProjectId, id: TaskId) -> Result<Option<Task>> {
    Ok(find(db, id)?.filter(|task| task.project == project))
}

pub(super) fn create(db: &Connection, new: NewTask) -> Result<CreateOutcome> {
    let once = new.once.clone();
    if let Some(once) = &once
        && let Some(first) = once::find(db, once, new.now)?
    {
        return Ok(if first.project == new.project {
            CreateOutcome::Repeated(Box::new(first))
        } else {
            CreateOutcome::KeyTaken
        });
    }
    let Some(workspace) = project::workspace_of(db, new.project)? else {
        return Ok(CreateOutcome::NoProject);
    };
    let (assignee, creator, now) = (new.draft.assignee, new.creator, new.now);
    if let Some(assignee) = assignee
        && !member::is_member(db, new.project.0, assignee)?
    {
        return Ok(CreateOutcome::NotMember);
    }
    let top = task_list::top(db, new.project, &new.draft.status)?;
    let shown = maybe_user(db, assignee)?;
    let made_by = user::find(db, creator)?.map(Into::into);
    let task = new_task(new, workspace, top.as_ref(), shown, made_by);
    insert(db, &task, assignee, creator)?;
    if let Some(once) = &once {
        once::remember(db, once, &task, now)?;
    }
    Ok(CreateOutcome::Created(Box::new(task)))
}

/// The references are given apart: a populated one that leads nowhere has lost its id.
fn insert(db: &Connection, task: &Task, assignee: Option<UserId>, creator: UserId) -> Result<()> {
    let sql = "INSERT INTO tasks (id, title, description, status, priority, assignee, project,
            workspace, due_date, subtasks, labels, created_by, position, version, created_at,
            updated_at)
        VALUES (:id, :title, :description, :status, :priority, :assignee, :project, :workspace,
            :due_date, :subtasks, :labels, :created_by, :position, 1, :now, :now)";
    let params = named_params! {
        ":id": task.id.0.bytes(),
        ":title": task.title,
        ":description": task.description,
        ":status": task.status.as_str(),
        ":priority": task.priority.as_str(),
        ":assignee": assignee.map(|id| id.0.bytes()),
        ":project": task.project.0.bytes(),
        ":workspace": task.workspace.0.bytes(),
        ":due_date": task.due_date.map(|date| date.millis()),
        ":subtasks": json(&task.subtasks),
        ":labels": json(&task.labels),
        ":created_by": creator.0.bytes(),
        ":position": task.position.as_str(),
        ":now": task.created_at.millis(),
    };
    run(db, sql, params).map(drop)
}

pub(super) fn update(db: &Connection, change: &TaskChange) -> Result<TaskOutcome> {
    let Some(before) = find_in(db, change.project, change.id)? else {
        return Ok(TaskOutcome::NotFound);
    };
    if is_stale(&before, change.expected) {
        return Ok(TaskOutcome::Conflict(Box::new(before)));
    }
    let assigned = newly_assigned(&before, &change.patch);
    if let Some(user) = assigned
        && !member::is_member(db, change.project.0, user)?
    {
        return Ok(TaskOutcome::NotMember);
    }
    let assignee = maybe_user(db, assigned)?;
    let end = match &change.patch.status {
        Some(status) => task_list::end(db, change.project, status)?,
        None => None,
    };
    let Some(after) = apply_patch(&before, change, assignee, end.as_ref()) else {
        return Ok(TaskOutcome::Unchanged(Box::new(before)));
    };
    replace(db, &before, &after)?;
    Ok(TaskOutcome::Changed {
        base: before.version,
        index: task_list::index(db, &after)?,
        before: Box::new(before),
        after: Box::new(after),
    })
}

pub(super) fn relocate(db: &Connection, change: &TaskMove) -> Result<TaskOutcome> {
    let Some(before) = find_in(db, change.project, change.id)? else {
        return Ok(TaskOutcome::NotFound);
    };
    if is_stale(&before, change.expected) {
        return Ok(TaskOutcome::Conflict(Box::new(before)));
    }
    let column = task_list::column(db, change.project, &change.to, change.id)?;
    let Moved::To(after, index) = apply_move(&before, change, &column) else {
        return Ok(TaskOutcome::Unchanged(Box::new(before)));
    };
    replace(db, &before, &after)?;
    Ok(TaskOutcome::Changed {
        base: before.version,
        before: Box::new(before),
        after,
        index: index as u64,
    })
}

/// Writes what a change can change. An assignee that was not changed stays, even if it leads nowhere.
fn replace(db: &Connection, before: &Task, after: &Task) -> Result<()> {
    let sql = "UPDATE tasks SET title = :title, description = :description, status = :status,
            priority = :priority, due_date = :due_date, subtasks = :subtasks, labels = :labels,
            position = :position, version = :version, updated_at = :updated_at,
            assignee = CASE WHEN :reassigned THEN :assignee ELSE assignee END
        WHERE id = :id";
    let params = named_params! {
        ":id": after.id.0.bytes(),
        ":title": after.title,
        ":description": after.description,
        ":status": after.status.as_str(),
        ":priority": after.priority.as_str(),
        ":due_date": after.due_date.map(|date| date.millis()),
        ":subtasks": json(&after.subtasks),
        ":labels": json(&after.labels),
        ":position": after.position.as_str(),
        ":version": i64::try_from(after.version).unwrap_or(i64::MAX),
        ":updated_at": after.updated_at.millis(),
        ":reassigned": before.assignee != after.assignee,
        ":assignee": after.assignee.as_ref().map(|user| user.id.0.bytes()),
    };
    run(db, sql, params).map(drop)
}

pub(super) fn delete(db: &Connection, project: ProjectId, id: TaskId) -> Result<Option<Task>> {
    let Some(task) = find_in(db, project, id)? else {
        return Ok(None);
    };
    run(db, "DELETE FROM tasks WHERE id = ?1", params![id.0.bytes()])?;
    Ok(Some(task))
}

fn maybe_user(
    db: &Connection,
    id: Option<UserId>,
) -> Result<Option<collabflow_protocol::model::User>> {
    id.map_or(Ok(None), |id| user::find(db, id))
}
