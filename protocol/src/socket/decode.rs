//! Text to [`Packet`]: `<type>[<attachments>-][<namespace>,][<ack id>][<json>]`.
//!
//! The rules are those of Node's parser, which closes the connection on each violation. The JSON is walked once,
//! by serde_json's iterative skipping, so nesting costs no stack; arguments stay slices of the message.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{DEFAULT_NAMESPACE, Packet};

/// The most binary attachments of one packet.
pub const ATTACHMENTS_MAX: usize = 10;
/// The most arguments of one event or acknowledgement: a bound on the memory that a hostile list of tiny ones
/// can take, far above what any client sends.
pub const ARGUMENTS_MAX: usize = 256;
/// Names that mean something to one of the ends, and so are no events.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// Text that is no Socket.IO packet. The connection it came on is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No text at all.
    #[error("empty packet")]
    Empty,
    /// The first character is no packet type.
    #[error("unknown packet type {0:?}")]
    UnknownKind(char),
    /// A binary packet without a positive number of attachments before a dash.
    #[error("illegal attachments")]
    Attachments,
    /// More attachments than [`ATTACHMENTS_MAX`].
    #[error("too many attachments")]
    TooManyAttachments,
    /// An acknowledgement without the id of its event.
    #[error("acknowledgement without an id")]
    MissingAckId,
    /// An id past 64 bits.
    #[error("acknowledgement id does not fit")]
    AckIdTooLarge,
    /// A packet that must carry JSON ends before it.
    #[error("missing payload")]
    MissingPayload,
    /// What should be JSON is not, or something follows it.
    #[error("malformed JSON")]
    MalformedJson,
    /// JSON that this type of packet cannot carry.
    #[error("invalid payload")]
    InvalidPayload,
    /// An event with a name that the protocol keeps for itself.
    #[error("reserved event name")]
    ReservedName,
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::InvalidPayload,
            Category::Io | Category::Syntax | Category::Eof => Self::MalformedJson,
        }
    }
}

/// Reads the data of one Engine.IO message.
///
/// # Errors
/// When a rule of the protocol is broken.
pub fn decode(text: &str) -> Result<Packet<'_>, DecodeError> {
    let first = text.chars().next().ok_or(DecodeError::Empty)?;
    let rest = &text[first.len_utf8()..];
    let (attachments, rest) = match first {
        '5' | '6' => take_attachments(rest)?,
        _ => (0, rest),
    };
    let (namespace, rest) = take_namespace(rest);
    let (ack, json) = take_ack(rest)?;
    match first {
        '0' => Ok(Packet::Connect {
            namespace,
            payload: optional_payload(json, &['{'])?,
        }),
        '1' if json.is_empty() => Ok(Packet::Disconnect { namespace }),
        '1' => Err(DecodeError::InvalidPayload),
        '2' => {
            let Event { name, args } = event(json)?;
            Ok(Packet::Event {
                namespace,
                ack,
                name,
                args,
            })
        }
        '3' => {
            let Arguments(args) = payload(json)?;
            Ok(Packet::Ack {
                namespace,
                ack: ack.ok_or(DecodeError::MissingAckId)?,
                args,
            })
        }
        '4' => Ok(Packet::ConnectError {
            namespace,
            payload: optional_payload(json, &['{', '"'])?,
        }),
        '5' => {
            let Event { name, .. } = event(json)?;
            Ok(Packet::BinaryEvent {
                namespace,
                ack,
                attachments,
                name,
            })
        }
        '6' => {
            payload::<Arguments<'_>>(json)?;
            Ok(Packet::BinaryAck {
                namespace,
                ack: ack.ok_or(DecodeError::MissingAckId)?,
                attachments,
            })
        }
        other => Err(DecodeError::UnknownKind(other)),
    }
}

fn take_attachments(text: &str) -> Result<(usize, &str), DecodeError> {
    let (digits, rest) = split_digits(text);
    let rest = rest.strip_prefix('-').ok_or(DecodeError::Attachments)?;
    if digits.bytes().all(|digit| digit == b'0') {
        return Err(DecodeError::Attachments);
    }
    match digits.parse() {
        Ok(count @ 1..=ATTACHMENTS_MAX) => Ok((count, rest)),
        _ => Err(DecodeError::TooManyAttachments),
    }
}

fn take_namespace(text: &str) -> (&str, &str) {
    if text.starts_with('/') {
        text.split_once(',').unwrap_or((text, ""))
    } else {
        (DEFAULT_NAMESPACE, text)
    }
}

fn take_ack(text: &str) -> Result<(Option<u64>, &str), DecodeError> {
    let (digits, rest) = split_digits(text);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    let id = digits.parse().map_err(|_| DecodeError::AckIdTooLarge)?;
    Ok((Some(id), rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// A payload that may be absent; one that is there begins with one of `openings`.
fn optional_payload<'a>(
    json: &'a str,
    openings: &[char],
) -> Result<Option<&'a RawValue>, DecodeError> {
    if json.is_empty() {
        return Ok(None);
    }
    let value: &RawValue = serde_json::from_str(json)?;
    if value.get().starts_with(openings) {
        Ok(Some(value))
    } else {
        Err(DecodeError::InvalidPayload)
    }
}

fn payload<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, DecodeError> {
    if json.is_empty() {
        return Err(DecodeError::MissingPayload);
    }
    Ok(serde_json::from_str(json)?)
}

fn event(json: &str) -> Result<Event<'_>, DecodeError> {
    let event: Event<'_> = payload(json)?;
    if RESERVED.contains(&&*event.name) {
        Err(DecodeError::ReservedName)
    } else {
        Ok(event)
    }
}

/// The array of an event: its name, then arguments.
struct Event<'a> {
    name: Cow<'a, str>,
    args: Vec<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Event<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EventVisitor;

        impl<'de> Visitor<'de> for EventVisitor {
            type Value = Event<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array that begins with an event's name")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let first: &RawValue = list
                    .next_element()?
                    .ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let name = event_name(first).ok_or_else(|| A::Error::custom("no event name"))?;
                Ok(Event {
                    name,
                    args: collect_arguments(list)?,
                })
            }
        }

        deserializer.deserialize_seq(EventVisitor)
    }
}

/// The array of an acknowledgement.
struct Arguments<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Arguments<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArgumentsVisitor;

        impl<'de> Visitor<'de> for ArgumentsVisitor {
            type Value = Arguments<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                collect_arguments(list).map(Arguments)
            }
        }

        deserializer.deserialize_seq(ArgumentsVisitor)
    }
}

fn collect_arguments<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Vec<&'de RawValue>, A::Error> {
    let mut args = Vec::new();
    while let Some(argument) = list.next_element()? {
        if args.len() == ARGUMENTS_MAX {
            return Err(A::Error::custom("too many arguments"));
        }
        args.push(argument);
    }
    Ok(args)
}

/// A string's text, borrowed unless it has escapes, or a number as it was written.
fn event_name(value: &RawValue) -> Option<Cow<'_, str>> {
    let json = value.get();
    match json.as_bytes()[0] {
        b'"' if !json.contains('\\') => Some(Cow::Borrowed(&json[1..json.len() - 1])),
        // The escape of half a surrogate pair is JSON, but no text.
        b'"' => serde_json::from_str(json).ok().map(Cow::Owned),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}
