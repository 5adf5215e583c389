//! Values to the text of Socket.IO packets in the default namespace, each behind the Engine.IO `4`.
//!
//! Data that goes out in several wire forms is serialized once by the caller and passed as a [`RawValue`], which
//! vouches for its JSON; the functions that serialize by themselves can fail only where the value's `Serialize` does.

use serde::Serialize;
use serde_json::value::RawValue;

use super::DEFAULT_NAMESPACE;
use crate::frame::{EncodeError, Frame, FrameWriter};

/// Room for what surrounds a value: digits, brackets, quotes.
const ENVELOPE_BYTES: usize = 32;
/// Room for a value whose size is not known.
const VALUE_BYTES: usize = 256;
/// Room for an offset with its quotes and comma.
const OFFSET_BYTES: usize = 24;

/// Writes an event with any number of arguments.
#[derive(Debug)]
pub struct EventWriter {
    writer: FrameWriter,
}

impl EventWriter {
    /// Begins an event; `argument_bytes` is what its arguments are expected to take.
    #[must_use]
    pub fn new(name: &str, argument_bytes: usize) -> Self {
        let mut writer =
            FrameWriter::with_capacity(r#"42[""]"#.len() + name.len() + argument_bytes);
        writer.push_str("42[");
        writer.push_json_str(name);
        Self { writer }
    }

    /// Adds a value.
    ///
    /// # Errors
    /// When the value's own `Serialize` fails.
    pub fn argument<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self, EncodeError> {
        self.writer.push_str(",");
        self.writer.push_json(value)?;
        Ok(self)
    }

    /// Adds JSON that is ready.
    #[must_use]
    pub fn raw(mut self, json: &RawValue) -> Self {
        self.writer.push_str(",");
        self.writer.push_raw(json);
        self
    }

    /// Adds the offset of connection state recovery, which must be the last argument.
    #[must_use]
    pub fn offset(mut self, offset: &str) -> Self {
        self.writer.push_str(",");
        self.writer.push_json_str(offset);
        self
    }

    /// Ends the event.
    #[must_use]
    pub fn finish(mut self) -> Frame {
        self.writer.push_str("]");
        self.writer.finish()
    }
}

/// An event with one argument: `42["name",argument]`.
///
/// # Errors
/// When the argument's own `Serialize` fails.
pub fn event<T: Serialize + ?Sized>(name: &str, argument: &T) -> Result<Frame, EncodeError> {
    Ok(EventWriter::new(name, VALUE_BYTES)
        .argument(argument)?
        .finish())
}

/// An event whose argument is ready, with an offset for clients that recover.
#[must_use]
pub fn event_raw(name: &str, argument: &RawValue, offset: Option<&str>) -> Frame {
    let offset_bytes = offset.map_or(0, |offset| r#","""#.len() + offset.len());
    let event =
        EventWriter::new(name, ",".len() + argument.get().len() + offset_bytes).raw(argument);
    match offset {
        Some(offset) => event.offset(offset).finish(),
        None => event.finish(),
    }
}

/// A ready event once more, with an offset as its last argument. The offset is text that JSON need not escape.
#[must_use]
pub fn with_offset(event: &Frame, offset: impl std::fmt::Display) -> Frame {
    let mut writer = FrameWriter::with_capacity(event.len() + OFFSET_BYTES);
    writer.push_open(event);
    writer.push_str(",");
    writer.push_plain_str(offset);
    writer.push_str("]");
    writer.finish()
}

/// The acknowledgement of an event, with one value: `43<id>[argument]`.
///
/// # Errors
/// When the argument's own `Serialize` fails.
pub fn ack<T: Serialize + ?Sized>(id: u64, argument: &T) -> Result<Frame, EncodeError> {
    let mut writer = begin_ack(id, VALUE_BYTES);
    writer.push_json(argument)?;
    writer.push_str("]");
    Ok(writer.finish())
}

/// The acknowledgement of an event, its value ready.
#[must_use]
pub fn ack_raw(id: u64, argument: &RawValue) -> Frame {
    let mut writer = begin_ack(id, argument.get().len());
    writer.push_raw(argument);
    writer.push_str("]");
    writer.finish()
}

fn begin_ack(id: u64, argument_bytes: usize) -> FrameWriter {
    let mut writer = FrameWriter::with_capacity(ENVELOPE_BYTES + argument_bytes);
    writer.push_str("43");
    writer.push_number(id);
    writer.push_str("[");
    writer
}

/// The reply to a CONNECT; `pid` is the secret that a client comes back with.
#[must_use]
pub fn connect(sid: &str, pid: Option<&str>) -> Frame {
    let mut writer =
        FrameWriter::with_capacity(ENVELOPE_BYTES + sid.len() + pid.map_or(0, str::len));
    writer.push_str(r#"40{"sid":"#);
    writer.push_json_str(sid);
    if let Some(pid) = pid {
        writer.push_str(r#","pid":"#);
        writer.push_json_str(pid);
    }
    writer.push_str("}");
    writer.finish()
}

/// The refusal of a CONNECT, for any namespace that was asked for. `code` becomes `data: {code}`, for programs.
#[must_use]
pub fn connect_error(namespace: &str, message: &str, code: Option<&str>) -> Frame {
    let text_bytes = namespace.len() + message.len() + code.map_or(0, str::len);
    let mut writer = FrameWriter::with_capacity(2 * ENVELOPE_BYTES + text_bytes);
    writer.push_str("44");
    if namespace != DEFAULT_NAMESPACE {
        writer.push_str(namespace);
        writer.push_str(",");
    }
    writer.push_str(r#"{"message":"#);
    writer.push_json_str(message);
    if let Some(code) = code {
        writer.push_str(r#","data":{"code":"#);
        writer.push_json_str(code);
        writer.push_str("}");
    }
    writer.push_str("}");
    writer.finish()
}

/// Puts the client out of the namespace. A stock client does not come back after it.
#[must_use]
pub const fn disconnect() -> Frame {
    Frame::from_static(b"\x81\x0241")
}
