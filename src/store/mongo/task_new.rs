//! New tasks, and the keys by which a repeated request for one is known for a day.
//!
//! The key is stored first, with the document that it makes: a task that a crash has left out is added by the next call
//! with its key.

use collabflow_actors::store::{
    CreateOutcome, NewTask, ONCE_WINDOW, Once, OnceKind, StoreError, new_task,
};
use collabflow_protocol::{id::TaskId, model::Task};
use mongodb::bson::{Document, doc};
use tokio::time::Instant;

use super::{
    column,
    db::{Db, names},
    fields::{Fields, date},
    gone::{KEPT_UNTIL, kept_until},
    operation::{Inserted, OURS, Operation, settle},
    people::People,
    project, roster, task,
};

/// The task's document as it was made.
const MADE: &str = "made";
/// Whether it is stored: else the next call with the key does it.
const IS_STORED: &str = "isStored";

pub(super) async fn create(
    db: &Db,
    deadline: Instant,
    new: &NewTask,
) -> Result<CreateOutcome, StoreError> {
    // Every try is of this one: what is told of its place is what is stored.
    let mut made = None;
    settle!(db, deadline, operation => {
        if let Some(once) = &new.once
            && let Some(outcome) = repeated(db, operation, once, new).await?
        {
            return Ok(Some(outcome));
        }
        let Some(within) = project::find_stored(db, new.project).await? else {
            return Ok(Some(CreateOutcome::NoProject));
        };
        let assignee = new.draft.assignee;
        if assignee.is_some_and(|user| !roster::roles(&within).contains_key(&user)) {
            return Ok(Some(CreateOutcome::NotMember));
        }
        let (task, document) = match made.take() {
            Some(made) => made,
            None => make(db, operation, new, &within).await?,
        };
        let (task, document) = &*made.insert((task, document));
        if let Some(once) = &new.once
            && !reserve(operation, once, new, document).await?
        {
            return Ok(None);
        }
        insert(db, operation, new, document).await?;
        Ok(Some(CreateOutcome::Created(Box::new(task.clone()))))
    })
}

/// The task at the top of its column, with its document.
async fn make(
    db: &Db,
    operation: &Operation,
    new: &NewTask,
    within: &Document,
) -> Result<(Task, Document), StoreError> {
    let assignee = new.draft.assignee;
    let (top, people) = futures_util::try_join!(
        column::top(db, new.project, &new.draft.status),
        People::find(db, assignee.into_iter().chain([new.creator])),
    )?;
    let made_by = people.get(Some(new.creator)).map(Into::into);
    let task = new_task(
        new.clone(),
        within.id("workspace").unwrap_or_else(task::nowhere),
        top.as_ref(),
        people.get(assignee),
        made_by,
    );
    let document = task::new_document(&task, assignee, new.creator, operation.mark());
    Ok((task, document))
}

async fn insert(
    db: &Db,
    operation: &mut Operation,
    new: &NewTask,
    document: &Document,
) -> Result<(), StoreError> {
    let inserted = operation.insert(names::TASKS, document).await?;
    let Some(once) = &new.once else {
        return refuse_taken(inserted, new.id);
    };
    let keys = db.collection(names::ONCE);
    let key = doc! { "_id": key(once) };
    if inserted == Inserted::Taken {
        operation.write(keys.delete_one(key)).await?;
        return refuse_taken(inserted, new.id);
    }
    let stored = doc! { "$set": { IS_STORED: true } };
    operation
        .write(keys.update_one(key, stored))
        .await
        .map(drop)
}

fn refuse_taken(inserted: Inserted, id: TaskId) -> Result<(), StoreError> {
    match inserted {
        Inserted::Yes => Ok(()),
        Inserted::Taken => Err(StoreError::Failed(format!("task {id} is there already"))),
    }
}

fn key(once: &Once) -> String {
    let kind = match once.kind {
        OnceKind::Header => "header",
        OnceKind::ClientId => "client",
    };
    format!("{}:{kind}:{}", once.user, once.key)
}

/// What an earlier call with the key has made, if there was one within the window.
async fn repeated(
    db: &Db,
    operation: &mut Operation,
    once: &Once,
    new: &NewTask,
) -> Result<Option<CreateOutcome>, StoreError> {
    let Some(first) = db.find(names::ONCE, doc! { "_id": key(once) }).await? else {
        return Ok(None);
    };
    let window = i64::try_from(ONCE_WINDOW.as_millis()).unwrap_or(i64::MAX);
    let is_known = first
        .time("at")
        .is_some_and(|at| at.millis() > new.now.millis().saturating_sub(window));
    let (true, Ok(made)) = (is_known, first.get_document(MADE)) else {
        let keys = db.collection(names::ONCE);
        let old = doc! { "_id": key(once), "at": first.get("at") };
        operation.write(keys.delete_one(old)).await?;
        return Ok(None);
    };
    if made.id("project") != Some(new.project) {
        return Ok(Some(CreateOutcome::KeyTaken));
    }
    // A try of this very call, whose answer was lost.
    let is_own = made.id("_id") == Some(new.id);
    if !first.flag(IS_STORED).unwrap_or(false) {
        let inserted = operation.insert(names::TASKS, made).await?;
        if is_own {
            refuse_taken(inserted, new.id)?;
        }
        let keys = db.collection(names::ONCE);
        let is_stored = doc! { "$set": { IS_STORED: true } };
        let stored = keys.update_one(doc! { "_id": key(once) }, is_stored);
        operation.write(stored).await?;
    }
    let now = match made.id::<TaskId>("_id") {
        Some(id) => task::find(db, id).await?,
        None => None,
    };
    let shown = match now {
        Some(task) => Some(task),
        None => task::show(db, std::slice::from_ref(made)).await?.pop(),
    };
    Ok(shown.map(Box::new).map(|task| {
        if is_own {
            CreateOutcome::Created(task)
        } else {
            CreateOutcome::Repeated(task)
        }
    }))
}

/// Stores the key with what it makes; or says that another call was first.
async fn reserve(
    operation: &mut Operation,
    once: &Once,
    new: &NewTask,
    made: &Document,
) -> Result<bool, StoreError> {
    let document = doc! {
        "_id": key(once),
        "at": date(new.now),
        MADE: made,
        IS_STORED: false,
        KEPT_UNTIL: kept_until(ONCE_WINDOW),
        OURS: operation.mark(),
    };
    Ok(operation.insert(names::ONCE, &document).await? == Inserted::Yes)
}
