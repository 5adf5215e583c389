//! The newest-first list of a project's tasks.

use collabflow_actors::store::{StoreError, TaskCursor, TaskPage, TaskQuery};
use collabflow_protocol::{
    id::{ProjectId, TaskId},
    model::Task,
    time::Timestamp,
};
use mongodb::bson::{Bson, Document, doc};

use super::{
    column,
    db::{Db, names},
    fields::{Fields, date, oid},
    task,
};

pub(super) async fn page(
    db: &Db,
    project: ProjectId,
    query: &TaskQuery,
) -> Result<TaskPage, StoreError> {
    // One more tells whether there is more.
    let wanted = query.limit.map(|limit| limit as usize + 1);
    let mut stored = Vec::new();
    for (part, order) in parts(query.after) {
        let left = wanted.map(|wanted| wanted - stored.len());
        if left == Some(0) {
            break;
        }
        let mut filter = filter(project, query);
        filter.extend(part);
        stored.extend(find(db, filter, order, left).await?);
    }
    let more = wanted.is_some_and(|wanted| stored.len() == wanted);
    if more {
        stored.pop();
    }
    let next = stored.last().filter(|_| more).and_then(cursor);
    Ok(TaskPage {
        tasks: task::show(db, &stored).await?,
        next,
    })
}

async fn find(
    db: &Db,
    filter: Document,
    order: Document,
    limit: Option<usize>,
) -> Result<Vec<Document>, StoreError> {
    let collection = db.collection(names::TASKS);
    let mut call = collection.find(filter).sort(order);
    if let Some(limit) = limit {
        call = call.limit(i64::try_from(limit).unwrap_or(i64::MAX));
    }
    db.list(call).await
}

fn filter(project: ProjectId, query: &TaskQuery) -> Document {
    let mut filter = match &query.status {
        Some(status) => column::filter(project, status),
        None => doc! { "project": oid(project) },
    };
    if let Some(assignee) = query.assignee {
        filter.insert("assignee", oid(assignee));
    }
    filter
}

/// The list after a cursor: first the tasks that say when they were made, then those that do not.
fn parts(after: Option<TaskCursor>) -> Vec<(Document, Document)> {
    let is_date = doc! { "$type": "date" };
    let newest = doc! { "createdAt": -1, "_id": -1 };
    let mut undated = doc! { "createdAt": { "$not": &is_date } };
    let dated = match after {
        None => doc! { "createdAt": is_date },
        Some(after) => {
            let id = doc! { "$lt": oid(after.id) };
            if Some(after.created_at) == beginning() {
                undated.insert("_id", id);
                return vec![(undated, doc! { "_id": -1 })];
            }
            let at = date(after.created_at);
            let (older, twin) = (doc! { "$lt": at }, doc! { "createdAt": at, "_id": id });
            doc! { "$or": [{ "createdAt": older }, twin] }
        }
    };
    vec![(dated, newest), (undated, doc! { "_id": -1 })]
}

/// A cursor among tasks that do not say when they were made is at the beginning of time.
fn cursor(last: &Document) -> Option<TaskCursor> {
    let is_dated = matches!(last.get("createdAt"), Some(Bson::DateTime(_)));
    let at = last.time("createdAt").filter(|_| is_dated);
    Some(TaskCursor {
        created_at: at.or_else(beginning)?,
        id: last.id("_id")?,
    })
}

fn beginning() -> Option<Timestamp> {
    Timestamp::from_millis(0).ok()
}

pub(super) async fn placed(db: &Db, id: TaskId) -> Result<Option<(Task, u64)>, StoreError> {
    let Some(task) = task::find(db, id).await? else {
        return Ok(None);
    };
    let index = column::index(db, &task).await?;
    Ok(Some((task, index)))
}
