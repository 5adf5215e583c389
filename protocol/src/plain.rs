//! The plain WebSocket form, for clients without Socket.IO: one JSON object a text frame.
//!
//! `{"event","data","id"?}` in either direction; a frame with an `id` is answered
//! `{"event":"ack","id","data"}`, the id exactly as the client wrote it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::frame::{EncodeError, Frame, FrameWriter};

/// The event that answers a frame with an `id`.
pub const ACK_EVENT: &str = "ack";
/// Room for keys, quotes and brackets.
const ENVELOPE_BYTES: usize = 32;
/// Room for a value whose size is not known.
const VALUE_BYTES: usize = 256;

/// A client's frame, borrowed from its text.
#[derive(Debug, Clone, Deserialize)]
pub struct Message<'a> {
    /// The event's name.
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    /// The event's payload; `null` counts as absent.
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
    /// A number or a string that the acknowledgement repeats; `null` counts as absent.
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
}

/// A text frame that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text is not JSON.
    #[error("malformed JSON")]
    MalformedJson,
    /// The JSON is no object with a string as `event`, each key once.
    #[error("a message is an object with an event")]
    InvalidMessage,
    /// The `id` is neither a number nor a string.
    #[error("id is neither a number nor a string")]
    InvalidId,
}

/// Reads a text frame. Keys other than the three are ignored.
///
/// # Errors
/// When the text is not a message.
pub fn decode(text: &str) -> Result<Message<'_>, DecodeError> {
    let message: Message<'_> =
        serde_json::from_str(text).map_err(|error| match error.classify() {
            Category::Data => DecodeError::InvalidMessage,
            Category::Io | Category::Syntax | Category::Eof => DecodeError::MalformedJson,
        })?;
    // A derived struct can also be read from an array of its fields.
    if !text.trim_start().starts_with('{') {
        return Err(DecodeError::InvalidMessage);
    }
    match message.id.map(|id| id.get().as_bytes()[0]) {
        None | Some(b'"' | b'-' | b'0'..=b'9') => Ok(message),
        Some(_) => Err(DecodeError::InvalidId),
    }
}

/// An event: `{"event":name,"data":data}`.
///
/// # Errors
/// When the data's own `Serialize` fails.
pub fn event<T: Serialize + ?Sized>(name: &str, data: &T) -> Result<Frame, EncodeError> {
    let mut writer = begin(name, VALUE_BYTES);
    writer.push_str(r#","data":"#);
    writer.push_json(data)?;
    Ok(end(writer))
}

/// An event whose data is ready.
#[must_use]
pub fn event_raw(name: &str, data: &RawValue) -> Frame {
    let mut writer = begin(name, data.get().len());
    writer.push_str(r#","data":"#);
    writer.push_raw(data);
    end(writer)
}

/// The answer to a frame with an `id`: `{"event":"ack","id":id,"data":data}`.
///
/// # Errors
/// When the data's own `Serialize` fails.
pub fn ack<T: Serialize + ?Sized>(id: &RawValue, data: &T) -> Result<Frame, EncodeError> {
    let mut writer = begin_ack(id, VALUE_BYTES);
    writer.push_json(data)?;
    Ok(end(writer))
}

/// The answer to a frame with an `id`, its data ready.
#[must_use]
pub fn ack_raw(id: &RawValue, data: &RawValue) -> Frame {
    let mut writer = begin_ack(id, data.get().len());
    writer.push_raw(data);
    end(writer)
}

fn begin_ack(id: &RawValue, data_bytes: usize) -> FrameWriter {
    let mut writer = begin(ACK_EVENT, id.get().len() + data_bytes);
    writer.push_str(r#","id":"#);
    writer.push_raw(id);
    writer.push_str(r#","data":"#);
    writer
}

fn begin(event: &str, rest_bytes: usize) -> FrameWriter {
    let mut writer = FrameWriter::with_capacity(ENVELOPE_BYTES + event.len() + rest_bytes);
    writer.push_str(r#"{"event":"#);
    writer.push_json_str(event);
    writer
}

fn end(mut writer: FrameWriter) -> Frame {
    writer.push_str("}");
    writer.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn raw(value: &Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).expect("a value is JSON")
    }

    fn text(frame: &Frame) -> &str {
        std::str::from_utf8(frame.as_text()).expect("frames are text")
    }

    #[test]
    fn a_message_is_read_without_a_copy() {
        let frame = r#"{"event":"task:update","data":{"taskId":"x"},"id":7}"#;
        let message = decode(frame).expect("a message");
        assert!(matches!(message.event, Cow::Borrowed("task:update")));
        assert_eq!(message.data.map(RawValue::get), Some(r#"{"taskId":"x"}"#));
        assert_eq!(message.id.map(RawValue::get), Some("7"));
    }

    #[test]
    fn order_space_unknown_keys_and_nulls_do_not_matter() {
        let message =
            decode(" { \"x\": [[]], \"id\" : null , \"data\":null, \"event\" : \"a\\u0062\" } ")
                .expect("a message");
        assert_eq!(message.event, "ab");
        assert!(message.data.is_none() && message.id.is_none());
        let message = decode(r#"{"event":"e"}"#).expect("a message");
        assert!(message.data.is_none() && message.id.is_none());
    }

    #[test]
    fn what_is_no_message_is_refused_by_its_cause() {
        for (frame, expected) in [
            ("", DecodeError::MalformedJson),
            ("hello", DecodeError::MalformedJson),
            (r#"{"event":"e""#, DecodeError::MalformedJson),
            (r#"{"event":"e"} x"#, DecodeError::MalformedJson),
            (r#"{"event":"e","data":}"#, DecodeError::MalformedJson),
            ("1", DecodeError::InvalidMessage),
            ("null", DecodeError::InvalidMessage),
            (r#"{"data":1}"#, DecodeError::InvalidMessage),
            (r#"{"event":1}"#, DecodeError::InvalidMessage),
            (r#"{"event":"a","event":"b"}"#, DecodeError::InvalidMessage),
            (r#"["e",1,2]"#, DecodeError::InvalidMessage),
            (r#" ["e",1,2]"#, DecodeError::InvalidMessage),
            (r#"{"event":"e","id":true}"#, DecodeError::InvalidId),
            (r#"{"event":"e","id":{}}"#, DecodeError::InvalidId),
            (r#"{"event":"e","id":[1]}"#, DecodeError::InvalidId),
        ] {
            assert_eq!(
                decode(frame).map(|message| message.event),
                Err(expected),
                "{frame}"
            );
        }
    }

    #[test]
    fn an_id_is_echoed_as_it_was_written() {
        for id in [
            "0",
            "-1",
            "1.0",
            "1e2",
            "123456789012345678901234567890",
            r#""a\u0062""#,
            r#""""#,
        ] {
            let frame = format!(r#"{{"event":"e","id":{id}}}"#);
            let id_read = decode(&frame).expect("a message").id.expect("an id");
            let expected = format!(r#"{{"event":"ack","id":{id},"data":{{"ok":true}}}}"#);
            assert_eq!(
                text(&ack(id_read, &json!({ "ok": true })).expect("JSON")),
                expected
            );
            assert_eq!(
                text(&ack_raw(id_read, &raw(&json!({ "ok": true })))),
                expected
            );
        }
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(400_000), "]".repeat(400_000));
        let frame = format!(r#"{{"x":{deep},"event":"e","data":{deep}}}"#);
        assert_eq!(
            decode(&frame).expect("a message").data.map(RawValue::get),
            Some(deep.as_str())
        );
    }

    proptest! {
        #[test]
        fn an_event_is_read_as_it_was_written(name in any::<String>(), value in any::<String>()) {
            let data = json!({ "value": value });
            let frame = event(&name, &data).expect("JSON");
            prop_assert_eq!(&frame, &event_raw(&name, &raw(&data)));
            let message = decode(text(&frame)).expect("a message");
            prop_assert_eq!(&*message.event, &name);
            let read: Value = serde_json::from_str(message.data.expect("data").get()).expect("JSON");
            prop_assert_eq!(read, data);
        }

        #[test]
        fn junk_never_panics(text in "([\\[\\]{}:,\"0-9\\\\]|\"event\":|\"id\":|\"e\"|\\PC){0,40}") {
            let _ = decode(&text);
        }
    }
}
