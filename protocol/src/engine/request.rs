//! What an Engine.IO request asks for, and the answer where it asks for what cannot be.
//!
//! Node checks in this order, and clients show the code, so the order is kept: the transport
//! ([`Query::parse`]); with a `sid`, that the session is known and on that transport (the caller's knowledge);
//! without one, the method and the transport's manner ([`Query::check_arrival`]), the origin (the caller's
//! again), and last the version ([`Query::check_protocol`]), which a request of a known session need not repeat.

use std::borrow::Cow;

use serde::Serialize;

use super::PROTOCOL;

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// A WebSocket.
    Websocket,
}

impl Transport {
    /// Its name in a query.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Websocket => "websocket",
        }
    }

    /// The transports that a session on this one may change to.
    #[must_use]
    pub const fn upgrades(self) -> &'static [Self] {
        match self {
            Self::Polling => &[Self::Websocket],
            Self::Websocket => &[],
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Polling, Self::Websocket]
            .into_iter()
            .find(|transport| transport.name() == name)
    }
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// As a plain HTTP request.
    Request,
    /// As the opening of a WebSocket.
    Upgrade,
}

/// The parameters of a request that mean something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The transport that the request is made for.
    pub transport: Transport,
    /// The session it belongs to; absent in a handshake.
    pub sid: Option<String>,
    version: Option<String>,
}

impl Query {
    /// Reads the part of the URL behind the question mark. A parameter given twice is a list in Node, and
    /// matches nothing; so it does here.
    ///
    /// # Errors
    /// [`HandshakeError::UnknownTransport`].
    pub fn parse(query: &str) -> Result<Self, HandshakeError> {
        let (mut transport, mut sid, mut version) = (None, None, None);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "transport" => add(&mut transport, value),
                "sid" => add(&mut sid, value),
                "EIO" => add(&mut version, value),
                _ => {}
            }
        }
        Ok(Self {
            transport: transport
                .and_then(|name| Transport::parse(&name))
                .ok_or(HandshakeError::UnknownTransport)?,
            sid: sid.filter(|sid| !sid.is_empty()),
            version,
        })
    }

    /// Checks a handshake's method, and that a WebSocket is asked for by opening one.
    ///
    /// # Errors
    /// [`HandshakeError::BadMethod`], [`HandshakeError::BadRequest`].
    pub fn check_arrival(&self, method: &str, arrival: Arrival) -> Result<(), HandshakeError> {
        if method != "GET" {
            return Err(HandshakeError::BadMethod);
        }
        match (self.transport, arrival) {
            (Transport::Websocket, Arrival::Request) => Err(HandshakeError::BadRequest),
            _ => Ok(()),
        }
    }

    /// Checks a handshake's version of the protocol.
    ///
    /// # Errors
    /// [`HandshakeError::UnsupportedProtocol`].
    pub fn check_protocol(&self) -> Result<(), HandshakeError> {
        match self.version.as_deref() {
            Some(PROTOCOL) => Ok(()),
            _ => Err(HandshakeError::UnsupportedProtocol),
        }
    }
}

/// Keeps a parameter; a second value is joined by a comma, which no valid value contains.
fn add(parameter: &mut Option<String>, value: Cow<'_, str>) {
    match parameter {
        None => *parameter = Some(value.into_owned()),
        Some(first) => {
            first.push(',');
            first.push_str(&value);
        }
    }
}

/// Why an Engine.IO request is refused; code and message are Node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum HandshakeError {
    /// No transport, or one not known.
    UnknownTransport,
    /// The `sid` is of no session here.
    UnknownSession,
    /// A handshake that is no GET.
    BadMethod,
    /// Among others, a transport that the session is not on.
    BadRequest,
    /// Refused by the server's rules, such as the origins it allows.
    Forbidden,
    /// A version other than 4.
    UnsupportedProtocol,
}

impl HandshakeError {
    /// The number in the body.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The text in the body.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSession => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedProtocol => "Unsupported protocol version",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            _ => 400,
        }
    }

    /// The JSON body of the answer.
    #[must_use]
    pub fn body(self) -> String {
        format!(
            r#"{{"code":{},"message":"{}"}}"#,
            self.code(),
            self.message()
        )
    }
}

#[cfg(test)]
mod tests;
