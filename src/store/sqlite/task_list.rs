//! Reading tasks in an order: the newest-first list, and the columns of the board.

use collabflow_actors::store::{TaskCursor, TaskPage, TaskQuery};
use collabflow_protocol::{
    id::{ProjectId, TaskId},
    model::{Position, Status, Task},
};
use rusqlite::{Connection, Result, named_params, params};

use super::{
    row::{Columns, all, one},
    task::{self, select_task},
};

pub(super) fn page(db: &Connection, project: ProjectId, query: &TaskQuery) -> Result<TaskPage> {
    let sql = select_task!(
        "WHERE t.project = :project
            AND (t.created_at, t.id) < (:created_at, :id)
            AND (:status IS NULL OR t.status = :status)
            AND (:assignee IS NULL OR t.assignee = :assignee)
        ORDER BY t.created_at DESC, t.id DESC LIMIT :limit"
    );
    // Without a cursor the list begins below a time that no task has.
    let (created_at, id) = query.after.map_or((i64::MAX, [0; 12]), |cursor| {
        (cursor.created_at.millis(), cursor.id.0.bytes())
    });
    let params = named_params! {
        ":project": project.0.bytes(),
        ":created_at": created_at,
        ":id": id,
        ":status": query.status.as_ref().map(Status::as_str),
        ":assignee": query.assignee.map(|id| id.0.bytes()),
        // One more tells whether there is more; -1 is no limit.
        ":limit": query.limit.map_or(-1, |limit| i64::from(limit) + 1),
    };
    let mut tasks = all(db, sql, params, task::read)?;
    let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
    let more = tasks.len() > limit;
    tasks.truncate(limit);
    let next = tasks.last().filter(|_| more).map(|last| TaskCursor {
        created_at: last.created_at,
        id: last.id,
    });
    Ok(TaskPage { tasks, next })
}

pub(super) fn placed(db: &Connection, id: TaskId) -> Result<Option<(Task, u64)>> {
    let Some(task) = task::find(db, id)? else {
        return Ok(None);
    };
    let index = index(db, &task)?;
    Ok(Some((task, index)))
}

/// The index of a task in its column.
pub(super) fn index(db: &Connection, task: &Task) -> Result<u64> {
    let sql = "SELECT count(*) FROM tasks
        WHERE project = ?1 AND status = ?2 AND (position, id) < (?3, ?4)";
    let params = params![
        task.project.0.bytes(),
        task.status.as_str(),
        task.position.as_str(),
        task.id.0.bytes(),
    ];
    let count: Option<i64> = one(db, sql, params, |columns| columns.value())?;
    Ok(count.map_or(0, i64::unsigned_abs))
}

/// A column in its order, without one task.
pub(super) fn column(
    db: &Connection,
    project: ProjectId,
    status: &Status,
    without: TaskId,
) -> Result<Vec<(Position, TaskId)>> {
    let sql = "SELECT position, id FROM tasks
        WHERE project = ?1 AND status = ?2 AND id <> ?3 ORDER BY position, id";
    let params = params![project.0.bytes(), status.as_str(), without.0.bytes()];
    all(db, sql, params, |columns| {
        Ok((position(columns)?, columns.id()?))
    })
}

/// The first position of a column.
pub(super) fn top(
    db: &Connection,
    project: ProjectId,
    status: &Status,
) -> Result<Option<Position>> {
    let sql = "SELECT position FROM tasks
        WHERE project = ?1 AND status = ?2 ORDER BY position LIMIT 1";
    one(
        db,
        sql,
        params![project.0.bytes(), status.as_str()],
        position,
    )
}

/// The last position of a column.
pub(super) fn end(
    db: &Connection,
    project: ProjectId,
    status: &Status,
) -> Result<Option<Position>> {
    let sql = "SELECT position FROM tasks
        WHERE project = ?1 AND status = ?2 ORDER BY position DESC LIMIT 1";
    one(
        db,
        sql,
        params![project.0.bytes(), status.as_str()],
        position,
    )
}

fn position(columns: &mut Columns<'_>) -> Result<Position> {
    Ok(Position::stored(columns.value::<String>()?))
}
