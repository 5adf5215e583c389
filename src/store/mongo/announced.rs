//! What somebody announces that another program has stored: claimed once, by whoever is to tell it.
//!
//! The claim is written to the task: its version grows by one, and its marks say what has been told. So it is told once
//! over all nodes and restarts.

use collabflow_actors::store::{Announced, Claim, StoreError};
use collabflow_protocol::{
    id::{ProjectId, TaskId},
    model::TaskField,
    time::Timestamp,
};
use mongodb::bson::{Document, doc};
use tokio::time::Instant;

use super::{
    column,
    db::{Db, names},
    fields::{Fields, oid},
    gone, marks,
    operation::{Found, Operation, settle},
    task,
};

const GUARDS: [&str; 2] = ["version", "updatedAt"];

pub(super) async fn claim(
    db: &Db,
    deadline: Instant,
    (project, id): (ProjectId, TaskId),
    claim: &Claim,
    now: Timestamp,
) -> Result<Announced, StoreError> {
    settle!(db, deadline, operation => {
        let stored = match operation.read(names::TASKS, doc! { "_id": oid(id) }).await? {
            Found::Fresh(stored) => stored,
            Found::Done(before, after) => {
                return found(db, &after, claimed(&before, claim, now)).await.map(Some);
            }
            Found::Missing => {
                let is_news = match claim {
                    Claim::Deleted => gone::claim(operation, oid(id)).await?,
                    Claim::Fields(_) | Claim::Seen => false,
                };
                return Ok(Some(Announced::Gone { is_news }));
            }
        };
        let news = if stored.id("project") == Some(project) {
            claimed(&stored, claim, now)
        } else {
            Vec::new()
        };
        if news.is_empty() {
            return found(db, &stored, news).await.map(Some);
        }
        match claim_news(operation, &stored, &news).await? {
            Some(after) => found(db, &after, news).await.map(Some),
            None => Ok(None),
        }
    })
}

fn claimed(stored: &Document, claim: &Claim, now: Timestamp) -> Vec<TaskField> {
    match claim {
        Claim::Fields(named) => news(stored, named, now),
        Claim::Seen => marks::untold(stored, &TaskField::ALL),
        Claim::Deleted => Vec::new(),
    }
}

/// What is to be told of a task whose author names these fields.
pub(super) fn news(stored: &Document, named: &[TaskField], now: Timestamp) -> Vec<TaskField> {
    if marks::is_news(stored, now) {
        marks::untold(stored, named)
    } else {
        Vec::new()
    }
}

/// Writes that these are told; the time of the last change stays the other program's. `None` where somebody came between.
pub(super) async fn claim_news(
    operation: &mut Operation,
    stored: &Document,
    news: &[TaskField],
) -> Result<Option<Document>, StoreError> {
    let mut set = doc! {
        "position": task::position(stored).as_str(),
        "version": task::as_number(marks::version(stored).saturating_add(1)),
    };
    let told = marks::to_set(stored, news, stored.changed_at(), |field| stored.get(field));
    marks::set(&mut set, told, stored.get("updatedAt"));
    let update = doc! { "$set": set };
    operation
        .update(names::TASKS, stored, &GUARDS, update)
        .await
}

async fn found(db: &Db, stored: &Document, news: Vec<TaskField>) -> Result<Announced, StoreError> {
    let shown = task::show(db, std::slice::from_ref(stored)).await?.pop();
    let Some(task) = shown else {
        return Ok(Announced::Gone { is_news: false });
    };
    Ok(Announced::Stored {
        index: column::index(db, &task).await?,
        task: Box::new(task),
        news,
    })
}
