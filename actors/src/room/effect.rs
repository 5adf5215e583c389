//! What a room decides to do.

use std::sync::Arc;

use collabflow_protocol::{
    event::{MoveCommand, ServerEvent},
    id::{TaskId, UserId},
    model::{MessageDraft, Task, TaskDraft, TaskPatch, UserBrief},
};

use super::{
    message::{RoomMessage, Standing},
    pipeline::Slot,
    shared::Shared,
};
use crate::{
    backplane::Append,
    id::{NodeId, SessionId},
    key::RoomKey,
    node::Refusal,
    outbox::{Broadcast, Mark},
    session::{
        entry::SessionEntry,
        reply::{Done, Reply},
    },
    store::{
        Announced, Claim, CreateOutcome, Membership, Once, PostOutcome, StoreError, TaskOutcome,
    },
};

/// Something for the room's actor to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Read the memberships, by the read with this number.
    ReadMembership(u64),
    /// Ask the store; the answer belongs to the slot.
    Ask(Slot, Request),
    /// Append to the room's log.
    Append(Append),
    /// Read who is present on other nodes.
    ReadPresent,
    /// Begin to follow the room's log.
    Follow,
    /// Read the room's log from after this offset.
    ReadLog(u64),
    /// Read the room's log, whole.
    ReadHistory,
    /// A session's rooms have changed: the other nodes are to know.
    Record(Arc<SessionEntry>),
    /// Say how far the room has told its log.
    ToldTo(tokio::sync::oneshot::Sender<Option<u64>>, Option<u64>),
    /// A user is present on this node: say so to the others.
    Here(Arc<UserBrief>),
    /// A user is present on this node no more.
    NotHere(UserId),
    /// These users are present on this node: the others may have missed it.
    AllHere(Vec<Arc<UserBrief>>),
    /// Forget that these users were present on a node that is gone.
    Forget(NodeId, Vec<UserId>),
    /// A session of this user has closed here that was left out of a change: say so to the others.
    Closed(UserId),
    /// A session of this node types, or has stopped: say so to the others.
    Types(Arc<SessionEntry>, bool),
    /// Take a message that has waited.
    Take(RoomMessage),
    /// Tell an event, which stands so in the room's log where it is durable.
    Tell(ServerEvent, Audience, Mark),
    /// Tell an event that other rooms are told as well.
    TellShared(Arc<Shared>, Mark),
    /// Tell one session that is away an event of the log, with its stamp.
    TellAgain(Arc<SessionEntry>, Arc<Broadcast>, u64),
    /// Answer.
    Answer(Reply, Result<Done, Refusal>),
    /// Hand what a session missed in this room to the one that took its place.
    Replay {
        old: Arc<SessionEntry>,
        new: Arc<SessionEntry>,
    },
    /// The session has moved on from these rooms, which were only given back to it.
    MoveOn(Arc<SessionEntry>, Vec<RoomKey>),
    /// Say what a user is to the room.
    Vouch(tokio::sync::oneshot::Sender<Standing>, Standing),
    /// Somebody waits to hear that it is done.
    Confirm(tokio::sync::oneshot::Sender<()>),
}

/// Who hears an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everybody in the room.
    All,
    /// Everybody but these.
    AllBut(Vec<SessionId>),
    /// These.
    Only(Vec<SessionId>),
}

/// A question to the store.
#[derive(Debug)]
pub(crate) enum Request {
    CreateTask {
        draft: TaskDraft,
        creator: UserId,
        once: Option<Once>,
    },
    UpdateTask {
        task: TaskId,
        patch: TaskPatch,
        expected: Option<u64>,
        announces: bool,
    },
    MoveTask(MoveCommand, bool),
    DeleteTask(TaskId),
    LookUp(TaskId, Claim),
    Post {
        draft: MessageDraft,
        sender: UserId,
    },
}

/// An answer of the store.
#[derive(Debug)]
pub(crate) enum Answer {
    Created(CreateOutcome),
    Changed(TaskOutcome),
    Deleted(TaskId, Option<Box<Task>>),
    Found(Announced),
    Posted(PostOutcome),
    Failed(StoreError),
}

/// What a read of the memberships found.
pub(crate) type MembershipRead = Result<Option<Membership>, StoreError>;
