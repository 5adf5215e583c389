//! Engine.IO 4: the transport layer under Socket.IO.
//!
//! Owns packets (one digit and text), polling payloads, the opening handshake, and what a request's query asks
//! for. Which sessions exist, and when a packet is due, is decided by the caller.

mod handshake;
mod packet;
mod payload;
mod request;

pub use handshake::Handshake;
pub use packet::{Packet, PacketKind, close, noop, ping, pong_probe};
pub use payload::{Part, Parts, decode_payload, encode_payload};
pub use request::{Arrival, HandshakeError, Query, Transport};

/// The version of the protocol that is spoken here, as the `EIO` parameter has it.
pub const PROTOCOL: &str = "4";

/// Text that is no Engine.IO packet. The connection it came on is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A message or a part of a payload without a single character.
    #[error("empty packet")]
    Empty,
    /// The first character is no packet type.
    #[error("unknown packet type {0:?}")]
    UnknownKind(char),
    /// A binary part whose text is not base64.
    #[error("invalid base64")]
    Base64,
}
