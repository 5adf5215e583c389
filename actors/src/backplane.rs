//! The `Backplane` trait: what joins nodes to a cluster, and the written contract of it.
//!
//! # Contract
//! - **One order.** Each room has a log. An entry gets the next offset in it, and a stamp that is greater than that of any
//!   entry before it in any room; both are given once, by one atomic step that also tells every subscriber.
//! - **Once.** An entry is known by its id: one that was appended before has the place that it got then.
//! - **In turn.** An entry that says which version of a task it tells is refused where an earlier one is missing, and
//!   where a later one is there already.
//! - **No silent hole.** Offsets are dense. A log that was lost begins anew under another epoch.
//! - **Bounded.** A log keeps its last entries, for a while; what it no longer has, nobody can be given.
//! - **Messages** that are passed on have no place and may be lost.
//!
//! What comes in from others, and of our own entries, is handed to the listener in the order in which it was given.

use std::time::Duration;

use bytes::Bytes;
use collabflow_protocol::id::TaskId;
use futures_util::future::BoxFuture;

use crate::key::RoomKey;

/// The answer to a call; the call has been made already.
pub type Answer<T> = BoxFuture<'static, Result<T, BackplaneError>>;

/// Why the backplane could not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackplaneError {
    /// It is away, full, or refuses; what was asked for may have been done all the same.
    #[error("the backplane is away: {0}")]
    Away(String),
    /// It gave an answer that makes no sense.
    #[error("the backplane answered nonsense: {0}")]
    Nonsense(String),
}

/// A place in a room's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which log: it changes where one was lost.
    pub epoch: String,
    /// 1 is the first entry; 0 is before it.
    pub offset: u64,
}

/// Names an entry, whoever tells it again.
pub type EntryId = u128;

/// The name of what these bytes stand for: the same on every node, and in every release.
#[must_use]
pub fn entry_id<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> EntryId {
    // FNV-1a, of 128 bits.
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = parts.into_iter().flatten();
    bytes.fold(BASIS, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
    })
}

/// An entry to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// To which room's log.
    pub room: RoomKey,
    /// By what a repeat is known.
    pub id: EntryId,
    /// The version of a task that it tells.
    pub turn: Option<Turn>,
    /// What it says.
    pub payload: Bytes,
}

/// Where an entry stands among those of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which task.
    pub task: TaskId,
    /// The version that it tells.
    pub version: u64,
    /// The version that must have been told before it, if any was lately; 0 where it tells the task whole.
    pub base: u64,
    /// That version may still be on its way: where nothing is known of the task, it is missing.
    pub is_base_new: bool,
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It has this place.
    At(Place),
    /// It was appended before, and has this place.
    Before(Place),
    /// An earlier version of its task is missing: this is the last that was told.
    Early(u64),
    /// A later version of its task was told already.
    Late,
}

/// A place, and the order of it among those of all rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// In the room's log.
    pub position: Position,
    /// Greater than that of each entry before it, of whichever room.
    pub stamp: u64,
}

/// An entry as it comes from a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its name.
    pub id: EntryId,
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub payload: Bytes,
}

/// A part of a log, to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The end; `None` is a log that nobody has written to.
    pub top: Option<Position>,
    /// All logs began after this stamp: of what came before, nothing is known. `None` where nothing is known at all.
    pub began: Option<u64>,
    /// Those entries that it still has, in their order.
    pub entries: Vec<Logged>,
}

/// The ends of some logs, all at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tops {
    /// The last stamp that was given, in whichever room; 0 where none was.
    pub stamp: u64,
    /// The ends, in the order of the rooms; `None` is a log that nobody has written to.
    pub tops: Vec<Option<Position>>,
}

/// A table of what nodes remember together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// Who is present in a room, by node and user.
    Here(RoomKey),
    /// The sessions of all nodes, by their secrets.
    Sessions,
}

impl Table {
    /// For how long it is kept when nobody puts anything there.
    #[must_use]
    pub const fn kept_for(self) -> Duration {
        match self {
            Self::Here(_) | Self::Sessions => Duration::from_hours(7 * 24),
        }
    }
}

/// What comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// An entry of a room that is subscribed to.
    Entry(RoomKey, Logged),
    /// What another node passes on to a room's members.
    Passing(RoomKey, Bytes),
    /// What another node says to all nodes.
    Said(Bytes),
    /// The connection is there, and every subscription of it was made anew: pushes may have been missed before.
    Up,
    /// The connection is gone.
    Down,
}

/// What joins nodes. See the module's head for what holds for every method.
pub trait Backplane: Send + Sync + 'static {
    /// Whether it answers.
    fn ping(&self) -> Answer<()>;
    /// Begins to hear a room; answered when it does.
    fn subscribe(&self, room: RoomKey) -> Answer<()>;
    /// Hears it no more.
    fn unsubscribe(&self, room: RoomKey);
    /// Appends an entry, and tells it.
    fn append(&self, append: Append) -> Answer<Appended>;
    /// The entries of a room after an offset.
    fn since(&self, room: RoomKey, offset: u64) -> Answer<Tail>;
    /// The ends of these rooms' logs.
    fn tops(&self, rooms: Vec<RoomKey>) -> Answer<Tops>;
    /// Passes something on to the members of a room on other nodes.
    fn pass(&self, room: RoomKey, payload: Bytes);
    /// Says something to all nodes.
    fn say(&self, payload: Bytes);
    /// Puts a value into a table, or takes it out. Nobody waits for it; it is done before what is said later. A table is
    /// kept for [`Table::kept_for`] after that.
    fn put(&self, table: Table, field: String, value: Option<Bytes>);
    /// Takes a value out of a table: of several who try, one has it.
    fn take(&self, table: Table, field: String) -> Answer<Option<Bytes>>;
    /// Everything that is in a table.
    fn all(&self, table: Table) -> Answer<Vec<(String, Bytes)>>;
    /// Keeps tables as if something had been put there now. Nobody waits for it.
    fn keep(&self, tables: Vec<Table>);
}
