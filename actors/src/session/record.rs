//! What the cluster knows of a session, so that its client can come back on another node, also after its own was killed.
//!
//! A node writes it while it has the session, and takes it out when that is over; whoever takes it out first has the
//! session. A node that hands a session over adds what the client has not read.

use collabflow_protocol::{id::UserId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    id::{NodeId, PrivateId, SessionId},
    key::RoomKey,
    outbox::Unheard,
};

/// A session, as all nodes know it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    /// The secret by which its client comes back, and the one by which it came here.
    pub(crate) pid: PrivateId,
    pub(crate) former_pid: Option<PrivateId>,
    /// The node that has it, or had.
    pub(crate) node: NodeId,
    /// Whether its client keeps an offset.
    pub(crate) can_recover: bool,
    pub(crate) rooms: Vec<RoomRecord>,
    /// Its node has let go of it.
    pub(crate) left: Option<Left>,
}

/// A room that a session is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomRecord {
    pub(crate) room: RoomKey,
    /// It was given back to the session, which has not joined it itself since.
    pub(crate) restored: bool,
    /// The session was told every entry of the room's log after this stamp, up to where its node has come.
    pub(crate) since: Option<u64>,
    /// Up to this stamp it was told some without an offset, or told to reload.
    pub(crate) doubtful_to: u64,
    /// Its node has let go of it when it had told everything up to this stamp.
    pub(crate) told_to: Option<u64>,
}

/// How a session's node has let go of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Left {
    pub(crate) at: Timestamp,
    /// What its client has not read, as far as is known.
    pub(crate) unheard: Unheard,
}

impl SessionRecord {
    /// The secrets by which it is known.
    pub(crate) fn pids(&self) -> impl Iterator<Item = PrivateId> + use<> {
        [Some(self.pid), self.former_pid].into_iter().flatten()
    }
}
