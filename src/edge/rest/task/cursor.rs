//! `X-Next-Cursor`: a place in a task list, as text that means nothing to clients.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use collabflow_actors::store::TaskCursor;
use collabflow_protocol::{id::ObjectId, time::Timestamp};
use warp::http::HeaderValue;

pub(super) fn write(cursor: TaskCursor) -> HeaderValue {
    let mut bytes = cursor.created_at.millis().to_be_bytes().to_vec();
    bytes.extend(cursor.id.0.bytes());
    let text = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    HeaderValue::from_str(&text).expect("base64 is plain text")
}

pub(super) fn read(text: &str) -> Option<TaskCursor> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim()).ok()?;
    let (millis, id) = bytes.split_first_chunk::<8>()?;
    Some(TaskCursor {
        created_at: Timestamp::from_millis(i64::from_be_bytes(*millis)).ok()?,
        id: ObjectId::from_bytes(id.try_into().ok()?).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_does() {
        let cursor = TaskCursor {
            created_at: Timestamp::from_millis(1_764_000_000_123).expect("a date"),
            id: "64b7f3a2c9e77a0012345678".parse().expect("an id"),
        };
        let text = write(cursor);
        assert_eq!(read(text.to_str().expect("text")), Some(cursor));
        for text in ["", "x", "MTIz", "f_________________________8"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
