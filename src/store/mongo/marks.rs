//! What we know of a task as it was last written or told by us: a mark of each field, by which a change of another
//! program is seen, and told once.
//!
//! Mongoose keeps fields that it does not know, and raises no version. So a field whose mark is not that of its value
//! was changed by somebody else; one without a mark may have been.

use std::time::Duration;

use collabflow_protocol::{model::TaskField, time::Timestamp};
use mongodb::bson::{Bson, Document, doc};

use super::{fields::Fields, operation::OURS};

const MARKS: &str = "marks";
/// A change that is older counts as known.
const NEWS_FOR: Duration = Duration::from_secs(60);
/// The `updatedAt` of our last write.
const AT: &str = "at";

/// The field's name in documents.
pub(super) const fn name(field: TaskField) -> &'static str {
    match field {
        TaskField::Title => "title",
        TaskField::Description => "description",
        TaskField::Status => "status",
        TaskField::Priority => "priority",
        TaskField::Assignee => "assignee",
        TaskField::DueDate => "dueDate",
        TaskField::Subtasks => "subtasks",
        TaskField::Labels => "labels",
        TaskField::Position => "position",
    }
}

/// Fields that other programs change: places are ours alone.
pub(super) fn shared() -> impl Iterator<Item = TaskField> {
    TaskField::ALL
        .into_iter()
        .filter(|field| *field != TaskField::Position)
}

/// Whether there are marks that are not as we make them.
pub(super) fn are_odd(ours: &Document) -> bool {
    ours.get(MARKS)
        .is_some_and(|marks| marks.as_document().is_none())
}

/// Our subdocument of a new task.
pub(super) fn of_new(mut ours: Document, task: &Document) -> Document {
    let marks: Document = shared()
        .map(|field| (name(field).to_owned(), mark_of(task.get(name(field)))))
        .collect();
    ours.insert(MARKS, marks);
    ours.insert(AT, task.get("updatedAt"));
    ours
}

/// The marks of these fields, which have these values after an update at `now`; and, of a task that has no marks yet, of
/// the others too, unless another program may have changed them so lately that it is still to be told.
pub(super) fn to_set<'a>(
    task: &Document,
    fields: &[TaskField],
    now: Timestamp,
    value: impl Fn(&str) -> Option<&'a Bson>,
) -> Document {
    let has_marks = task
        .get_document(OURS)
        .is_ok_and(|ours| ours.contains_key(MARKS));
    let takes_all = !has_marks && !is_news(task, now);
    shared()
        .filter(|field| takes_all || fields.contains(field))
        .map(|field| (name(field).to_owned(), mark_of(value(name(field)))))
        .collect()
}

/// Adds marks to what an update sets.
pub(super) fn set(set: &mut Document, marks: Document, updated_at: Option<&Bson>) {
    for (field, mark) in marks {
        set.insert(format!("{OURS}.{MARKS}.{field}"), mark);
    }
    set.insert(
        format!("{OURS}.{AT}"),
        updated_at.cloned().unwrap_or(Bson::Null),
    );
}

/// Whether what another program has made of a task is to be told: who came since an older change has read it.
pub(super) fn is_news(task: &Document, now: Timestamp) -> bool {
    let age = now.millis().saturating_sub(task.changed_at().millis());
    u128::try_from(age).is_ok_and(|age| age <= NEWS_FOR.as_millis()) || age < 0
}

/// What of a task nobody has told of yet, where its author names these fields.
pub(super) fn untold(task: &Document, named: &[TaskField]) -> Vec<TaskField> {
    let marks = task
        .get_document(OURS)
        .and_then(|ours| ours.get_document(MARKS))
        .ok();
    shared()
        .filter(|field| {
            let mark = marks.and_then(|marks| marks.get(name(*field)));
            match mark {
                Some(mark) => *mark != mark_of(task.get(name(*field))),
                None => named.contains(field),
            }
        })
        .collect()
}

/// The version by the last change that was made, or told, here.
pub(super) fn base(task: &Document) -> u64 {
    task.number("version").unwrap_or(0)
}

/// The version as it is shown: one that another program has written over ours is a later one.
pub(super) fn version(task: &Document) -> u64 {
    let ours = task.get_document(OURS).ok();
    let is_over_ours = ours.is_some_and(|ours| {
        let at = ours.time(AT);
        at.is_some() && at != task.time("updatedAt")
    });
    base(task).saturating_add(u64::from(is_over_ours))
}

/// FNV-1a over the value's bytes: the same in each version of this program.
fn mark_of(value: Option<&Bson>) -> Bson {
    let value = value.filter(|value| **value != Bson::Null);
    let bytes = value
        .and_then(|value| doc! { "": value }.to_vec().ok())
        .unwrap_or_default();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Bson::Int64(hash.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::{super::fields::date, *};

    fn task() -> Document {
        let now = date(Timestamp::from_millis(1_000).expect("a time"));
        let mut task = doc! { "title": "a", "status": "todo", "version": 3_i64, "updatedAt": now };
        let ours = of_new(Document::new(), &task);
        task.insert(OURS, ours);
        task
    }

    #[test]
    fn what_we_wrote_is_told() {
        assert_eq!(untold(&task(), &TaskField::ALL), []);
        assert_eq!(version(&task()), 3);
    }

    #[test]
    fn what_another_program_wrote_over_it_is_not_and_is_a_later_version() {
        let mut task = task();
        task.insert("title", "b");
        task.insert("description", "new");
        task.insert(
            "updatedAt",
            date(Timestamp::from_millis(2_000).expect("a time")),
        );
        let expected = [TaskField::Title, TaskField::Description];
        assert_eq!(untold(&task, &[TaskField::Status]), expected);
        assert_eq!(version(&task), 4);
    }

    #[test]
    fn of_a_task_that_was_never_ours_what_is_named_is_not() {
        let task = doc! { "title": "a", "status": "todo" };
        assert_eq!(untold(&task, &[TaskField::Title]), [TaskField::Title]);
        assert_eq!(version(&task), 0);
    }

    #[test]
    fn a_field_that_is_null_is_as_one_that_is_missing() {
        let mut task = task();
        task.insert("assignee", Bson::Null);
        assert_eq!(untold(&task, &[]), []);
    }
}
