//! `/tasks`. Reading goes to the directory; changes go to the room of the project, which decides and tells.

mod cursor;
mod if_match;
pub(super) mod populated;

use collabflow_actors::{
    node::Caller,
    store::{Once, OnceKind, TaskQuery},
};
use collabflow_protocol::{
    error::ClientError,
    event::MoveCommand,
    id::{ProjectId, TaskId},
    model::{ChangedTask, Status, Task, TaskDraft, TaskPatch, User},
    validate::{Fields, Unknown},
};
use warp::{
    http::{HeaderMap, HeaderValue, header::ETAG},
    reply::Response,
};

use self::if_match::IfMatch;
use super::{Answer, answer, request::Request};

const NEXT_CURSOR: &str = "X-Next-Cursor";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

pub(super) async fn list(request: Request, user: User) -> Answer {
    let project = request.id()?;
    let query = read_query(&request)?;
    let page = request.directory().tasks(user.id, project, query).await?;
    let mut response = answer::ok(&page.tasks);
    if let Some(next) = page.next {
        response
            .headers_mut()
            .insert(NEXT_CURSOR, cursor::write(next));
    }
    Ok(response)
}

fn read_query(request: &Request) -> Result<TaskQuery, ClientError> {
    let query = request.query();
    let mut fields = Fields::new(&query);
    let limit = fields.whole("limit");
    let after = fields
        .get("cursor")
        .map(|value| value.as_str().and_then(cursor::read));
    let read = TaskQuery {
        status: fields.choice("status", Status::WORDS, Status::named),
        assignee: fields.id("assignee"),
        limit: limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        after: after.flatten(),
    };
    if limit == Some(0) {
        fields.refuse("limit", "must be at least 1");
    }
    if after == Some(None) {
        fields.refuse("cursor", "must be one that an answer gave");
    }
    fields.finish(Unknown::Ignore)?;
    Ok(read)
}

pub(super) async fn get(request: Request, user: User) -> Answer {
    let (task, project) = request.directory().task(user.id, request.id()?).await?;
    let body = populated::task(&task, &project);
    Ok(tagged(answer::ok(&body), &task))
}

pub(super) async fn create(request: Request, user: User) -> Answer {
    let draft = TaskDraft::parse(&request.body, request.unknown());
    let (project, draft) = both(read_project(&request), draft)?;
    let once = read_key(&request.headers)?.map(|key| Once {
        user: user.id,
        kind: OnceKind::Header,
        key,
    });
    let caller = request.caller(&user)?;
    let (task, _) = request
        .rest
        .node
        .create_task(caller, project, draft, once)
        .await?;
    Ok(tagged(answer::created(&task), &task))
}

fn read_project(request: &Request) -> Result<ProjectId, ClientError> {
    let mut fields = Fields::new(&request.body);
    let project = fields.required_id("projectId");
    fields.finish(Unknown::Ignore)?;
    Ok(project)
}

/// Both, or everything that is wrong with either.
fn both<A, B>(a: Result<A, ClientError>, b: Result<B, ClientError>) -> Result<(A, B), ClientError> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(ClientError::validation(
            a.fields.into_iter().chain(b.fields).collect(),
        )),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

fn read_key(headers: &HeaderMap) -> Result<Option<String>, ClientError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value.to_str().map(str::trim).unwrap_or_default();
    if (1..=64).contains(&key.len()) {
        Ok(Some(key.to_owned()))
    } else {
        Err(ClientError::field(
            IDEMPOTENCY_KEY,
            "must have 1 to 64 plain characters",
        ))
    }
}

pub(super) async fn update(request: Request, user: User) -> Answer {
    let id: TaskId = request.id()?;
    let patch = TaskPatch::parse(&request.body, request.unknown())?;
    let named = patch.named();
    let if_match = IfMatch::read(&request.headers)?;
    let (task, caller) = found(&request, &user, id).await?;
    let expected = if_match.expected(task.version);
    let node = &request.rest.node;
    let task = node
        .update_task(caller, task.project, id, patch, expected)
        .await?;
    Ok(tagged(answer::ok(&ChangedTask::new(&task, &named)), &task))
}

pub(super) async fn delete(request: Request, user: User) -> Answer {
    let id: TaskId = request.id()?;
    let (task, caller) = found(&request, &user, id).await?;
    request
        .rest
        .node
        .delete_task(caller, task.project, id)
        .await?;
    Ok(answer::done("Task deleted successfully"))
}

pub(super) async fn move_to(request: Request, user: User) -> Answer {
    let id: TaskId = request.id()?;
    let command = MoveCommand::parse(id, &request.body, request.unknown())?;
    let (task, caller) = found(&request, &user, id).await?;
    let task = request
        .rest
        .node
        .move_task(caller, task.project, command)
        .await?;
    Ok(tagged(answer::ok(&task), &task))
}

async fn found(request: &Request, user: &User, id: TaskId) -> Result<(Task, Caller), ClientError> {
    let caller = request.caller(user)?;
    Ok((request.directory().stored_task(id).await?, caller))
}

fn tagged(mut response: Response, task: &Task) -> Response {
    let tag = HeaderValue::from_str(&if_match::tag(task.version)).expect("digits in quotes");
    response.headers_mut().insert(ETAG, tag);
    response
}
