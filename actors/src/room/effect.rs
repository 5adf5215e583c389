//! What a room decides to do.

use std::{collections::HashSet, sync::Arc};

use collabflow_protocol::{
    event::{MoveCommand, ServerEvent},
    id::{TaskId, UserId},
    model::{MessageDraft, Task, TaskDraft, TaskPatch},
};
use parking_lot::Mutex;

use super::{message::Standing, pipeline::Slot};
use crate::{
    id::SessionId,
    key::RoomKey,
    node::Refusal,
    outbox::Broadcast,
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
    /// Tell an event.
    Tell(ServerEvent, Audience),
    /// Tell an event of another origin to these users, and note who has heard it.
    TellOn(
        Arc<Broadcast>,
        Option<Arc<HashSet<UserId>>>,
        Arc<Mutex<HashSet<SessionId>>>,
    ),
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
