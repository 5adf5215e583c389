//! What the engine can be told about its ways.

use std::time::Duration;

/// What the engine can be told about its ways.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a dropped user may stay away without having left (`presence.grace`).
    pub presence_grace: Duration,
    /// How long a session may be away and still come back to its rooms (`recovery.window`).
    pub recovery_window: Duration,
    /// Whether a session may come back to its rooms at all (`recovery.rejoin`).
    pub rejoin: bool,
    /// Which sessions can recover (`recovery.mode`).
    pub recovery: RecoveryMode,
    /// Bytes that such a session keeps of what it may have to be told again (`recovery.bytes`).
    pub recovery_bytes_max: usize,
    /// For how long a membership that was read is good (`membership.max_age`).
    pub membership_max_age: Duration,
    /// Whether `task:*` events may change tasks, or only announce (`tasks.write_by_socket`).
    pub write_by_socket: bool,
    /// Rooms that one session may be in (`limits.rooms_per_session`).
    pub rooms_per_session_max: usize,
    /// How long who waits for the store is kept waiting (`mongodb.timeout`).
    pub store_timeout: Duration,
}

/// Which sessions can recover: be the same session again after a dropped connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryMode {
    /// Those that ask for it.
    OptIn,
    /// All of Socket.IO's.
    Always,
    /// None.
    Off,
}
