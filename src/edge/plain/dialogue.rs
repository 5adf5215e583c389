//! What the frames of plain WebSocket mean. Pure.

use collabflow_actors::node::{AckId, Inbound, Request};
use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    plain::{self, DecodeError, Message},
    validate::Unknown,
};

use crate::edge::live::request::{self, Auth, Token};

/// The frame that brings a token.
pub(super) const AUTH: &str = "auth";
/// What the error of a frame names that has no event.
const MESSAGE: &str = "message";

/// The first frame of a connection that came without a token.
pub(super) struct Opening {
    pub(super) token: Token,
    pub(super) ack: Option<AckId>,
}

impl Opening {
    /// Anything but an `auth` frame brings no token.
    pub(super) fn read(text: &str) -> Self {
        let message = plain::decode(text).ok().filter(|m| m.event == AUTH);
        Self {
            token: Auth::read(message.as_ref().and_then(|message| message.data)).token,
            ack: message.as_ref().and_then(ack),
        }
    }
}

/// Reads a frame of a session.
pub(super) fn read(text: &str, unknown: Unknown) -> Inbound {
    match plain::decode(text) {
        Ok(message) => Inbound {
            event: event(&message, unknown),
            ack: ack(&message),
            name: message.event.into_owned(),
        },
        Err(error) => bad_message(&error),
    }
}

/// A binary frame is refused as an event would be.
pub(super) fn binary() -> Inbound {
    refused(
        ErrorCode::ValidationFailed,
        "Binary frames are not supported: send text",
    )
}

fn event(message: &Message<'_>, unknown: Unknown) -> Result<Request, ClientError> {
    request::parse(&message.event, message.data.as_slice(), unknown)
}

fn ack(message: &Message<'_>) -> Option<AckId> {
    message.id.map(|id| AckId::Raw(id.to_owned()))
}

fn bad_message(error: &DecodeError) -> Inbound {
    match error {
        DecodeError::MalformedJson => refused(ErrorCode::BadJson, "The frame is not valid JSON"),
        DecodeError::InvalidMessage => refused(
            ErrorCode::ValidationFailed,
            "A frame is an object with an event, data and perhaps an id",
        ),
        DecodeError::InvalidId => refused(
            ErrorCode::ValidationFailed,
            "The id must be a number or a string",
        ),
    }
}

fn refused(code: ErrorCode, message: &str) -> Inbound {
    Inbound {
        name: MESSAGE.into(),
        event: Err(ClientError::new(code, message)),
        ack: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frame_brings_a_token_or_none() {
        for (text, token) in [
            (r#"{"event":"auth","data":{"token":"t"},"id":1}"#, Some("t")),
            (r#"{"event":"auth","data":{"token":7}}"#, Some("not text")),
            (r#"{"event":"auth","data":{}}"#, None),
            (r#"{"event":"auth","data":"t"}"#, None),
            (r#"{"event":"auth"}"#, None),
            (r#"{"event":"join:project","data":{"token":"t"}}"#, None),
            ("nonsense", None),
        ] {
            assert_eq!(Opening::read(text).token.as_deref(), token, "{text}");
        }
        assert!(Opening::read(r#"{"event":"auth","id":"a"}"#).ack.is_some());
    }

    #[test]
    fn what_is_no_message_is_refused_by_its_cause() {
        for (text, name, code) in [
            ("{", "message", ErrorCode::BadJson),
            ("[1]", "message", ErrorCode::ValidationFailed),
            (
                r#"{"event":"x","id":{}}"#,
                "message",
                ErrorCode::ValidationFailed,
            ),
            (r#"{"event":"no:such"}"#, "no:such", ErrorCode::NotFound),
            (r#"{"event":"chat:join"}"#, "chat:join", ErrorCode::BadId),
        ] {
            let inbound = read(text, Unknown::Ignore);
            assert_eq!(inbound.name, name);
            assert_eq!(inbound.event.expect_err(text).code, code);
        }
    }

    #[test]
    fn a_fresh_token_is_read_as_over_socket_io() {
        let text = r#"{"event":"auth:refresh","data":{"token":"t"}}"#;
        let request = read(text, Unknown::Ignore).event;
        assert!(matches!(request, Ok(Request::Refresh(Some(token))) if token == "t"));
    }
}
