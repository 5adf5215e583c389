//! The columns of the board, in their order: by stored position, or by the virtual one of a task that has none.

use collabflow_actors::store::StoreError;
use collabflow_protocol::{
    id::{ProjectId, TaskId},
    model::{Position, Status, Task},
};
use mongodb::bson::{Bson, Document, doc};

use super::{
    db::{Db, names},
    fields::{Fields, date, oid},
    task::{Place, place_of_unplaced, position},
};

/// The tasks of a column.
pub(super) fn filter(project: ProjectId, status: &Status) -> Document {
    // Mongoose shows a task without a status as one to do.
    let status = match status {
        Status::Todo => doc! { "$in": [Status::Todo.as_str(), Bson::Null] }.into(),
        status => Bson::from(status.as_str()),
    };
    doc! { "project": oid(project), "status": status }
}

/// What tells a task's place.
fn place() -> Document {
    doc! { "position": 1, "createdAt": 1 }
}

/// A column in its order, without one task.
pub(super) async fn read(
    db: &Db,
    project: ProjectId,
    status: &Status,
    without: TaskId,
) -> Result<Vec<(Position, TaskId)>, StoreError> {
    let collection = db.collection(names::TASKS);
    let call = collection.find(filter(project, status)).projection(place());
    let stored = db.list(call).await?;
    let mut column: Vec<_> = stored
        .iter()
        .filter_map(|one| Some((position(one), one.id("_id")?)))
        .filter(|(_, id)| *id != without)
        .collect();
    column.sort_unstable();
    Ok(column)
}

/// The first position of a column.
pub(super) async fn top(
    db: &Db,
    project: ProjectId,
    status: &Status,
) -> Result<Option<Position>, StoreError> {
    let newest = doc! { "createdAt": -1, "_id": -1 };
    let (placed, unplaced) = ends(db, project, status, 1, newest).await?;
    Ok(placed.into_iter().chain(unplaced).min())
}

/// The last position of a column.
pub(super) async fn end(
    db: &Db,
    project: ProjectId,
    status: &Status,
) -> Result<Option<Position>, StoreError> {
    let oldest = doc! { "createdAt": 1, "_id": 1 };
    let (placed, unplaced) = ends(db, project, status, -1, oldest).await?;
    Ok(placed.into_iter().chain(unplaced).max())
}

/// One end of those that have a place, and of those that have none.
async fn ends(
    db: &Db,
    project: ProjectId,
    status: &Status,
    direction: i32,
    by_age: Document,
) -> Result<(Option<Position>, Option<Position>), StoreError> {
    let tasks = db.collection(names::TASKS);
    let mut placed = filter(project, status);
    placed.insert("position", doc! { "$gte": "" });
    let mut unplaced = filter(project, status);
    unplaced.insert("position", Bson::Null);
    let placed = tasks
        .find_one(placed)
        .sort(doc! { "position": direction })
        .projection(place());
    let unplaced = tasks.find_one(unplaced).sort(by_age).projection(place());
    let (placed, unplaced) = futures_util::try_join!(db.read(placed), db.read(unplaced))?;
    Ok((
        placed.as_ref().map(position),
        unplaced.as_ref().map(position),
    ))
}

/// The index of a task in its column. Those that have no place are counted by when they were made.
pub(super) async fn index(db: &Db, task: &Task) -> Result<u64, StoreError> {
    let tasks = db.collection(names::TASKS);
    let key = task.position.as_str();
    let mut above = filter(task.project, &task.status);
    above.insert(
        "$or",
        [
            doc! { "position": { "$gte": "", "$lt": key } },
            doc! { "position": key, "_id": { "$lt": oid(task.id) } },
        ],
    );
    let above = db.read(tasks.count_documents(above));
    let (above, unplaced) = futures_util::try_join!(above, unplaced_above(db, task))?;
    Ok(above + unplaced)
}

async fn unplaced_above(db: &Db, task: &Task) -> Result<u64, StoreError> {
    let tasks = db.collection(names::TASKS);
    let mut unplaced = filter(task.project, &task.status);
    unplaced.insert("position", Bson::Null);
    let made_at = match place_of_unplaced(&task.position) {
        Place::Before => return Ok(0),
        Place::After => return db.read(tasks.count_documents(unplaced)).await,
        Place::At(time) => date(time),
    };
    let (mut newer, mut close) = (unplaced.clone(), unplaced);
    newer.insert("createdAt", doc! { "$gt": made_at });
    close.insert(
        "$or",
        [
            doc! { "createdAt": made_at },
            doc! { "createdAt": { "$not": { "$type": "date" } } },
        ],
    );
    let (newer, close) = futures_util::try_join!(
        db.read(tasks.count_documents(newer)),
        db.list(tasks.find(close).projection(place())),
    )?;
    let close = close.iter().filter(|one| position(one) < task.position);
    Ok(newer + close.count() as u64)
}
