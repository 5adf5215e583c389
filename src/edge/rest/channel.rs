//! `/channels` and their messages.

use collabflow_protocol::{
    id::{ChannelId, MessageId},
    model::{ChannelDraft, Message, MessageDraft, User},
    validate::{Fields, Unknown},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, answer, request::Request};

const PAGE: u64 = 50;
const PAGE_MAX: u64 = 200;

/// A part of a channel's history as it is shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct History {
    /// Oldest first.
    messages: Vec<Message>,
    /// Where the part before this one ends.
    next_before: Option<MessageId>,
}

pub(super) async fn create(request: Request, user: User) -> Answer {
    let draft = ChannelDraft::parse(&request.body, request.unknown())?;
    let channel = request
        .directory()
        .create_channel(&user.into(), draft)
        .await?;
    Ok(answer::created(&channel))
}

pub(super) async fn list(request: Request, user: User) -> Answer {
    Ok(answer::ok(
        &request.directory().channels(user.id, request.id()?).await?,
    ))
}

pub(super) async fn delete(request: Request, user: User) -> Answer {
    let id = request.id()?;
    request.directory().delete_channel(&user.into(), id).await?;
    Ok(answer::done("Channel deleted successfully"))
}

pub(super) async fn messages(request: Request, user: User) -> Answer {
    let id = request.id()?;
    let query = request.query();
    let mut fields = Fields::new(&query);
    let limit = fields.whole("limit").unwrap_or(PAGE);
    let before = fields.id("before");
    if limit == 0 {
        fields.refuse("limit", "must be at least 1");
    }
    fields.finish(Unknown::Ignore)?;
    let limit = u32::try_from(limit.min(PAGE_MAX)).unwrap_or(u32::MAX);
    let page = request
        .directory()
        .messages(user.id, id, limit, before)
        .await?;
    let next_before = page
        .messages
        .first()
        .filter(|_| page.more)
        .map(|message| message.id);
    Ok(answer::ok(&History {
        messages: page.messages,
        next_before,
    }))
}

pub(super) async fn post(request: Request, user: User) -> Answer {
    let id: ChannelId = request.id()?;
    let draft = MessageDraft::parse(&request.body, request.unknown())?;
    let message = request
        .rest
        .node
        .post_message(request.caller(&user)?, id, draft)
        .await?;
    Ok(answer::created(&message))
}
