//! Tasks as they are shown, and what of them changed.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Position, User, UserBrief};
use crate::{
    id::{ProjectId, SubtaskId, TaskId, WorkspaceId},
    time::Timestamp,
};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $words:literal: $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// What another program stored: shown as it is, never written.
            Other(String),
        }

        impl $name {
            /// Every value that may be written, for messages.
            pub const WORDS: &'static str = $words;

            /// The value that a text names, if it may be written.
            #[must_use]
            pub fn named(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The text of a stored document, whatever it is.
            #[must_use]
            pub fn stored(text: &str) -> Self {
                Self::named(text).unwrap_or_else(|| Self::Other(text.to_owned()))
            }

            /// As it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(|text| Self::stored(&text))
            }
        }
    };
}

words! {
    /// The column of the board that a task is in.
    Status, "todo, in-progress, review or done":
    /// To do; the default.
    Todo = "todo",
    /// Being worked on.
    InProgress = "in-progress",
    /// Waiting for a look.
    Review = "review",
    /// Done.
    Done = "done",
}

words! {
    /// How much a task matters.
    Priority, "low, medium or high":
    /// Little.
    Low = "low",
    /// As usual; the default.
    Medium = "medium",
    /// Much.
    High = "high",
}

/// A step of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Subtask {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: SubtaskId,
    /// 1–200 characters.
    pub title: String,
    /// Whether it is done.
    #[serde(default)]
    pub completed: bool,
}

/// A coloured label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Label {
    /// 1–50 characters.
    pub name: String,
    /// Any text up to 64 characters, usually `#rrggbb`.
    pub color: String,
}

/// A task as it is shown, with its people populated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: TaskId,
    /// 1–200 characters.
    pub title: String,
    /// Up to 20,000 characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// Its column.
    pub status: Status,
    /// How much it matters.
    pub priority: Priority,
    /// Who works on it; `null` for nobody, or for somebody who exists nowhere.
    pub assignee: Option<User>,
    /// The project it belongs to.
    pub project: ProjectId,
    /// The workspace of that project.
    pub workspace: WorkspaceId,
    /// When it is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_date: Option<Timestamp>,
    /// Up to 200.
    pub subtasks: Vec<Subtask>,
    /// Up to 50.
    pub labels: Vec<Label>,
    /// Who made it.
    pub created_by: Option<UserBrief>,
    /// Its place in the column: columns are ordered by (`position`, `_id`).
    pub position: Position,
    /// 1 at first; grows by one with each change.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A task as the answer to a change of it: a field that the change has cleared is `null`, so that a page which merges
/// the answer into what it has loses it, as it did with Mongoose's.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedTask<'a> {
    #[serde(flatten)]
    task: &'a Task,
    /// The unit is written as `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_date: Option<()>,
}

impl<'a> ChangedTask<'a> {
    /// The task after a change that has named these fields.
    #[must_use]
    pub fn new(task: &'a Task, named: &[TaskField]) -> Self {
        let is_cleared =
            |field, is_there: bool| (!is_there && named.contains(&field)).then_some(());
        Self {
            task,
            description: is_cleared(TaskField::Description, task.description.is_some()),
            due_date: is_cleared(TaskField::DueDate, task.due_date.is_some()),
        }
    }
}

/// A field of a task that events tell of. `version` and `updatedAt` are none: each change changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TaskField {
    /// `title`.
    Title,
    /// `description`.
    Description,
    /// `status`.
    Status,
    /// `priority`.
    Priority,
    /// `assignee`.
    Assignee,
    /// `dueDate`.
    DueDate,
    /// `subtasks`.
    Subtasks,
    /// `labels`.
    Labels,
    /// `position`.
    Position,
}

impl TaskField {
    /// Each of them.
    pub const ALL: [Self; 9] = [
        Self::Title,
        Self::Description,
        Self::Status,
        Self::Priority,
        Self::Assignee,
        Self::DueDate,
        Self::Subtasks,
        Self::Labels,
        Self::Position,
    ];

    /// Whether the field has the same value in both.
    #[must_use]
    pub fn same(self, a: &Task, b: &Task) -> bool {
        match self {
            Self::Title => a.title == b.title,
            Self::Description => a.description == b.description,
            Self::Status => a.status == b.status,
            Self::Priority => a.priority == b.priority,
            Self::Assignee => {
                a.assignee.as_ref().map(|u| u.id) == b.assignee.as_ref().map(|u| u.id)
            }
            Self::DueDate => a.due_date == b.due_date,
            Self::Subtasks => a.subtasks == b.subtasks,
            Self::Labels => a.labels == b.labels,
            Self::Position => a.position == b.position,
        }
    }

    /// Whether the field is one that a task without it does not show, and this one is without it.
    #[must_use]
    pub fn is_absent(self, task: &Task) -> bool {
        match self {
            Self::Description => task.description.is_none(),
            Self::DueDate => task.due_date.is_none(),
            _ => false,
        }
    }

    /// The fields that differ between two states of a task.
    #[must_use]
    pub fn changed(before: &Task, after: &Task) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|field| !field.same(before, after))
            .collect()
    }
}

/// Some fields of a task with their present values, as `task:updated` tells them: `null` for cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskUpdates {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<Option<User>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_date: Option<Option<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtasks: Option<Vec<Subtask>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<Label>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
}

impl TaskUpdates {
    /// The present values of some fields.
    #[must_use]
    pub fn of(task: &Task, fields: impl IntoIterator<Item = TaskField>) -> Self {
        let mut updates = Self::default();
        for field in fields {
            match field {
                TaskField::Title => updates.title = Some(task.title.clone()),
                TaskField::Description => updates.description = Some(task.description.clone()),
                TaskField::Status => updates.status = Some(task.status.clone()),
                TaskField::Priority => updates.priority = Some(task.priority.clone()),
                TaskField::Assignee => updates.assignee = Some(task.assignee.clone()),
                TaskField::DueDate => updates.due_date = Some(task.due_date),
                TaskField::Subtasks => updates.subtasks = Some(task.subtasks.clone()),
                TaskField::Labels => updates.labels = Some(task.labels.clone()),
                TaskField::Position => updates.position = Some(task.position.clone()),
            }
        }
        updates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_change_says_what_is_not_there_any_more() {
        let task: Task = serde_json::from_value(serde_json::json!({
            "_id": "64b7f3a2c9e77a0012345678", "title": "t", "status": "todo", "priority": "odd", "assignee": null,
            "project": "64b7f3a2c9e77a0012345679", "workspace": "64b7f3a2c9e77a0012345670", "subtasks": [],
            "labels": [], "createdBy": null, "position": "a0", "version": 2, "dueDate": "2026-01-01",
            "createdAt": 0, "updatedAt": 0,
        }))
        .expect("a task");
        let answer =
            serde_json::to_value(ChangedTask::new(&task, &[TaskField::Title])).expect("json");
        assert!(answer.get("description").is_none());
        let named = [TaskField::Description, TaskField::DueDate];
        let answer = serde_json::to_value(ChangedTask::new(&task, &named)).expect("json");
        assert_eq!(answer.get("description"), Some(&serde_json::Value::Null));
        assert_eq!(answer["dueDate"], "2026-01-01T00:00:00.000Z");
        assert_eq!(answer["priority"], "odd");
    }
}
