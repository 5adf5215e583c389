//! Socket.IO 5: the packets inside Engine.IO messages.
//!
//! Decoding borrows from the message and checks the JSON once, without building a tree; encoding writes straight
//! into a [`Frame`](crate::frame::Frame), the Engine.IO digit included. Binary packets are recognised so that
//! they can be refused by name; their attachments are never put together.

mod decode;
mod encode;
mod packet;

pub use decode::{ARGUMENTS_MAX, ATTACHMENTS_MAX, DecodeError, decode};
pub use encode::{
    EventWriter, ack, ack_raw, connect, connect_error, disconnect, event, event_raw, with_offset,
};
pub use packet::{DEFAULT_NAMESPACE, Packet};

#[cfg(test)]
mod tests;
