//! What clients write of a task: drafts of new ones, patches of existing ones.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{Label, Priority, Status, Subtask, Task, TaskField};
use crate::{
    error::ClientError,
    id::{ObjectId, ProjectId, SubtaskId, UserId, WorkspaceId},
    time::Timestamp,
    validate::{Fields, Unknown},
};

/// A subtask as it is written; without an id it gets one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtaskDraft {
    /// The id of the subtask it is, where it has one.
    pub id: Option<SubtaskId>,
    /// 1–200 characters.
    pub title: String,
    /// Whether it is done.
    pub completed: bool,
}

/// A new task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDraft {
    /// 1–200 characters.
    pub title: String,
    /// Up to 20,000 characters.
    pub description: Option<String>,
    /// `todo` where none was given.
    pub status: Status,
    /// `medium` where none was given.
    pub priority: Priority,
    /// Must be a member of the project.
    pub assignee: Option<UserId>,
    /// When it is due.
    pub due_date: Option<Timestamp>,
    /// Up to 200.
    pub subtasks: Vec<SubtaskDraft>,
    /// Up to 50.
    pub labels: Vec<Label>,
}

/// A change of a task; `None` leaves a field as it is, `Some(None)` clears it. Nodes tell each other of one in this form,
/// where a field that is not there is left as it is; clients' forms are read by [`TaskPatch::parse`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskPatch {
    /// A new title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A new description.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub description: Option<Option<String>>,
    /// Another column; the task goes to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Another priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Somebody else; must be a member of the project.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub assignee: Option<Option<UserId>>,
    /// Another date.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub due_date: Option<Option<Timestamp>>,
    /// All subtasks anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtasks: Option<Vec<SubtaskDraft>>,
    /// All labels anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<Label>>,
    /// Where the sender believes the task to be: naming another place than it is in is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// As `project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
}

/// A field that is there: null clears it.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl TaskDraft {
    /// Reads the fields of a new task. `projectId` is the caller's to read.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        for name in [
            "projectId",
            "project",
            "workspace",
            "workspaceId",
            "clientId",
        ] {
            fields.get(name);
        }
        let draft = Self {
            title: fields.required_text("title", 1..=200),
            description: fields.clearable_text("description", 20_000).flatten(),
            status: draft_choice(&mut fields, "status", Status::WORDS, Status::named)
                .unwrap_or(Status::Todo),
            priority: draft_choice(&mut fields, "priority", Priority::WORDS, Priority::named)
                .unwrap_or(Priority::Medium),
            assignee: fields.clearable_id("assignee").flatten(),
            due_date: fields.clearable_date("dueDate").flatten(),
            subtasks: read_subtasks(&mut fields, unknown).unwrap_or_default(),
            labels: read_labels(&mut fields, unknown).unwrap_or_default(),
        };
        fields.finish(unknown)?;
        Ok(draft)
    }
}

impl TaskPatch {
    /// Reads the changed fields of a task.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let mut patch = Self::read(&mut fields, unknown);
        patch.project = fields
            .repeated_id("project")
            .or_else(|| fields.repeated_id("projectId"));
        patch.workspace = fields
            .repeated_id("workspace")
            .or_else(|| fields.repeated_id("workspaceId"));
        fields.finish(unknown)?;
        Ok(patch)
    }

    /// Reads what an announced whole task says of its fields: what cannot be read is left out.
    #[must_use]
    pub fn announced(body: &Map<String, Value>) -> Self {
        Self::read(&mut Fields::new(body), Unknown::Ignore)
    }

    fn read(fields: &mut Fields<'_>, unknown: Unknown) -> Self {
        Self {
            title: fields.text("title", 1..=200),
            description: fields.clearable_text("description", 20_000),
            status: strict_choice(fields, "status", Status::WORDS, Status::named),
            priority: strict_choice(fields, "priority", Priority::WORDS, Priority::named),
            assignee: fields.clearable_id("assignee"),
            due_date: fields.clearable_date("dueDate"),
            subtasks: read_subtasks(fields, unknown),
            labels: read_labels(fields, unknown),
            project: None,
            workspace: None,
        }
    }

    /// Refuses a patch that would take the task to another project or workspace.
    ///
    /// # Errors
    /// `validation_failed`, naming the field.
    pub fn stays_in(
        &self,
        project: ProjectId,
        workspace: Option<WorkspaceId>,
    ) -> Result<(), ClientError> {
        let moved = |field| Err(ClientError::field(field, "cannot be changed"));
        if self.project.is_some_and(|claimed| claimed != project) {
            return moved("project");
        }
        if self
            .workspace
            .is_some_and(|claimed| Some(claimed) != workspace)
        {
            return moved("workspace");
        }
        Ok(())
    }

    /// The fields that the patch names.
    #[must_use]
    pub fn named(&self) -> Vec<TaskField> {
        let named = [
            (TaskField::Title, self.title.is_some()),
            (TaskField::Description, self.description.is_some()),
            (TaskField::Status, self.status.is_some()),
            (TaskField::Priority, self.priority.is_some()),
            (TaskField::Assignee, self.assignee.is_some()),
            (TaskField::DueDate, self.due_date.is_some()),
            (TaskField::Subtasks, self.subtasks.is_some()),
            (TaskField::Labels, self.labels.is_some()),
        ];
        named
            .into_iter()
            .filter_map(|(field, is_named)| is_named.then_some(field))
            .collect()
    }

    /// Whether the field, where the patch names it, already has the patch's value in `task`.
    #[must_use]
    pub fn agrees(&self, field: TaskField, task: &Task) -> bool {
        fn same<T: PartialEq>(wanted: Option<&T>, present: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == present)
        }
        match field {
            TaskField::Title => same(self.title.as_ref(), &task.title),
            TaskField::Description => same(self.description.as_ref(), &task.description),
            TaskField::Status => same(self.status.as_ref(), &task.status),
            TaskField::Priority => same(self.priority.as_ref(), &task.priority),
            TaskField::Assignee => same(
                self.assignee.as_ref(),
                &task.assignee.as_ref().map(|user| user.id),
            ),
            TaskField::DueDate => same(self.due_date.as_ref(), &task.due_date),
            TaskField::Labels => same(self.labels.as_ref(), &task.labels),
            TaskField::Subtasks => self
                .subtasks
                .as_ref()
                .is_none_or(|wanted| same_subtasks(wanted, &task.subtasks)),
            TaskField::Position => true,
        }
    }
}

impl SubtaskDraft {
    /// Gives each subtask its id: its own, that of the stored one at the same place with the same title, or a new one.
    pub fn with_ids(
        drafts: Vec<Self>,
        stored: &[Subtask],
        mut new_id: impl FnMut() -> ObjectId,
    ) -> Vec<Subtask> {
        let mut taken: Vec<SubtaskId> = drafts.iter().filter_map(|draft| draft.id).collect();
        let mut list = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.into_iter().enumerate() {
            let twin = stored
                .get(index)
                .filter(|old| old.title == draft.title && !taken.contains(&old.id));
            let id = draft
                .id
                .or(twin.map(|old| old.id))
                .unwrap_or_else(|| SubtaskId(new_id()));
            taken.push(id);
            list.push(Subtask {
                id,
                title: draft.title,
                completed: draft.completed,
            });
        }
        list
    }
}

fn same_subtasks(wanted: &[SubtaskDraft], present: &[Subtask]) -> bool {
    wanted.len() == present.len()
        && wanted.iter().zip(present).all(|(draft, stored)| {
            draft.id.is_none_or(|id| id == stored.id)
                && draft.title == stored.title
                && draft.completed == stored.completed
        })
}

/// On create, an empty choice means the default.
fn draft_choice<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    words: &str,
    named: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    if fields.get(name)?.as_str() == Some("") {
        None
    } else {
        fields.choice(name, words, named)
    }
}

/// In a change, a choice cannot be cleared.
fn strict_choice<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    words: &str,
    named: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    if fields.get(name)?.is_null() {
        fields.refuse(name, format!("must be {words}"));
        return None;
    }
    fields.choice(name, words, named)
}

fn read_subtasks(fields: &mut Fields<'_>, unknown: Unknown) -> Option<Vec<SubtaskDraft>> {
    fields.list("subtasks", 200, unknown, |subtask| SubtaskDraft {
        id: subtask.id("_id"),
        title: subtask.required_text("title", 1..=200),
        completed: subtask.flag("completed").unwrap_or(false),
    })
}

fn read_labels(fields: &mut Fields<'_>, unknown: Unknown) -> Option<Vec<Label>> {
    fields.list("labels", 50, unknown, |label| Label {
        name: label.required_text("name", 1..=50),
        color: label.required_text("color", 0..=64),
    })
}
