//! `/projects`.

use collabflow_protocol::model::{MemberDraft, ProjectDraft, ProjectPatch, User};

use super::{Answer, answer, request::Request};

pub(super) async fn list(request: Request, user: User) -> Answer {
    let workspace = request.query_id("workspaceId")?;
    Ok(answer::ok(
        &request.directory().projects(user.id, workspace).await?,
    ))
}

pub(super) async fn create(request: Request, user: User) -> Answer {
    let draft = ProjectDraft::parse(&request.body, request.unknown())?;
    let project = request
        .directory()
        .create_project(&user.into(), draft)
        .await?;
    Ok(answer::created(&project))
}

pub(super) async fn get(request: Request, user: User) -> Answer {
    let project = request.directory().project(user.id, request.id()?).await?;
    Ok(answer::ok(&project))
}

pub(super) async fn update(request: Request, user: User) -> Answer {
    let id = request.id()?;
    let patch = ProjectPatch::parse(&request.body, request.unknown())?;
    let project = request
        .directory()
        .update_project(&user.into(), id, patch)
        .await?;
    Ok(answer::ok(&project))
}

pub(super) async fn delete(request: Request, user: User) -> Answer {
    let id = request.id()?;
    request.directory().delete_project(&user.into(), id).await?;
    Ok(answer::done("Project deleted successfully"))
}

pub(super) async fn add_member(request: Request, user: User) -> Answer {
    let id = request.id()?;
    let draft = MemberDraft::parse(&request.body, request.unknown())?;
    let project = request
        .directory()
        .add_project_member(&user.into(), id, draft)
        .await?;
    Ok(answer::ok(&project))
}

pub(super) async fn remove_member(request: Request, user: User) -> Answer {
    let (id, member) = (request.id()?, request.id_at(1)?);
    let project = request
        .directory()
        .remove_project_member(&user.into(), id, member)
        .await?;
    Ok(answer::ok(&project))
}
