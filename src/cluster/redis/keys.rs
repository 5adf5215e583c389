//! The names of everything in Redis. All have one hash tag, so that a script may touch them together in Redis Cluster.

use collabflow_actors::{
    backplane::{EntryId, Table},
    key::RoomKey,
};

/// The channel that every node hears.
pub(super) const EVERYBODY: &str = "{collabflow}:nodes";
/// The stamp over all rooms.
pub(super) const CLOCK: &str = "{collabflow}:clock";
/// What is written to see whether anything is.
pub(super) const PROBE: &str = "{collabflow}:probe";
/// Beyond what is before a room in its channel.
const CHANNEL: &str = "{collabflow}:room:";

/// Makes names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keys;

impl Keys {
    pub(super) fn channel(self, room: RoomKey) -> String {
        format!("{CHANNEL}{room}")
    }

    pub(super) fn head(self, room: RoomKey) -> String {
        format!("{{collabflow}}:head:{room}")
    }

    pub(super) fn stream(self, room: RoomKey) -> String {
        format!("{{collabflow}}:log:{room}")
    }

    pub(super) fn versions(self, room: RoomKey) -> String {
        format!("{{collabflow}}:versions:{room}")
    }

    pub(super) fn entry(self, id: EntryId) -> String {
        format!("{{collabflow}}:entry:{id:032x}")
    }

    pub(super) fn table(self, table: Table) -> String {
        match table {
            Table::Here(room) => format!("{{collabflow}}:here:{room}"),
            Table::Sessions => "{collabflow}:sessions".to_owned(),
        }
    }

    /// The room of a channel.
    pub(super) fn room(self, channel: &str) -> Option<RoomKey> {
        channel.strip_prefix(CHANNEL)?.parse().ok()
    }
}
