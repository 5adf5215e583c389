//! Memberships of workspaces and projects, and what each role may do.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::User;
use crate::{
    error::ClientError,
    id::UserId,
    validate::{Fields, Unknown},
};

/// What a member may do; each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads and joins, and does not type.
    Viewer,
    /// Changes tasks, writes messages, makes channels, renames projects.
    Member,
    /// Manages members, deletes projects and channels.
    Admin,
    /// Makes, demotes and removes owners.
    Owner,
}

impl Role {
    /// The role that a text names, if it names one.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Some(match text {
            "viewer" => Self::Viewer,
            "member" => Self::Member,
            "admin" => Self::Admin,
            "owner" => Self::Owner,
            _ => return None,
        })
    }

    /// The role's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Changes tasks, writes messages, types, makes channels.
    #[must_use]
    pub fn may_write(self) -> bool {
        self >= Self::Member
    }

    /// Manages members, deletes projects and channels.
    #[must_use]
    pub fn may_manage(self) -> bool {
        self >= Self::Admin
    }
}

impl<'de> Deserialize<'de> for Role {
    /// A role that is not known counts as `member`: a stored document never fails to be read.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(value.as_str().and_then(Self::named).unwrap_or(Self::Member))
    }
}

/// One membership as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Member {
    /// Who; `None` where the reference leads nowhere.
    pub user: Option<User>,
    /// As what.
    pub role: Role,
}

/// How a request names the user to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberKey {
    /// By id.
    User(UserId),
    /// By email: the account that owns it, else a user known from claims.
    Email(String),
}

/// What `POST …/members` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDraft {
    /// Whom to add.
    pub key: MemberKey,
    /// As what; `None` means `member` for somebody new, and no change for who is one already.
    pub role: Option<Role>,
}

impl MemberDraft {
    /// Reads a request's body.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let id = fields.id::<UserId>("userId");
        let email = fields
            .text("email", 1..=254)
            .map(|email| email.to_lowercase());
        let role = fields.choice("role", "owner, admin, member or viewer", Role::named);
        let key = match (id, email) {
            (Some(id), _) => MemberKey::User(id),
            (None, Some(email)) => MemberKey::Email(email),
            (None, None) => {
                fields.refuse("userId", "or email is required");
                MemberKey::Email(String::new())
            }
        };
        fields.finish(unknown)?;
        Ok(Self { key, role })
    }
}
