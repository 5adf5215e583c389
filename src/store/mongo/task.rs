//! Tasks as they are stored, and as they are shown.
//!
//! Mongoose's have no `version` and no `position`: the one reads as 0, the other as a key that is computed from when the
//! task was made ([`virtual_position`]), and both are stored when the task is first changed here.

use collabflow_actors::store::StoreError;
use collabflow_protocol::{
    id::{ObjectId, SubtaskId, TaskId, UserId, WorkspaceId},
    model::{Label, Position, Priority, Status, Subtask, Task},
    time::Timestamp,
};
use mongodb::bson::{Bson, Document, doc, oid};

use super::{
    db::{Db, names},
    fields::{Fields, date, oid},
    marks,
    people::People,
};

/// The task as it is shown; `None` where it is in no project.
pub(super) fn read(stored: &Document, people: &People) -> Option<Task> {
    let id: TaskId = stored.id("_id")?;
    Some(Task {
        id,
        title: stored.owned("title").unwrap_or_default(),
        // Mongoose stores what a page has cleared as an empty text.
        description: stored.owned("description").filter(|text| !text.is_empty()),
        status: stored.text("status").map_or(Status::Todo, Status::stored),
        priority: stored
            .text("priority")
            .map_or(Priority::Medium, Priority::stored),
        assignee: people.get(stored.id("assignee")),
        project: stored.id("project")?,
        workspace: stored.id("workspace").unwrap_or_else(nowhere),
        due_date: stored.time("dueDate"),
        subtasks: subtasks(stored).map(|(subtask, _)| subtask).collect(),
        labels: labels(stored).map(|(label, _)| label).collect(),
        created_by: people.get(stored.id("createdBy")).map(Into::into),
        position: position(stored),
        version: marks::version(stored),
        created_at: stored.made_at(),
        updated_at: stored.changed_at(),
    })
}

/// The workspace of what is in none.
pub(super) const fn nowhere() -> WorkspaceId {
    WorkspaceId(ObjectId::from_bytes([0; 12]))
}

/// Those whom a task names.
pub(super) fn people_of(stored: &Document) -> impl Iterator<Item = UserId> {
    ["assignee", "createdBy"]
        .into_iter()
        .filter_map(|name| stored.id(name))
}

pub(super) async fn show(db: &Db, stored: &[Document]) -> Result<Vec<Task>, StoreError> {
    let people = People::find(db, stored.iter().flat_map(people_of)).await?;
    Ok(stored.iter().filter_map(|one| read(one, &people)).collect())
}

pub(super) async fn find(db: &Db, id: TaskId) -> Result<Option<Task>, StoreError> {
    match db.find(names::TASKS, doc! { "_id": oid(id) }).await? {
        Some(stored) => Ok(show(db, &[stored]).await?.pop()),
        None => Ok(None),
    }
}

pub(super) fn position(stored: &Document) -> Position {
    stored.text("position").map_or_else(
        || virtual_position(stored),
        |position| Position::stored(position.to_owned()),
    )
}

/// A key for a task without one: below those of our own, the newest first, and with room between any two.
///
/// It is the creation time counted down, as the integer of the key (nine digits with head `S`), and the id counted down
/// as its fraction.
fn virtual_position(stored: &Document) -> Position {
    let digits = |mut number: u128, count: usize| {
        let mut digits = vec![b'0'; count];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(number % 62) as usize];
            number /= 62;
        }
        digits
    };
    let millis = u64::try_from(stored.made_at().millis()).unwrap_or(0);
    let latest = latest();
    let id = stored.id_of_document().map_or([0; 12], |id| id.bytes());
    let mut number = [0; 16];
    number[4..].copy_from_slice(&id);
    let first = (1_u128 << 96) - 1 - u128::from_be_bytes(number);
    let mut key = vec![HEAD];
    key.extend(digits(latest.saturating_sub(millis.into()), TIME_DIGITS));
    key.extend(digits(first, ID_DIGITS));
    // No key ends in a zero.
    key.push(b'V');
    Position::stored(String::from_utf8(key).unwrap_or_default())
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEAD: u8 = b'S';
const TIME_DIGITS: usize = 8;
const ID_DIGITS: usize = 17;

const fn latest() -> u128 {
    62_u128.pow(TIME_DIGITS as u32) - 1
}

/// Where a place is among those that are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Before,
    /// Among those of tasks that were made at this time.
    At(Timestamp),
    After,
}

/// Where a place is among those of tasks that have none.
pub(super) fn place_of_unplaced(position: &Position) -> Place {
    let key = position.as_str().as_bytes();
    let Some((head, time)) = key.split_first() else {
        return Place::Before;
    };
    if *head != HEAD {
        return if *head < HEAD {
            Place::Before
        } else {
            Place::After
        };
    }
    // A shorter one is no key of either kind: as if it went on with zeros.
    let mut number = 0_u128;
    for place in 0..TIME_DIGITS {
        let digit = time.get(place).copied().unwrap_or(b'0');
        let value = DIGITS.partition_point(|known| *known < digit) as u128;
        number = number * 62 + value.min(61);
    }
    let millis = i64::try_from(latest().saturating_sub(number)).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis).map_or(Place::Before, Place::At)
}

/// The subtasks with the documents they were read from. One without an id gets one that stays the same.
fn subtasks(stored: &Document) -> impl Iterator<Item = (Subtask, &Document)> {
    let task = stored.id_of_document().unwrap_or_default();
    let entries = stored.list("subtasks").iter().enumerate();
    entries.filter_map(move |(index, entry)| {
        let entry = entry.as_document()?;
        let subtask = Subtask {
            id: entry.id("_id").unwrap_or_else(|| made_up(task, index)),
            title: entry.owned("title").unwrap_or_default(),
            completed: entry.flag("completed").unwrap_or(false),
        };
        Some((subtask, entry))
    })
}

fn made_up(task: oid::ObjectId, index: usize) -> SubtaskId {
    let mut bytes = task.bytes();
    let number = u32::from_be_bytes([0, bytes[9], bytes[10], bytes[11]]);
    let number = number.wrapping_add(1 + u32::try_from(index).unwrap_or(0));
    bytes[9..].copy_from_slice(&number.to_be_bytes()[1..]);
    bytes[4] ^= 0x80;
    SubtaskId(ObjectId::from_bytes(bytes))
}

fn labels(stored: &Document) -> impl Iterator<Item = (Label, &Document)> {
    stored.list("labels").iter().filter_map(|entry| {
        let entry = entry.as_document()?;
        let label = Label {
            name: entry.owned("name").unwrap_or_default(),
            color: entry.owned("color").unwrap_or_default(),
        };
        Some((label, entry))
    })
}

/// Subtasks to store: what else their documents had stays in them.
pub(super) fn stored_subtasks(before: &Document, after: &[Subtask]) -> Bson {
    let known: Vec<_> = subtasks(before).collect();
    let stored = after.iter().map(|subtask| {
        let former = known.iter().find(|(known, _)| known.id == subtask.id);
        let mut entry = former.map_or_else(Document::new, |(_, entry)| (*entry).clone());
        entry.insert("title", &subtask.title);
        entry.insert("completed", subtask.completed);
        entry.insert("_id", oid(subtask.id));
        Bson::Document(entry)
    });
    Bson::Array(stored.collect())
}

/// Labels to store: those that were there already stay as they are.
pub(super) fn stored_labels(before: &Document, after: &[Label]) -> Bson {
    let mut known: Vec<_> = labels(before).collect();
    let stored = after.iter().map(|label| {
        let former = known.iter().position(|(known, _)| known == label);
        match former {
            Some(former) => Bson::Document(known.swap_remove(former).1.clone()),
            None => doc! {
                "name": &label.name, "color": &label.color, "_id": oid::ObjectId::new(),
            }
            .into(),
        }
    });
    Bson::Array(stored.collect())
}

/// A new task's document. The references are given apart: a populated one that leads nowhere has lost its id.
pub(super) fn new_document(
    task: &Task,
    assignee: Option<UserId>,
    creator: UserId,
    ours: Document,
) -> Document {
    let nothing = Document::new();
    let mut document = doc! {
        "_id": oid(task.id),
        "title": &task.title,
        "status": task.status.as_str(),
        "priority": task.priority.as_str(),
        "project": oid(task.project),
        "subtasks": stored_subtasks(&nothing, &task.subtasks),
        "labels": stored_labels(&nothing, &task.labels),
        "createdBy": oid(creator),
        "createdAt": date(task.created_at),
        "updatedAt": date(task.updated_at),
        "__v": 0,
        "position": task.position.as_str(),
        "version": as_number(task.version),
    };
    if task.workspace != nowhere() {
        document.insert("workspace", oid(task.workspace));
    }
    if let Some(description) = &task.description {
        document.insert("description", description);
    }
    if let Some(assignee) = assignee {
        document.insert("assignee", oid(assignee));
    }
    if let Some(due) = task.due_date {
        document.insert("dueDate", date(due));
    }
    let ours = marks::of_new(ours, &document);
    document.insert(super::operation::OURS, ours);
    document
}

/// A version as it is stored.
pub(super) fn as_number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(millis: i64, counter: u8) -> Document {
        let at = bson::DateTime::from_millis(millis);
        doc! { "_id": oid::ObjectId::from_bytes([counter; 12]), "createdAt": at }
    }

    #[test]
    fn tasks_without_a_place_are_in_order_of_their_making_the_newest_first() {
        let now = 1_764_000_000_000;
        let newer = position(&made(now + 1, 1));
        let twin = position(&made(now, 2));
        let older = position(&made(now, 1));
        assert!(newer < twin && twin < older);
        assert!(
            older < Position::between(None, None, 7),
            "below those of ours"
        );
        for (low, high) in [
            (None, Some(&newer)),
            (Some(&newer), Some(&twin)),
            (Some(&twin), Some(&older)),
        ] {
            let between = Position::between(low, high, 9);
            assert!(
                low.is_none_or(|low| *low < between) && high.is_none_or(|high| between < *high)
            );
        }
        assert_eq!(place_of_unplaced(&twin), Place::At(made(now, 2).made_at()));
        assert_eq!(
            place_of_unplaced(&Position::between(None, None, 7)),
            Place::After
        );
        assert_eq!(place_of_unplaced(&Position::stored("A0")), Place::Before);
        let top = Position::between(None, Some(&newer), 9);
        assert!(
            position(&made(now + 60_000, 1)) < top,
            "a later one of the other program is above it"
        );
    }

    #[test]
    fn a_change_of_subtasks_and_labels_keeps_what_else_they_have() {
        let id = oid::ObjectId::from_bytes([7; 12]);
        let before = doc! {
            "_id": oid::ObjectId::from_bytes([1; 12]),
            "subtasks": [{ "_id": id, "title": "a", "estimate": 3 }, { "title": "no id" }, "odd"],
            "labels": [{ "_id": id, "name": "bug", "color": "red", "by": "ada" }, { "name": "colourless" }],
        };
        let mut list: Vec<_> = subtasks(&before).map(|(subtask, _)| subtask).collect();
        assert_eq!(list.len(), 2);
        list[0].title = "b".into();
        let Bson::Array(stored) = stored_subtasks(&before, &list) else {
            panic!("a list")
        };
        let kept = doc! { "_id": id, "title": "b", "estimate": 3, "completed": false };
        assert_eq!(stored[0].as_document(), Some(&kept));
        let list: Vec<_> = labels(&before).map(|(label, _)| label).collect();
        assert_eq!(
            stored_labels(&before, &list),
            before.get("labels").expect("it is there").clone()
        );
    }
}
