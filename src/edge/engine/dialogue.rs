//! What a connection's messages mean: Engine.IO packets around Socket.IO packets around events. Pure.
//!
//! The same for every transport. An `Err` is how the connection has to end.

use collabflow_actors::{
    node::{AckId, Inbound},
    outbox::CloseReason,
};
use collabflow_protocol::{
    engine::{self, PacketKind},
    error::{ClientError, ErrorCode},
    socket::{self, DEFAULT_NAMESPACE, Packet},
    validate::Unknown,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::edge::live::request::{self, Token};

/// Where in the exchange of packets a connection is.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    /// The namespace is joined.
    is_connected: bool,
    /// Binary attachments that are still to come, and are passed over.
    attachments_due: usize,
}

/// What a message asks for.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// It answers the last ping.
    Pong,
    /// The namespace is to be joined.
    Connect(Connect),
    /// A namespace that there is not is to be joined.
    InvalidNamespace(String),
    /// An event.
    Event(Box<Inbound>),
    /// The namespace is left.
    Disconnect,
}

/// What a CONNECT packet says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Connect {
    token: Token,
    pid: Option<Value>,
    offset: Option<Value>,
    recovery: Option<Value>,
}

impl Connect {
    fn read(payload: Option<&RawValue>) -> Self {
        payload
            .and_then(|payload| serde_json::from_str(payload.get()).ok())
            .unwrap_or_default()
    }

    /// The token.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The secret of the session whose place is wanted.
    pub(super) fn pid(&self) -> Option<&str> {
        self.pid.as_ref().and_then(Value::as_str)
    }

    /// How far that session was heard.
    pub(super) fn offset(&self) -> Option<&str> {
        self.offset.as_ref().and_then(Value::as_str)
    }

    /// Whether connection state recovery is asked for.
    pub(super) fn asks_recovery(&self) -> bool {
        self.recovery == Some(Value::Bool(true))
    }
}

impl Dialogue {
    /// Takes an Engine.IO packet.
    pub(super) fn take(
        &mut self,
        packet: engine::Packet<'_>,
        unknown: Unknown,
    ) -> Result<Step, CloseReason> {
        match packet.kind {
            PacketKind::Message => self.take_message(packet.data, unknown),
            PacketKind::Pong => Ok(Step::Pong),
            PacketKind::Close => Err(CloseReason::PeerClosed),
            // A client that pings has the direction of Engine.IO 3.
            _ => Err(CloseReason::ProtocolError),
        }
    }

    /// Takes a binary message: an attachment.
    pub(super) fn take_binary(&mut self) -> Result<(), CloseReason> {
        self.attachments_due = self
            .attachments_due
            .checked_sub(1)
            .ok_or(CloseReason::ProtocolError)?;
        Ok(())
    }

    /// A CONNECT was granted.
    pub(super) fn connected(&mut self) {
        self.is_connected = true;
    }

    fn take_message(&mut self, text: &str, unknown: Unknown) -> Result<Step, CloseReason> {
        if self.attachments_due > 0 {
            return Err(CloseReason::ProtocolError);
        }
        let packet = socket::decode(text).map_err(|_| CloseReason::ProtocolError)?;
        let is_ours = packet.namespace() == DEFAULT_NAMESPACE;
        match packet {
            Packet::Connect { namespace, .. } if !is_ours => {
                Ok(Step::InvalidNamespace(namespace.to_owned()))
            }
            Packet::Connect { payload, .. } if !self.is_connected => {
                Ok(Step::Connect(Connect::read(payload)))
            }
            packet if is_ours && self.is_connected => self.take_ours(packet, unknown),
            _ => Err(CloseReason::ProtocolError),
        }
    }

    fn take_ours(&mut self, packet: Packet<'_>, unknown: Unknown) -> Result<Step, CloseReason> {
        match packet {
            Packet::Event {
                name, args, ack, ..
            } => Ok(Step::Event(Box::new(Inbound {
                event: request::parse(&name, &args, unknown),
                name: name.into_owned(),
                ack: ack.map(AckId::Number),
            }))),
            Packet::BinaryEvent {
                name,
                ack,
                attachments,
                ..
            } => {
                self.attachments_due = attachments;
                let message = "Binary attachments are not supported";
                Ok(Step::Event(Box::new(Inbound {
                    event: Err(ClientError::new(ErrorCode::ValidationFailed, message)),
                    name: name.into_owned(),
                    ack: ack.map(AckId::Number),
                })))
            }
            // The server asks for no acknowledgements; one that comes nevertheless is nobody's business.
            Packet::Ack { .. } => Ok(Step::Nothing),
            Packet::BinaryAck { attachments, .. } => {
                self.attachments_due = attachments;
                Ok(Step::Nothing)
            }
            Packet::Disconnect { .. } => {
                self.is_connected = false;
                Ok(Step::Disconnect)
            }
            Packet::Connect { .. } | Packet::ConnectError { .. } => Err(CloseReason::ProtocolError),
        }
    }
}

#[cfg(test)]
mod tests;
