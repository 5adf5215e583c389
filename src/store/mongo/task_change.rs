//! Changes of tasks: each is one atomic operation on one document, and touches the fields alone that it changes.
//!
//! Its filter has the version and the time of the last change as they were read. Mongoose raises the time and not the
//! version, and sets the fields alone that it changes, so no two writers lose what only one of them has changed.

use collabflow_actors::store::{
    Moved, StoreError, TaskChange, TaskMove, TaskOutcome, apply_move, apply_patch, is_stale,
    newly_assigned,
};
use collabflow_protocol::{
    id::{ProjectId, TaskId, UserId},
    model::{Task, TaskField},
    time::Timestamp,
};
use mongodb::bson::{Bson, Document, doc};
use tokio::time::Instant;

use super::{
    announced, column,
    db::{Db, names},
    fields::{Fields, date, oid, raise_list_version},
    gone, marks,
    operation::{Found, Operation, filter, settle},
    people::People,
    project, roster, task,
};

/// What must be as it was read.
const GUARDS: [&str; 3] = ["project", "version", "updatedAt"];

/// A task that is to be changed.
enum Begun {
    /// As it is stored and shown, with the people that it and the change name.
    From(Box<(Document, Task, People)>),
    /// What became of it already.
    Ended(TaskOutcome),
}

async fn begin(
    db: &Db,
    operation: &mut Operation,
    within: ProjectId,
    id: TaskId,
    expected: Option<u64>,
    named: Option<UserId>,
) -> Result<Begun, StoreError> {
    let stored = match operation
        .read(names::TASKS, doc! { "_id": oid(id) })
        .await?
    {
        Found::Missing => return Ok(Begun::Ended(TaskOutcome::NotFound)),
        Found::Done(before, after) => {
            return changed(db, &before, &after).await.map(Begun::Ended);
        }
        // An id may be stored as text.
        Found::Fresh(stored) if stored.id("project") == Some(within) => stored,
        Found::Fresh(_) => return Ok(Begun::Ended(TaskOutcome::NotFound)),
    };
    let people = People::find(db, task::people_of(&stored).chain(named)).await?;
    let Some(before) = task::read(&stored, &people) else {
        return Ok(Begun::Ended(TaskOutcome::NotFound));
    };
    if is_stale(&before, expected) {
        return Ok(Begun::Ended(TaskOutcome::Conflict(Box::new(before))));
    }
    Ok(Begun::From(Box::new((stored, before, people))))
}

pub(super) async fn update(
    db: &Db,
    deadline: Instant,
    change: &TaskChange,
) -> Result<TaskOutcome, StoreError> {
    settle!(db, deadline, operation => {
        let named = change.patch.assignee.flatten();
        let begun = begin(db, operation, change.project, change.id, change.expected, named).await?;
        let (stored, before, people) = match begun {
            Begun::From(begun) => *begun,
            Begun::Ended(outcome) => return Ok(Some(outcome)),
        };
        let assigned = newly_assigned(&before, &change.patch);
        if let Some(user) = assigned
            && !is_member(db, change.project, user).await?
        {
            return Ok(Some(TaskOutcome::NotMember));
        }
        let end = match &change.patch.status {
            Some(status) if *status != before.status => {
                column::end(db, change.project, status).await?
            }
            _ => None,
        };
        let after = apply_patch(&before, change, people.get(assigned), end.as_ref());
        let Some(after) = after else {
            let named = change.patch.named();
            let named = change.announces.then_some((named.as_slice(), change.now));
            return unchanged(db, operation, (stored, before), named).await;
        };
        write(db, operation, (&stored, &before, &people), &after).await
    })
}

pub(super) async fn relocate(
    db: &Db,
    deadline: Instant,
    change: &TaskMove,
) -> Result<TaskOutcome, StoreError> {
    settle!(db, deadline, operation => {
        let begun = begin(db, operation, change.project, change.id, change.expected, None).await?;
        let (stored, before, people) = match begun {
            Begun::From(begun) => *begun,
            Begun::Ended(outcome) => return Ok(Some(outcome)),
        };
        let column = column::read(db, change.project, &change.to, change.id).await?;
        match apply_move(&before, change, &column) {
            Moved::Stays => {
                let named = change.announces.then_some((&[TaskField::Status][..], change.now));
                unchanged(db, operation, (stored, before), named).await
            }
            Moved::To(after, _) => {
                write(db, operation, (&stored, &before, &people), &after).await
            }
        }
    })
}

/// What changes nothing announces what is news; `None` where somebody came between.
async fn unchanged(
    db: &Db,
    operation: &mut Operation,
    (stored, before): (Document, Task),
    named: Option<(&[TaskField], Timestamp)>,
) -> Result<Option<TaskOutcome>, StoreError> {
    let news = named.map_or_else(Vec::new, |(named, now)| {
        announced::news(&stored, named, now)
    });
    if news.is_empty() {
        return Ok(Some(TaskOutcome::Unchanged(Box::new(before))));
    }
    let Some(after) = announced::claim_news(operation, &stored, &news).await? else {
        return Ok(None);
    };
    let shown = task::show(db, &[after]).await?.pop();
    let task = shown.ok_or_else(|| StoreError::Failed("a task lost its id".into()))?;
    Ok(Some(TaskOutcome::News {
        index: column::index(db, &task).await?,
        task: Box::new(task),
        news,
    }))
}

/// `None` where somebody came between.
async fn write(
    db: &Db,
    operation: &mut Operation,
    (stored, before, people): (&Document, &Task, &People),
    after: &Task,
) -> Result<Option<TaskOutcome>, StoreError> {
    let update = update_of(stored, before, after);
    let now = operation
        .update(names::TASKS, stored, &GUARDS, update)
        .await?;
    match now {
        Some(now) => shown(db, stored, &now, people).await.map(Some),
        None => Ok(None),
    }
}

/// The update that makes the one task of the other.
fn update_of(stored: &Document, before: &Task, after: &Task) -> Document {
    let mut fields = TaskField::changed(before, after);
    let (mut set, mut unset, mut has_list) = (Document::new(), Document::new(), false);
    for field in &fields {
        has_list |= matches!(field, TaskField::Subtasks | TaskField::Labels);
        match value_of(*field, stored, after) {
            Some(value) => drop(set.insert(marks::name(*field), value)),
            None => drop(unset.insert(marks::name(*field), "")),
        }
    }
    // Whoever hears of a new place hears of the column too.
    if fields.contains(&TaskField::Position) && !fields.contains(&TaskField::Status) {
        fields.push(TaskField::Status);
    }
    let updated_at = Bson::DateTime(date(after.updated_at));
    let marked = marks::to_set(stored, &fields, after.updated_at, |field| {
        set.get(field)
            .or_else(|| stored.get(field).filter(|_| !unset.contains_key(field)))
    });
    marks::set(&mut set, marked, Some(&updated_at));
    set.insert("position", after.position.as_str());
    set.insert("version", task::as_number(after.version));
    set.insert("updatedAt", updated_at);
    let mut update = doc! { "$set": set };
    if !unset.is_empty() {
        update.insert("$unset", unset);
    }
    if has_list {
        raise_list_version(stored, &mut update);
    }
    update
}

/// A field of a task as it is stored; `None` is without it.
fn value_of(field: TaskField, before: &Document, after: &Task) -> Option<Bson> {
    Some(match field {
        TaskField::Title => after.title.as_str().into(),
        TaskField::Description => after.description.as_deref()?.into(),
        TaskField::Status => after.status.as_str().into(),
        TaskField::Priority => after.priority.as_str().into(),
        TaskField::Assignee => oid(after.assignee.as_ref()?.id).into(),
        TaskField::DueDate => date(after.due_date?).into(),
        TaskField::Subtasks => task::stored_subtasks(before, &after.subtasks),
        TaskField::Labels => task::stored_labels(before, &after.labels),
        TaskField::Position => after.position.as_str().into(),
    })
}

async fn changed(db: &Db, before: &Document, after: &Document) -> Result<TaskOutcome, StoreError> {
    let people = task::people_of(before).chain(task::people_of(after));
    let people = People::find(db, people).await?;
    shown(db, before, after, &people).await
}

async fn shown(
    db: &Db,
    before: &Document,
    after: &Document,
    people: &People,
) -> Result<TaskOutcome, StoreError> {
    let base = marks::base(before);
    let both = task::read(before, people).zip(task::read(after, people));
    let (before, after) = both.ok_or_else(|| StoreError::Failed("a task lost its id".into()))?;
    Ok(TaskOutcome::Changed {
        base,
        index: column::index(db, &after).await?,
        before: Box::new(before),
        after: Box::new(after),
    })
}

pub(super) async fn is_member(
    db: &Db,
    project: ProjectId,
    user: UserId,
) -> Result<bool, StoreError> {
    let stored = project::find_stored(db, project).await?;
    Ok(stored.is_some_and(|stored| roster::roles(&stored).contains_key(&user)))
}

pub(super) async fn delete(
    db: &Db,
    deadline: Instant,
    within: ProjectId,
    id: TaskId,
) -> Result<Option<Task>, StoreError> {
    // That it is told is remembered before it happens: who watches the database must not tell it too.
    let (mut deleted, mut has_tried) = (None, false);
    settle!(db, deadline, operation => {
        let found = db.find(names::TASKS, doc! { "_id": oid(id) }).await?;
        if let Some(stored) = found.filter(|stored| stored.id("project") == Some(within)) {
            let filter = filter(&stored, &["project"]);
            deleted = task::show(db, &[stored]).await?.pop();
            gone::remember(operation, &[oid(id)]).await?;
            let tasks = db.collection(names::TASKS);
            let has_tried = std::mem::replace(&mut has_tried, true);
            let answer = operation.write(tasks.delete_one(filter)).await?;
            if answer.deleted_count == 0 && !has_tried {
                // Somebody else was first, and has not told it.
                gone::forget(db, operation, oid(id)).await?;
                deleted = None;
            }
        }
        Ok(Some(deleted.take()))
    })
}
