//! Every operation, with what it takes and answers.

use collabflow_protocol::{
    id::{MessageId, UserId, WorkspaceId},
    model::{Channel, Message, Project, Task, User, Workspace},
};
use utoipa::{
    PartialSchema,
    openapi::{
        HttpMethod::{Delete, Get, Patch, Post},
        ObjectBuilder, Type,
    },
};

use super::{
    answer::{Done, Health, TaskInProject},
    body::{
        ChannelBody, Column, CredentialsBody, MemberBody, MessageBody, MoveBody, ProjectBody,
        ProjectPatchBody, RegistrationBody, TaskBody, TaskPatchBody, UserBody, WorkspaceBody,
    },
    operation::Operation,
};
use crate::edge::rest::{auth::Welcome, channel::History};

const FORBIDDEN: &str = "This user may not do this";

/// REST, as the table of routes has it.
pub(super) fn rest() -> Vec<Operation> {
    let description = Operation::new(Get, "openapi.json", "This description").open();
    let mut all = accounts();
    all.extend(workspaces());
    all.extend(projects());
    all.extend(tasks());
    all.extend(channels());
    all.push(description.gives::<serde_json::Value>("200"));
    all
}

/// What is beside REST.
pub(super) fn own() -> Vec<Operation> {
    let get = |path, name| Operation::new(Get, path, name).own();
    vec![
        get("healthz", "Whether the process is alive").gives::<Health>("200"),
        get("readyz", "Whether it can do its work")
            .gives::<Health>("200")
            .gives::<Health>("503"),
        get("metrics", "The numbers, for Prometheus").writes("text/plain"),
    ]
}

fn accounts() -> Vec<Operation> {
    vec![
        Operation::new(Post, "auth/register", "Make an account")
            .open()
            .takes::<RegistrationBody>()
            .gives::<Welcome<'_>>("201")
            .fails("403", "Registration is closed")
            .fails("409", "The email has an account"),
        Operation::new(Post, "auth/login", "Get a token")
            .open()
            .takes::<CredentialsBody>()
            .gives::<Welcome<'_>>("200")
            .fails("401", "Invalid email or password"),
        Operation::new(Get, "auth/me", "Who the token names").gives::<User>("200"),
        Operation::new(Patch, "auth/me", "Change name or picture")
            .takes::<UserBody>()
            .gives::<User>("200"),
    ]
}

fn workspaces() -> Vec<Operation> {
    let at = |method, name| Operation::new(method, "workspaces/{workspaceId}", name);
    vec![
        Operation::new(Get, "workspaces", "The user's workspaces").lists::<Workspace>(),
        Operation::new(Post, "workspaces", "Make a workspace")
            .takes::<WorkspaceBody>()
            .gives::<Workspace>("201"),
        at(Get, "A workspace").gives::<Workspace>("200"),
        at(Patch, "Rename a workspace")
            .takes::<WorkspaceBody>()
            .gives::<Workspace>("200")
            .fails("403", FORBIDDEN),
        at(Delete, "Delete a workspace and what is in it")
            .gives::<Done>("200")
            .fails("403", FORBIDDEN),
        Operation::new(
            Post,
            "workspaces/{workspaceId}/members",
            "Add a member, or change a role",
        )
        .takes::<MemberBody>()
        .gives::<Workspace>("200")
        .fails("403", FORBIDDEN),
        Operation::new(
            Delete,
            "workspaces/{workspaceId}/members/{userId}",
            "Remove a member",
        )
        .gives::<Workspace>("200")
        .fails("403", FORBIDDEN),
    ]
}

fn projects() -> Vec<Operation> {
    let at = |method, name| Operation::new(method, "projects/{projectId}", name);
    vec![
        Operation::new(Get, "projects", "The user's projects")
            .query("workspaceId", WorkspaceId::schema())
            .lists::<Project>(),
        Operation::new(Post, "projects", "Make a project")
            .takes::<ProjectBody>()
            .gives::<Project>("201")
            .fails("403", FORBIDDEN),
        at(Get, "A project").gives::<Project>("200"),
        at(Patch, "Change a project")
            .takes::<ProjectPatchBody>()
            .gives::<Project>("200")
            .fails("403", FORBIDDEN),
        at(Delete, "Delete a project and what is in it")
            .gives::<Done>("200")
            .fails("403", FORBIDDEN),
        Operation::new(
            Post,
            "projects/{projectId}/members",
            "Add a member, or change a role",
        )
        .takes::<MemberBody>()
        .gives::<Project>("200")
        .fails("403", FORBIDDEN),
        Operation::new(
            Delete,
            "projects/{projectId}/members/{userId}",
            "Remove a member",
        )
        .gives::<Project>("200")
        .fails("403", FORBIDDEN),
    ]
}

fn tasks() -> Vec<Operation> {
    let at = |method, name| Operation::new(method, "tasks/{taskId}", name);
    vec![
        Operation::new(
            Get,
            "tasks/project/{projectId}",
            "A project's tasks, newest first",
        )
        .query("status", Column::schema())
        .query("assignee", UserId::schema())
        .query("limit", number())
        .query("cursor", text())
        .lists::<Task>()
        .tells("X-Next-Cursor"),
        changing(Operation::new(Post, "tasks", "Make a task"))
            .header("Idempotency-Key", text())
            .takes::<TaskBody>()
            .gives::<Task>("201")
            .tells("ETag")
            .fails("409", "The key has made a task of another project"),
        at(Get, "A task with its project")
            .gives::<TaskInProject>("200")
            .tells("ETag")
            .fails("403", "Access denied"),
        changing(at(Patch, "Change a task"))
            .header("If-Match", text())
            .takes::<TaskPatchBody>()
            .gives::<Task>("200")
            .tells("ETag")
            .conflicts(),
        changing(at(Delete, "Delete a task")).gives::<Done>("200"),
        changing(Operation::new(Post, "tasks/{taskId}/move", "Move a task"))
            .takes::<MoveBody>()
            .gives::<Task>("200")
            .tells("ETag")
            .conflicts(),
    ]
}

fn channels() -> Vec<Operation> {
    let path = "channels/{channelId}/messages";
    vec![
        Operation::new(Post, "channels", "Make a channel")
            .takes::<ChannelBody>()
            .gives::<Channel>("201")
            .fails("403", FORBIDDEN),
        Operation::new(Get, "channels/project/{projectId}", "A project's channels")
            .lists::<Channel>(),
        Operation::new(
            Delete,
            "channels/{channelId}",
            "Delete a channel and its messages",
        )
        .gives::<Done>("200")
        .fails("403", FORBIDDEN),
        Operation::new(Get, path, "A part of a channel's history")
            .query("limit", number())
            .query("before", MessageId::schema())
            .gives::<History>("200")
            .fails("403", FORBIDDEN),
        changing(Operation::new(Post, path, "Write a message"))
            .takes::<MessageBody>()
            .gives::<Message>("201"),
    ]
}

/// Changes what rooms are told of: for those who may write, and beside a socket.
fn changing(operation: Operation) -> Operation {
    operation
        .header("X-Socket-Id", text())
        .fails("403", FORBIDDEN)
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn number() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
}
