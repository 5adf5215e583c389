//! A single task as `GET /tasks/:taskId` shows it: with its project as it is stored, people as ids.

use collabflow_protocol::{
    id::{ProjectId, UserId, WorkspaceId},
    model::{Project, Role, Task},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A project as it is stored.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::edge::rest) struct StoredProject<'a> {
    #[serde(rename = "_id")]
    id: ProjectId,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    workspace: WorkspaceId,
    members: Vec<StoredMember>,
    created_by: Option<UserId>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A member of a project, as it is stored.
#[derive(Serialize, ToSchema)]
pub(in crate::edge::rest) struct StoredMember {
    user: Option<UserId>,
    role: Role,
}

impl<'a> From<&'a Project> for StoredProject<'a> {
    fn from(project: &'a Project) -> Self {
        let members = project.members.iter().map(|member| StoredMember {
            user: member.user.as_ref().map(|user| user.id),
            role: member.role,
        });
        Self {
            id: project.id,
            name: &project.name,
            description: project.description.as_deref(),
            workspace: project.workspace,
            members: members.collect(),
            created_by: project.created_by.as_ref().map(|user| user.id),
            created_at: project.created_at,
            updated_at: project.updated_at,
        }
    }
}

pub(super) fn task(task: &Task, project: &Project) -> Value {
    let mut body = json!(task);
    body["project"] = json!(StoredProject::from(project));
    body
}
