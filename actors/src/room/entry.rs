//! What has happened in a room, as an entry of its log: what its members are to hear of, wherever they are connected.
//!
//! A commit makes an entry of what the store has answered, and tells nothing; to deliver an entry is all that tells and
//! remembers it. So whoever delivers the same entries in the same order tells the same.

use std::{sync::Arc, time::Duration};

use collabflow_protocol::{
    event::ServerEvent,
    id::{TaskId, UserId},
    model::{Message, Status, Task, TaskField, UserBrief},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    announcement::Announcement, effect::Audience, message::Author, shared::Shared,
    state::RoomState, told::Kind,
};
use crate::{
    backplane::{EntryId, entry_id},
    id::SessionId,
    key::RoomKey,
    node::Echo,
};

/// What was stored longer ago than this has reached the log, or waits at a node that is cut off from it.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// An entry of a room's log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// A task was changed.
    Changed(Changed),
    /// Somebody announced a change.
    Announced(Announced),
    /// A task is gone, by another program.
    Gone(TaskId),
    /// A message was written.
    Posted(Arc<Message>),
    /// An event for several rooms.
    Shared(Arc<Shared>),
    /// Nobody knows what somebody was not told: everybody is to reload.
    Missed,
}

/// Who has done something, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct By {
    pub(crate) user: Arc<UserBrief>,
    pub(crate) origin: Origin,
}

/// How something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// Over this session, which has its answer.
    Session(SessionId),
    /// By REST, which leaves these out.
    Rest(Echo),
}

/// A change of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Changed {
    pub(crate) by: By,
    pub(crate) kind: Kind,
    /// The column that the task was in before.
    pub(crate) from: Status,
    /// What it really changed.
    pub(crate) fields: Vec<TaskField>,
    /// The task after it; of a deleted one, as it was last.
    pub(crate) task: Arc<Task>,
    /// Its index in its column after it, where that was part of the change.
    pub(crate) index: Option<u64>,
    /// The version that must have been told before it.
    pub(crate) base: u64,
    /// That version was stored so lately that it may still be on its way to the log.
    #[serde(skip)]
    pub(crate) is_base_new: bool,
    /// After how long whoever it leaves out is told, unless it is announced: for changes that may have no announcement.
    pub(crate) told_after: Option<Duration>,
}

/// An announcement, and what is stored of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Announced {
    pub(crate) user: Arc<UserBrief>,
    /// Who announced it.
    pub(crate) sender: SessionId,
    pub(crate) announcement: Box<Announcement>,
    pub(crate) found: Found,
}

/// What is stored of an announced task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Found {
    /// As it is, its index, and what of it nobody has been told.
    Stored(Arc<Task>, u64, Vec<TaskField>),
    /// It is gone, and whether nobody has been told.
    Gone(bool),
}

/// The name of an entry of this room's log that tells what has this name everywhere.
pub(crate) fn name_in(room: RoomKey, id: EntryId) -> EntryId {
    entry_id([&id.to_be_bytes()[..], room.to_string().as_bytes()])
}

impl By {
    /// The session that has its answer, if it was done over one.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self.origin {
            Origin::Session(session) => Some(session),
            Origin::Rest(_) => None,
        }
    }

    pub(crate) fn user_id(&self) -> UserId {
        self.user.id
    }
}

impl From<&Author> for By {
    fn from(author: &Author) -> Self {
        let origin = match author {
            Author::Session(entry) => Origin::Session(entry.id),
            Author::Rest(caller, _) => Origin::Rest(caller.echo),
        };
        Self {
            user: author.user(),
            origin,
        }
    }
}

/// Whether what is stored of a task may still be on its way to the log. Nodes' clocks may differ a little.
pub(crate) fn is_new(task: &Task, now: Timestamp) -> bool {
    let age = now.millis().saturating_sub(task.updated_at.millis());
    u128::try_from(age).is_ok_and(|age| age < ON_ITS_WAY.as_millis()) || age < 0
}

impl Changed {
    /// What became of the one task is the other.
    pub(crate) fn new(
        by: impl Into<By>,
        kind: Kind,
        before: Option<&Task>,
        after: &Arc<Task>,
        index: Option<u64>,
    ) -> Self {
        let fields = before.map_or_else(
            || TaskField::ALL.to_vec(),
            |before| TaskField::changed(before, after),
        );
        Self {
            by: by.into(),
            from: before.unwrap_or(after).status.clone(),
            fields,
            task: Arc::clone(after),
            index,
            base: before.map_or(0, |before| before.version),
            is_base_new: before.is_some_and(|before| is_new(before, after.updated_at)),
            told_after: None,
            kind,
        }
    }
}

impl RoomState {
    /// Tells the members of an entry, and remembers what announcements are judged by.
    pub(super) fn deliver(&mut self, entry: Entry, now: Instant) {
        match entry {
            Entry::Changed(changed) => self.deliver_change(changed, now),
            Entry::Announced(announced) => self.deliver_announcement(&announced, now),
            Entry::Gone(task) => self.deliver_gone(task),
            Entry::Posted(message) => {
                self.tell(ServerEvent::NewMessage(message), Audience::All);
            }
            Entry::Shared(shared) => self.deliver_shared(shared),
            Entry::Missed => self.resync(),
        }
    }
}
