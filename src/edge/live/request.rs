//! What a client asks for by an event, and the tokens that it brings.

use collabflow_actors::node::{REFRESH, Request};
use collabflow_protocol::{error::ClientError, event::ClientEvent, validate::Unknown};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// Reads an event by its name and its arguments.
pub(in crate::edge) fn parse(
    name: &str,
    args: &[&RawValue],
    unknown: Unknown,
) -> Result<Request, ClientError> {
    if name == REFRESH {
        return Ok(Request::Refresh(Auth::read(args.first().copied()).token.0));
    }
    ClientEvent::parse(name, args, unknown).map(Request::Event)
}

/// `{token}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::edge) struct Auth {
    pub(in crate::edge) token: Token,
}

impl Auth {
    /// Whatever else is there, is no token.
    pub(in crate::edge) fn read(payload: Option<&RawValue>) -> Self {
        payload
            .and_then(|payload| serde_json::from_str(payload.get()).ok())
            .unwrap_or_default()
    }
}

/// A token as it came. One that is no text is a bad one; only none at all is none.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Option<Value>")]
pub(in crate::edge) struct Token(Option<String>);

impl Token {
    pub(in crate::edge) fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl From<Option<Value>> for Token {
    fn from(value: Option<Value>) -> Self {
        Self(value.map(|value| match value {
            Value::String(token) => token,
            _ => "not text".into(),
        }))
    }
}
