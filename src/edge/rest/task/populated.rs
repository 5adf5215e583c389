//! A single task as `GET /tasks/:taskId` shows it: with its project as it is stored, people as ids.

use collabflow_protocol::{
    id::{ProjectId, UserId, WorkspaceId},
    model::{Extra, Project, Role, Task},
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
    #[serde(flatten, serialize_with = "Project::write_extra")]
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    extra: &'a Extra,
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
            extra: &project.extra,
        }
    }
}

pub(super) fn task(task: &Task, project: &Project) -> Value {
    let mut body = json!(task);
    body["project"] = json!(StoredProject::from(project));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "64b7f3a2c9e77a0012345678";

    #[test]
    fn the_project_of_a_task_shows_what_other_programs_have_stored_of_it() {
        let at = "2026-01-01T00:00:00.000Z";
        let stored = json!({
            "_id": ID, "name": "p", "workspace": ID, "members": [{ "user": ID, "role": "owner" }], "createdBy": ID,
            "createdAt": at, "updatedAt": at, "archived": false,
        });
        let ada = json!({ "_id": ID, "name": "Ada", "email": null });
        let mut shown = stored.clone();
        shown["members"][0]["user"] = ada.clone();
        shown["createdBy"] = ada;
        let mut project: Project = serde_json::from_value(shown).expect("a project");
        let of_task = serde_json::from_value(json!({
            "_id": ID, "title": "t", "status": "todo", "priority": "low", "assignee": null, "project": ID,
            "workspace": ID, "subtasks": [], "labels": [], "createdBy": null, "position": "a0", "version": 1,
            "createdAt": at, "updatedAt": at,
        }));
        let of_task = of_task.expect("a task");
        assert_eq!(task(&of_task, &project)["project"], stored);

        let taken = [("name", "taken"), ("description", "taken")];
        project.extra = Extra::of(taken.map(|(name, value)| (name.into(), value.into())));
        let text = serde_json::to_string(&StoredProject::from(&project)).expect("json");
        assert!(!text.contains("taken"), "{text}");
    }
}
