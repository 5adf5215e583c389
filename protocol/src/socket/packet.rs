//! A decoded Socket.IO packet, borrowed from the text that carried it.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// The namespace that is never written.
pub const DEFAULT_NAMESPACE: &str = "/";

/// One packet. JSON is known to be well formed, and is not looked into.
#[derive(Debug, Clone)]
pub enum Packet<'a> {
    /// Asks to join a namespace.
    Connect {
        /// The namespace to join.
        namespace: &'a str,
        /// A JSON object (the client's `auth`), where one was sent.
        payload: Option<&'a RawValue>,
    },
    /// Leaves a namespace.
    Disconnect {
        /// The namespace to leave.
        namespace: &'a str,
    },
    /// An event.
    Event {
        /// The namespace it is for.
        namespace: &'a str,
        /// The id to acknowledge it with, where that is asked for.
        ack: Option<u64>,
        /// The event's name; a number is kept as it was written.
        name: Cow<'a, str>,
        /// What follows the name.
        args: Vec<&'a RawValue>,
    },
    /// The acknowledgement of an event.
    Ack {
        /// The namespace it is for.
        namespace: &'a str,
        /// The id that the event carried.
        ack: u64,
        /// The values of the acknowledgement.
        args: Vec<&'a RawValue>,
    },
    /// A refusal to join a namespace; no client sends it.
    ConnectError {
        /// The namespace that could not be joined.
        namespace: &'a str,
        /// A JSON object or string, where one was sent.
        payload: Option<&'a RawValue>,
    },
    /// The head of an event with binary attachments, which follow as messages of their own.
    BinaryEvent {
        /// The namespace it is for.
        namespace: &'a str,
        /// The id to acknowledge it with, where that is asked for.
        ack: Option<u64>,
        /// How many attachments follow.
        attachments: usize,
        /// The event's name.
        name: Cow<'a, str>,
    },
    /// The head of an acknowledgement with binary attachments.
    BinaryAck {
        /// The namespace it is for.
        namespace: &'a str,
        /// The id that the event carried.
        ack: u64,
        /// How many attachments follow.
        attachments: usize,
    },
}

impl<'a> Packet<'a> {
    /// The namespace that the packet is for.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        match self {
            Self::Connect { namespace, .. }
            | Self::Disconnect { namespace }
            | Self::Event { namespace, .. }
            | Self::Ack { namespace, .. }
            | Self::ConnectError { namespace, .. }
            | Self::BinaryEvent { namespace, .. }
            | Self::BinaryAck { namespace, .. } => namespace,
        }
    }
}
