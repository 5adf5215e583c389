//! What nodes say to each other beside the logs: of a room, to those who have members in it; and to all.

use collabflow_protocol::{
    id::{TaskId, UserId},
    model::UserBrief,
};
use serde::{Deserialize, Serialize};

use crate::{
    backplane::EntryId,
    id::{NodeId, PrivateId, SessionId},
    key::RoomKey,
};

/// Said of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomWord {
    pub(crate) by: NodeId,
    pub(crate) says: RoomSays,
}

/// What is said of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RoomSays {
    /// A user is present there.
    Here(UserBrief),
    /// A user is present there no more.
    NotHere(UserId),
    /// These users are present there, and no others.
    AllHere(Vec<UserBrief>),
    /// A session of a user has closed that was left out of a change: it may have been to announce that.
    Closed(UserId),
    /// A session types, or has stopped.
    Typing(SessionId, UserBrief, bool),
}

/// Said to all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeWord {
    pub(crate) by: NodeId,
    /// Its name, which it keeps over restarts.
    pub(crate) name: String,
    pub(crate) says: NodeSays,
}

/// What is said to all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NodeSays {
    /// It has come, or is back: everybody answers that they are alive.
    Hello,
    /// It is alive, and has this many sessions. With none it need not say so, unless others have some.
    Alive(usize),
    /// It ends.
    Bye,
    /// Is to be done; whoever has done it says [`NodeSays::Done`] with the number.
    Do(u64, PeerRequest),
    /// A user has another name or email.
    Renamed(UserBrief),
    /// A task is gone, by another program, and nobody knows from where; it is told by this name.
    TaskGone(TaskId, EntryId),
    /// Changes of another program may be told by nobody: everybody is to reload.
    Missed,
    /// That node was taken for dead, and is to say again who is present there.
    WasGone(NodeId),
    /// What this node asked for under this number is done.
    Done(NodeId, u64),
}

/// What a node asks of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PeerRequest {
    /// Memberships behind these rooms have changed: who is no member any more is to be out.
    MembershipChanged(Vec<RoomKey>),
    /// What these rooms belong to is gone: everybody is to be out.
    Close(Vec<RoomKey>),
    /// That node is to let go of the session with this secret: its client has come to another.
    HandOver(NodeId, PrivateId),
}
