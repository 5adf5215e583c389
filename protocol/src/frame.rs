//! Ready-made outbound WebSocket messages.
//!
//! A broadcast is encoded once and handed to each member as it is, so a [`Frame`] holds one whole unmasked
//! server text frame (RFC 6455, section 5.2) in one allocation: cloning it copies a pointer, a WebSocket writes
//! all of it, long-polling takes the text behind the header. Invariant: the header describes exactly the text
//! that follows it, and that text is UTF-8, because a [`FrameWriter`] accepts nothing else.

use std::fmt;
use std::io::Write as _;

use bytes::{Buf as _, Bytes};
use serde::Serialize;
use serde_json::value::RawValue;

/// FIN and the opcode of a text message.
const TEXT: u8 = 0x81;
/// FIN and the opcodes of the control frames.
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
/// The longest header of an unmasked frame: two bytes and a 64-bit length.
const HEADER_BYTES_MAX: usize = 10;
/// The largest payload that the length in the second byte can tell.
const SHORT_BYTES_MAX: usize = 125;
/// Values of the second byte that announce a 16-bit and a 64-bit length.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;
/// The longest payload of a control frame (RFC 6455, section 5.5).
pub const CONTROL_BYTES_MAX: usize = SHORT_BYTES_MAX;

/// A value whose `Serialize` refused to be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("value cannot be written as JSON")]
pub struct EncodeError(#[from] serde_json::Error);

/// One complete text message, cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A short message known at compile time; `frame` is the whole frame, its header included.
    pub(crate) const fn from_static(frame: &'static [u8]) -> Self {
        assert!(frame.len() >= 2 && frame[0] == TEXT && frame[1] as usize == frame.len() - 2);
        Self(Bytes::from_static(frame))
    }

    /// A frame around `text`, which is copied once.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut writer = FrameWriter::with_capacity(text.len());
        writer.push_str(text);
        writer.finish()
    }

    /// Header and text: what goes to a WebSocket as it is.
    #[must_use]
    pub fn websocket(&self) -> Bytes {
        self.0.clone()
    }

    /// The text alone, for long-polling.
    #[must_use]
    pub fn text(&self) -> Bytes {
        self.0.slice(self.header_bytes()..)
    }

    /// Header and text, borrowed.
    #[must_use]
    pub fn as_websocket(&self) -> &[u8] {
        &self.0
    }

    /// The text alone, borrowed.
    #[must_use]
    pub fn as_text(&self) -> &[u8] {
        &self.0[self.header_bytes()..]
    }

    /// Bytes of text.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len() - self.header_bytes()
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn header_bytes(&self) -> usize {
        match self.0[1] {
            LENGTH_64 => 10,
            LENGTH_16 => 4,
            _ => 2,
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Frame({:?})",
            String::from_utf8_lossy(self.as_text())
        )
    }
}

/// Writes the text of a [`Frame`] behind room kept for its header.
#[derive(Debug)]
pub struct FrameWriter {
    buffer: Vec<u8>,
}

impl FrameWriter {
    /// Reserves `text_bytes`; a text that turns out longer grows the buffer.
    #[must_use]
    pub fn with_capacity(text_bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(HEADER_BYTES_MAX + text_bytes);
        buffer.resize(HEADER_BYTES_MAX, 0);
        Self { buffer }
    }

    /// Appends text as it is.
    pub fn push_str(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// Appends a decimal number.
    pub fn push_number(&mut self, number: u64) {
        write!(self.buffer, "{number}").expect("memory accepts every write");
    }

    /// Appends text as a JSON string, quoted and escaped.
    pub fn push_json_str(&mut self, text: &str) {
        serde_json::to_writer(&mut self.buffer, text).expect("a string is always JSON");
    }

    /// Appends the text of a ready frame but for its last character, which must be ASCII.
    pub fn push_open(&mut self, frame: &Frame) {
        let (open, last) = frame.as_text().split_at(frame.len().saturating_sub(1));
        debug_assert!(last.is_ascii());
        self.buffer.extend_from_slice(open);
    }

    /// Appends what displays without a character that JSON would escape, as a JSON string.
    pub fn push_plain_str(&mut self, text: impl fmt::Display) {
        write!(self.buffer, "\"{text}\"").expect("memory accepts every write");
    }

    /// Appends JSON that is ready.
    pub fn push_raw(&mut self, json: &RawValue) {
        self.push_str(json.get());
    }

    /// Appends a value as JSON. After an error the text is what it was before.
    ///
    /// # Errors
    /// When the value's own `Serialize` fails.
    pub fn push_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let before = self.buffer.len();
        serde_json::to_writer(&mut self.buffer, value).map_err(|error| {
            self.buffer.truncate(before);
            EncodeError(error)
        })
    }

    /// Puts the header before the text.
    #[must_use]
    pub fn finish(mut self) -> Frame {
        let text_bytes = self.buffer.len() - HEADER_BYTES_MAX;
        let (header, header_bytes) = header(TEXT, text_bytes);
        let start = HEADER_BYTES_MAX - header_bytes;
        self.buffer[start..HEADER_BYTES_MAX].copy_from_slice(&header[..header_bytes]);
        let mut frame = Bytes::from(self.buffer);
        frame.advance(start);
        Frame(frame)
    }
}

/// A close frame. A reason past 123 bytes is cut at a character's end.
#[must_use]
pub fn close(code: u16, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    let mut payload = Vec::with_capacity(2 + reason.len());
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(reason.as_bytes());
    control(CLOSE, &payload)
}

/// A ping frame. A payload past [`CONTROL_BYTES_MAX`] is cut.
#[must_use]
pub fn ping(payload: &[u8]) -> Bytes {
    control(PING, payload)
}

/// A pong frame, which repeats the payload of the ping that it answers.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    control(PONG, payload)
}

fn control(first: u8, payload: &[u8]) -> Bytes {
    let payload = &payload[..payload.len().min(CONTROL_BYTES_MAX)];
    let (header, header_bytes) = header(first, payload.len());
    let mut frame = Vec::with_capacity(header_bytes + payload.len());
    frame.extend_from_slice(&header[..header_bytes]);
    frame.extend_from_slice(payload);
    Bytes::from(frame)
}

/// The header of an unmasked frame and how many of its bytes count; the length takes the shortest form, as the RFC demands.
fn header(first: u8, payload_bytes: usize) -> ([u8; HEADER_BYTES_MAX], usize) {
    let mut header = [0; HEADER_BYTES_MAX];
    header[0] = first;
    if payload_bytes <= SHORT_BYTES_MAX {
        header[1] = u8::try_from(payload_bytes).expect("at most 125");
        (header, 2)
    } else if let Ok(length) = u16::try_from(payload_bytes) {
        header[1] = LENGTH_16;
        header[2..4].copy_from_slice(&length.to_be_bytes());
        (header, 4)
    } else {
        header[1] = LENGTH_64;
        header[2..10].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
        (header, 10)
    }
}

#[cfg(test)]
mod tests;
