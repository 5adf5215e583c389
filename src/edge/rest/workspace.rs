//! `/workspaces`.

use collabflow_protocol::model::{MemberDraft, User, WorkspaceDraft};

use super::{Answer, answer, request::Request};

pub(super) async fn list(request: Request, user: User) -> Answer {
    Ok(answer::ok(&request.directory().workspaces(user.id).await?))
}

pub(super) async fn create(request: Request, user: User) -> Answer {
    let draft = WorkspaceDraft::parse(&request.body, request.unknown())?;
    let workspace = request.directory().create_workspace(user.id, draft).await?;
    Ok(answer::created(&workspace))
}

pub(super) async fn get(request: Request, user: User) -> Answer {
    let workspace = request
        .directory()
        .workspace(user.id, request.id()?)
        .await?;
    Ok(answer::ok(&workspace))
}

pub(super) async fn rename(request: Request, user: User) -> Answer {
    let id = request.id()?;
    let draft = WorkspaceDraft::parse(&request.body, request.unknown())?;
    let workspace = request
        .directory()
        .rename_workspace(user.id, id, draft)
        .await?;
    Ok(answer::ok(&workspace))
}

pub(super) async fn delete(request: Request, user: User) -> Answer {
    let id = request.id()?;
    request
        .directory()
        .delete_workspace(&user.into(), id)
        .await?;
    Ok(answer::done("Workspace deleted successfully"))
}

pub(super) async fn add_member(request: Request, user: User) -> Answer {
    let id = request.id()?;
    let draft = MemberDraft::parse(&request.body, request.unknown())?;
    let workspace = request
        .directory()
        .add_workspace_member(&user.into(), id, draft)
        .await?;
    Ok(answer::ok(&workspace))
}

pub(super) async fn remove_member(request: Request, user: User) -> Answer {
    let (id, member) = (request.id()?, request.id_at(1)?);
    let workspace = request
        .directory()
        .remove_workspace_member(&user.into(), id, member)
        .await?;
    Ok(answer::ok(&workspace))
}
