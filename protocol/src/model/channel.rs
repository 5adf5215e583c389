//! Chat channels and their messages.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{User, UserBrief};
use crate::{
    error::ClientError,
    id::{ChannelId, MessageId, ProjectId, WorkspaceId},
    time::Timestamp,
    validate::{Fields, Unknown},
};

/// A channel document as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: ChannelId,
    /// 1–100 characters.
    pub name: String,
    /// The project it belongs to; old channels may have none.
    pub project: Option<ProjectId>,
    /// The workspace it belongs to.
    pub workspace: Option<WorkspaceId>,
    /// Who made it.
    pub created_by: Option<UserBrief>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What `POST /api/channels` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelDraft {
    /// 1–100 characters.
    pub name: String,
    /// Where it belongs.
    pub project: ProjectId,
}

/// Who wrote a message.
pub type Sender = User;

/// A chat message as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id; ids of one channel ascend in the order of its log.
    #[serde(rename = "_id")]
    pub id: MessageId,
    /// Where it was written.
    pub channel: ChannelId,
    /// Who wrote it.
    pub sender: Option<Sender>,
    /// 1–4,000 characters.
    pub content: String,
    /// The sender's own id for it, by which a repeat is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<String>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a message is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageDraft {
    /// 1–4,000 characters.
    pub content: String,
    /// The sender's own id for it.
    pub client_id: Option<String>,
}

impl ChannelDraft {
    /// Reads a request's body.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let name = fields.required_text("name", 1..=100);
        let project = fields.required_id("projectId");
        fields.finish(unknown)?;
        Ok(Self { name, project })
    }
}

impl MessageDraft {
    /// Reads the fields of a message out of a body or an event's payload.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            content: fields.required_text("content", 1..=4_000),
            client_id: fields.optional_text("clientId", 1..=64),
        }
    }

    /// Reads a request's body.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let draft = Self::read(&mut fields);
        fields.finish(unknown)?;
        Ok(draft)
    }
}
