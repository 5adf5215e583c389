//! The names of rooms.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use collabflow_protocol::{
    event::Scope,
    id::{ChannelId, ObjectId, ProjectId, WorkspaceId},
};

use crate::store::Access;

/// Which room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoomKey {
    /// A project's: presence and tasks.
    Project(ProjectId),
    /// A workspace's: presence, and the lifecycle of its projects and channels.
    Workspace(WorkspaceId),
    /// A chat channel's: messages and typing.
    Chat(ChannelId),
}

impl RoomKey {
    /// What one must be a member of to get in.
    #[must_use]
    pub const fn access(self) -> Access {
        match self {
            Self::Project(id) => Access::Project(id),
            Self::Workspace(id) => Access::Workspace(id),
            Self::Chat(id) => Access::Channel(id),
        }
    }

    /// The scope of the room's presence, where it has any.
    #[must_use]
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::Project(id) => Some(Scope::Project(id)),
            Self::Workspace(id) => Some(Scope::Workspace(id)),
            Self::Chat(_) => None,
        }
    }

    /// Whether both are rooms of one kind.
    #[must_use]
    pub fn is_kin(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl RoomKey {
    /// A short name (FNV-1a of the long one), the same on every node; that two rooms share it does not happen.
    pub(crate) fn tag(self) -> u64 {
        let (kind, id) = match self {
            Self::Project(id) => (b'p', id.0),
            Self::Workspace(id) => (b'w', id.0),
            Self::Chat(id) => (b'c', id.0),
        };
        let bytes = std::iter::once(kind).chain(id.bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

impl From<Scope> for RoomKey {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Project(id) => Self::Project(id),
            Scope::Workspace(id) => Self::Workspace(id),
        }
    }
}

impl Serialize for RoomKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RoomKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A text that names no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it names no room")]
pub struct NoRoom;

impl FromStr for RoomKey {
    type Err = NoRoom;

    fn from_str(text: &str) -> Result<Self, NoRoom> {
        let (kind, id) = text.split_once(':').ok_or(NoRoom)?;
        let id: ObjectId = id.parse().map_err(|_| NoRoom)?;
        match kind {
            "project" => Ok(Self::Project(id.into())),
            "workspace" => Ok(Self::Workspace(id.into())),
            "chat" => Ok(Self::Chat(id.into())),
            _ => Err(NoRoom),
        }
    }
}

impl fmt::Display for RoomKey {
    /// As in `room:resync`: `project:<id>`, `workspace:<id>`, `chat:<id>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(id) => write!(f, "project:{id}"),
            Self::Workspace(id) => write!(f, "workspace:{id}"),
            Self::Chat(id) => write!(f, "chat:{id}"),
        }
    }
}
