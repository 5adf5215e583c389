//! Where a session's outbound frames wait for its socket.

/// A session's outbound frames.
#[derive(Debug)]
pub struct Outbox {}
