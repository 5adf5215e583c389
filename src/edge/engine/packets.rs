//! What a connection's messages mean: Engine.IO packets around Socket.IO packets around events.
//!
//! The same for every transport. An `Err` is how the connection has to end.

use collabflow_actors::{
    node::{Ended, Hello, Inbound, Session},
    outbox::CloseReason,
};
use collabflow_protocol::{
    engine::{self, PacketKind},
    error::{ClientError, ErrorCode},
    event::ClientEvent,
    socket::{self, DEFAULT_NAMESPACE, Packet},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::connection::Connection;

/// The Socket.IO side of a connection.
#[derive(Default)]
pub(super) struct Packets {
    session: Option<Session>,
    /// Binary attachments that are still to come, and are passed over.
    attachments_due: usize,
}

/// What a CONNECT packet says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Connect {
    token: Option<serde_json::Value>,
    pid: Option<String>,
}

impl Packets {
    /// Takes an Engine.IO packet.
    pub(super) async fn take(
        &mut self,
        packet: engine::Packet<'_>,
        connection: &Connection,
    ) -> Result<(), CloseReason> {
        match packet.kind {
            PacketKind::Message => self.take_packet(packet.data, connection).await,
            PacketKind::Pong => {
                connection.pong();
                Ok(())
            }
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

    async fn take_packet(
        &mut self,
        text: &str,
        connection: &Connection,
    ) -> Result<(), CloseReason> {
        if self.attachments_due > 0 {
            return Err(CloseReason::ProtocolError);
        }
        let packet = socket::decode(text).map_err(|_| CloseReason::ProtocolError)?;
        if packet.namespace() != DEFAULT_NAMESPACE {
            return self.take_foreign(&packet, connection);
        }
        match (packet, &self.session) {
            (Packet::Connect { payload, .. }, None) => self.connect(payload, connection).await,
            (
                Packet::Event {
                    name, args, ack, ..
                },
                Some(session),
            ) => {
                let event = ClientEvent::parse(&name, &args, connection.context().unknown);
                session
                    .receive(Inbound {
                        name: name.into_owned(),
                        event,
                        ack,
                    })
                    .await;
                Ok(())
            }
            (
                Packet::BinaryEvent {
                    attachments,
                    name,
                    ack,
                    ..
                },
                Some(session),
            ) => {
                let error = ClientError::new(
                    ErrorCode::ValidationFailed,
                    "Binary attachments are not supported",
                );
                session
                    .receive(Inbound {
                        name: name.into_owned(),
                        event: Err(error),
                        ack,
                    })
                    .await;
                self.attachments_due = attachments;
                Ok(())
            }
            // The server asks for no acknowledgements; a late one of another server's is nobody's business.
            (Packet::Ack { .. }, Some(_)) => Ok(()),
            (Packet::BinaryAck { attachments, .. }, Some(_)) => {
                self.attachments_due = attachments;
                Ok(())
            }
            (Packet::Disconnect { .. }, Some(_)) => {
                self.end(Ended::Goodbye);
                Ok(())
            }
            _ => Err(CloseReason::ProtocolError),
        }
    }

    fn take_foreign(
        &self,
        packet: &Packet<'_>,
        connection: &Connection,
    ) -> Result<(), CloseReason> {
        match packet {
            Packet::Connect { namespace, .. } => {
                connection.outbox.send(&socket::connect_error(
                    namespace,
                    "Invalid namespace",
                    None,
                ));
                Ok(())
            }
            _ => Err(CloseReason::ProtocolError),
        }
    }

    async fn connect(
        &mut self,
        payload: Option<&RawValue>,
        connection: &Connection,
    ) -> Result<(), CloseReason> {
        let connect: Connect = payload
            .and_then(|payload| serde_json::from_str(payload.get()).ok())
            .unwrap_or_default();
        match self.open(connect, connection).await {
            Ok(session) => {
                connection.connected();
                self.session = Some(session);
            }
            Err(error) => {
                let frame = socket::connect_error(
                    DEFAULT_NAMESPACE,
                    &error.message,
                    Some(error.code.as_str()),
                );
                connection.outbox.send(&frame);
            }
        }
        Ok(())
    }

    async fn open(
        &self,
        connect: Connect,
        connection: &Connection,
    ) -> Result<Session, ClientError> {
        let context = connection.context();
        // A token that is no text is a bad one; only none at all is none.
        let token = connect
            .token
            .as_ref()
            .map(|token| token.as_str().unwrap_or("not text"));
        let user = context.auth.admit(token).await?;
        let pid = connect.pid.and_then(|pid| pid.parse().ok());
        context
            .node
            .open_session(Hello {
                user,
                outbox: connection.outbox.clone(),
                pid,
            })
            .await
    }

    /// The session is over.
    pub(super) fn end(&mut self, how: Ended) {
        if let Some(session) = self.session.take() {
            session.end(how);
        }
    }
}
