//! What a room is told.

use std::sync::Arc;

use collabflow_protocol::{
    event::TaskCommand,
    id::{TaskId, UserId},
    model::{MessageDraft, UserBrief},
};
use tokio::sync::oneshot;

use super::{history::Adoption, shared::Shared};
use crate::{
    backplane::EntryId,
    id::SessionId,
    node::{Caller, Echo},
    session::{entry::SessionEntry, reply::Reply},
    store::{Once, OnceKind, Seen},
};

/// Who makes a change.
#[derive(Clone, Debug)]
pub(crate) enum Author {
    /// A session, which hears its answer and not its event.
    Session(Arc<SessionEntry>),
    /// A REST call; the key by which a repeat of it is known goes with it.
    Rest(Caller, Option<Once>),
}

impl Author {
    pub(crate) fn user(&self) -> Arc<UserBrief> {
        match self {
            Self::Session(entry) => entry.user(),
            Self::Rest(caller, _) => Arc::clone(&caller.user),
        }
    }

    pub(crate) fn user_id(&self) -> UserId {
        match self {
            Self::Session(entry) => entry.user_id(),
            Self::Rest(caller, _) => caller.user.id,
        }
    }

    /// The key by which a repeat of a new task is known.
    pub(crate) fn once(&self, client_id: Option<String>) -> Option<Once> {
        match self {
            Self::Session(entry) => client_id.map(|key| Once {
                user: entry.user_id(),
                kind: OnceKind::ClientId,
                key,
            }),
            Self::Rest(_, once) => once.clone(),
        }
    }

    /// It was told that the change was not made: it hears of it like everybody else.
    pub(super) fn give_up(&mut self) {
        *self = Self::Rest(
            Caller {
                user: self.user(),
                echo: Echo::All,
            },
            None,
        );
    }

    pub(crate) fn session(&self) -> Option<SessionId> {
        match self {
            Self::Session(entry) => Some(entry.id),
            Self::Rest(..) => None,
        }
    }
}

/// How a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// By its own will: told at once.
    Left,
    /// It went missing, or moved on without leaving: told when the grace is over.
    Dropped,
}

/// What a user is to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Member,
    Stranger,
    /// There is nothing any more that one could be a member of.
    Gone,
}

/// What a room is told.
#[derive(Debug)]
pub(crate) enum RoomMessage {
    /// A session wants in.
    Join(Arc<SessionEntry>, Reply),
    /// A session goes, for good.
    Depart(Arc<SessionEntry>, Departure, Reply),
    /// A session's connection is gone; it may come back for its seat.
    Away(Arc<SessionEntry>),
    /// A session takes the seat of one that is away, and hears what that one missed.
    Return {
        old: Arc<SessionEntry>,
        new: Arc<SessionEntry>,
    },
    /// May this user be in the room? What cannot be said is not answered.
    Vouch(UserId, oneshot::Sender<Standing>),
    /// A session has recovered: its seat is its new connection's.
    Renew {
        old: Arc<SessionEntry>,
        new: Arc<SessionEntry>,
    },
    /// A session that was on another node, and is away, is to have a seat, with what it missed.
    Adopt(Adoption),
    /// A session goes to another node: how far was it told the room's log? `None`: nobody can say.
    Release(Arc<SessionEntry>, oneshot::Sender<Option<u64>>),
    /// A task is to be changed, or a change announced.
    Task(Author, Box<TaskCommand>, Reply),
    /// A message is to be written.
    Post(Author, MessageDraft, Reply),
    /// A session types, or has stopped.
    Typing(Arc<SessionEntry>, bool, Reply),
    /// An event is to be told that other rooms are told as well.
    Tell(Arc<Shared>, Reply),
    /// Another program has changed a task, or made it for this user. Other nodes see it too, by this name.
    Elsewhere(TaskId, Seen, EntryId),
    /// Something was missed: everybody is told to reload.
    Resync(oneshot::Sender<()>),
    /// A user has another name or email from now on.
    UserChanged(Arc<UserBrief>),
    /// Memberships have changed: read them anew, and let nobody stay who is none any more.
    MembershipChanged(oneshot::Sender<()>),
    /// Say so when nothing is under way any more that other nodes are to be told of.
    Settle(oneshot::Sender<()>),
    /// What the room belongs to is gone: let nobody stay.
    Close(oneshot::Sender<()>),
}
