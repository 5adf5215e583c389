//! Why connections end.

use std::fmt;

/// Why a session's connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The other side has closed it.
    PeerClosed,
    /// The network has broken it.
    ConnectionLost,
    /// No sign of life in time.
    PingTimeout,
    /// More is waiting than the limit allows.
    OutboxFull,
    /// What is waiting has not been taken in time.
    OutboxStalled,
    /// The client broke the protocol.
    ProtocolError,
    /// A frame or body was over the limit.
    TooLarge,
    /// The client did not connect to the namespace in time.
    ConnectTimeout,
    /// It brought no token, or a bad one, where that ends the connection.
    Unauthorized,
    /// The token by which it was let in has ended.
    TokenExpired,
    /// The client has come back by another connection.
    Replaced,
    /// It went on sending past the limit of events, or of what else costs something.
    Flood,
    /// The node is ending.
    Draining,
    /// An actor has broken.
    Internal,
}

impl CloseReason {
    /// The reason as a label of a metric.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::PeerClosed => "peer_closed",
            Self::ConnectionLost => "connection_lost",
            Self::PingTimeout => "ping_timeout",
            Self::OutboxFull => "outbox_full",
            Self::OutboxStalled => "outbox_stalled",
            Self::ProtocolError => "protocol_error",
            Self::TooLarge => "too_large",
            Self::ConnectTimeout => "connect_timeout",
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token_expired",
            Self::Replaced => "replaced",
            Self::Flood => "flood",
            Self::Draining => "draining",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerClosed => "closed by the client",
            Self::ConnectionLost => "connection lost",
            Self::PingTimeout => "ping timeout",
            Self::OutboxFull => "too much is waiting to be read",
            Self::OutboxStalled => "the client does not read",
            Self::ProtocolError => "protocol error",
            Self::TooLarge => "message too large",
            Self::ConnectTimeout => "no namespace was joined in time",
            Self::Unauthorized => "no valid token",
            Self::TokenExpired => "the token has expired",
            Self::Replaced => "the client has come back by another connection",
            Self::Flood => "too many events for too long",
            Self::Draining => "the server is ending",
            Self::Internal => "internal error",
        })
    }
}
