//! Workspaces.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Extra, Member};
use crate::{
    error::ClientError,
    id::{UserId, WorkspaceId},
    time::Timestamp,
    validate::{Fields, Unknown},
};

/// A workspace as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: WorkspaceId,
    /// 1–100 characters.
    pub name: String,
    /// Who made it.
    pub owner: UserId,
    /// Its members.
    pub members: Vec<Member>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// What other programs have stored of it.
    #[serde(flatten, serialize_with = "Workspace::write_extra")]
    #[cfg_attr(feature = "schema", schema(value_type = std::collections::BTreeMap<String, Value>))]
    pub extra: Extra,
}

impl Workspace {
    /// The names of its own fields.
    const NAMES: &[&str] = &["_id", "name", "owner", "members", "createdAt", "updatedAt"];

    /// Writes what other programs have stored of a workspace; its own fields hide theirs.
    ///
    /// # Errors
    /// The serializer's.
    pub fn write_extra<S: Serializer>(extra: &Extra, serializer: S) -> Result<S::Ok, S::Error> {
        extra.beside(Self::NAMES, serializer)
    }
}

/// What `POST` and `PATCH /api/workspaces` take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceDraft {
    /// 1–100 characters.
    pub name: String,
}

impl WorkspaceDraft {
    /// Reads a request's body.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let name = fields.required_text("name", 1..=100);
        fields.finish(unknown)?;
        Ok(Self { name })
    }
}
