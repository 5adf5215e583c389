//! Projects.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Extra, Member, UserBrief};
use crate::{
    error::ClientError,
    id::{ProjectId, WorkspaceId},
    time::Timestamp,
    validate::{Fields, Unknown},
};

/// A project as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: ProjectId,
    /// 1–100 characters.
    pub name: String,
    /// Up to 2,000 characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// The workspace it belongs to.
    pub workspace: WorkspaceId,
    /// Its members.
    pub members: Vec<Member>,
    /// Who made it.
    pub created_by: Option<UserBrief>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// What other programs have stored of it.
    #[serde(flatten, serialize_with = "Project::write_extra")]
    #[cfg_attr(feature = "schema", schema(value_type = std::collections::BTreeMap<String, Value>))]
    pub extra: Extra,
}

impl Project {
    /// The names of its own fields.
    const NAMES: &[&str] = &[
        "_id",
        "name",
        "description",
        "workspace",
        "members",
        "createdBy",
        "createdAt",
        "updatedAt",
    ];

    /// Writes what other programs have stored of a project; its own fields hide theirs.
    ///
    /// # Errors
    /// The serializer's.
    pub fn write_extra<S: Serializer>(extra: &Extra, serializer: S) -> Result<S::Ok, S::Error> {
        extra.beside(Self::NAMES, serializer)
    }
}

/// What `POST /api/projects` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectDraft {
    /// 1–100 characters.
    pub name: String,
    /// Up to 2,000 characters.
    pub description: Option<String>,
    /// Where it belongs.
    pub workspace: WorkspaceId,
}

/// What `PATCH /api/projects/:id` takes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectPatch {
    /// A new name.
    pub name: Option<String>,
    /// A new description, or none any more.
    pub description: Option<Option<String>>,
    /// Where the sender believes the project to be: naming another workspace is refused.
    pub workspace: Option<WorkspaceId>,
}

/// The changed fields of a project, as `project:updated` tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProjectUpdates {
    /// The new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The new description; `null` for cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
}

impl ProjectDraft {
    /// Reads a request's body.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let name = fields.required_text("name", 1..=100);
        let description = fields.clearable_text("description", 2_000).flatten();
        let workspace = fields.required_id("workspaceId");
        fields.finish(unknown)?;
        Ok(Self {
            name,
            description,
            workspace,
        })
    }
}

impl ProjectPatch {
    /// Reads a request's body.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let name = fields.text("name", 1..=100);
        let description = fields.clearable_text("description", 2_000);
        let workspace = fields
            .repeated_id("workspace")
            .or_else(|| fields.repeated_id("workspaceId"));
        fields.finish(unknown)?;
        Ok(Self {
            name,
            description,
            workspace,
        })
    }

    /// Refuses a patch that would take the project to another workspace.
    ///
    /// # Errors
    /// `validation_failed`, naming the field.
    pub fn stays_in(&self, workspace: WorkspaceId) -> Result<(), ClientError> {
        match self.workspace {
            Some(claimed) if claimed != workspace => {
                Err(ClientError::field("workspace", "cannot be changed"))
            }
            _ => Ok(()),
        }
    }
}
