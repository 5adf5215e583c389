//! Answers that no type of their own makes, as clients read them.

use std::collections::BTreeMap;

use collabflow_protocol::{error::ClientError, model::Task};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use crate::edge::rest::task::populated::StoredProject;

/// Something was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {
    message: String,
}

/// Another version is stored than was expected: the task as it is now.
#[derive(Serialize, ToSchema)]
pub(super) struct Conflict {
    #[serde(flatten)]
    error: ClientError,
    task: Option<Task>,
}

/// A task with its project: described as a task is, but for that field.
pub(super) struct TaskInProject;

impl PartialSchema for TaskInProject {
    fn schema() -> RefOr<Schema> {
        let mut schema = Task::schema();
        if let RefOr::T(Schema::Object(task)) = &mut schema {
            let project = Ref::from_schema_name(StoredProject::name());
            task.properties.insert("project".into(), project.into());
        }
        schema
    }
}

impl ToSchema for TaskInProject {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Task::schemas(schemas);
        schemas.push((StoredProject::name().into_owned(), StoredProject::schema()));
        StoredProject::schemas(schemas);
    }
}

/// What is needed, and whether it is there.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    status: String,
    #[serde(flatten)]
    parts: BTreeMap<String, String>,
}
