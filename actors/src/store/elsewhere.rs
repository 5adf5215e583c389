//! What another program has changed in the database beside us, as a store that watches it says.

use collabflow_protocol::{
    id::{ChannelId, ProjectId, TaskId, UserId, WorkspaceId},
    model::{Message, ProjectUpdates, UserBrief},
};

use super::Membered;
use crate::backplane::EntryId;

/// What was seen of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is new, made for this user.
    New(Option<UserId>),
    /// It has changed.
    Changed,
    /// It has come from another project.
    Arrived,
    /// It is gone, or in another project now.
    Gone,
}

/// A change, as every node sees it that watches the database.
#[derive(Clone, Debug)]
pub struct Watched {
    /// On all of them the same.
    pub id: EntryId,
    /// The change.
    pub change: Elsewhere,
}

/// One change. What it says is news to everybody here: changes of our own are none.
#[derive(Clone, Debug)]
pub enum Elsewhere {
    /// Something was seen of a task: what of it is news, [`super::Store::announced`] says.
    Task {
        /// Where it is, or was, if that is known.
        project: Option<ProjectId>,
        /// Which.
        id: TaskId,
        /// What was seen.
        seen: Seen,
    },
    /// A message is new.
    Message(Box<Message>),
    /// A project is new.
    ProjectMade(ProjectId),
    /// A project's name or description has changed.
    Project(ProjectId, Box<ProjectUpdates>),
    /// A project is gone.
    ProjectGone {
        /// Which.
        id: ProjectId,
        /// Where it was, if that is known.
        workspace: Option<WorkspaceId>,
        /// Who its members were.
        members: Vec<UserId>,
    },
    /// A workspace is gone.
    WorkspaceGone(WorkspaceId),
    /// A user has another name or email, or may have.
    User(UserBrief),
    /// Memberships have changed.
    Members(Membered),
    /// A channel is new.
    ChannelMade(ChannelId),
    /// Who may be in a channel has changed.
    ChannelMembers(ChannelId),
    /// A channel is gone.
    ChannelGone {
        /// Which.
        id: ChannelId,
        /// The project that it was in, if that is known.
        project: Option<ProjectId>,
        /// The workspace that it was in, if that is known.
        workspace: Option<WorkspaceId>,
    },
    /// Some changes were missed by this node: nobody knows which.
    Missed,
    /// A change could not be read, and may be told by nobody: other nodes may take it for told.
    Unread,
}
