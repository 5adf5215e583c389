//! The Socket.IO side of a connection: does what its messages ask for ([`super::dialogue`] says what that is).

use collabflow_actors::{
    node::{Ended, Hello},
    outbox::CloseReason,
};
use collabflow_protocol::{
    engine,
    error::ClientError,
    socket::{self, DEFAULT_NAMESPACE},
};

use super::{
    connection::Connection,
    dialogue::{Connect, Dialogue, Step},
};
use crate::{auth::Admission, edge::live::Speaker};

#[derive(Default)]
pub(super) struct Packets {
    dialogue: Dialogue,
    speaker: Option<Speaker>,
}

impl Packets {
    /// Takes an Engine.IO packet; waits while the session has too much to do already.
    pub(super) async fn take(
        &mut self,
        packet: engine::Packet<'_>,
        connection: &Connection,
    ) -> Result<(), CloseReason> {
        match self.dialogue.take(packet, connection.context().unknown)? {
            Step::Nothing => {}
            Step::Pong => connection.pong(),
            Step::Connect(connect) => Box::pin(self.connect(connect, connection)).await,
            Step::InvalidNamespace(namespace) => {
                let frame = socket::connect_error(&namespace, "Invalid namespace", None);
                connection.outbox.send(&frame);
            }
            Step::Event(inbound) => {
                if let Some(speaker) = &mut self.speaker {
                    speaker.take(inbound, connection.rules()).await?;
                }
            }
            Step::Disconnect => self.end(Ended::Goodbye, connection),
        }
        Ok(())
    }

    /// Takes a binary message.
    pub(super) fn take_binary(&mut self) -> Result<(), CloseReason> {
        self.dialogue.take_binary()
    }

    async fn connect(&mut self, connect: Connect, connection: &Connection) {
        match open(&connect, connection).await {
            Ok(speaker) => {
                self.dialogue.connected();
                self.speaker = Some(speaker);
            }
            Err(error) => {
                let code = Some(error.code.as_str());
                let frame = socket::connect_error(DEFAULT_NAMESPACE, &error.message, code);
                connection.outbox.send(&frame);
            }
        }
    }

    /// The session is over.
    pub(super) fn end(&mut self, how: Ended, connection: &Connection) {
        if let Some(speaker) = self.speaker.take() {
            speaker.end(how, &connection.clock);
        }
    }
}

async fn open(connect: &Connect, connection: &Connection) -> Result<Speaker, ClientError> {
    let context = connection.context();
    let Admission { user, expires_at } = context.auth.admit(connect.token()).await?;
    let hello = Hello {
        user,
        expires_at,
        outbox: connection.outbox.clone(),
        pid: connect.pid().and_then(|pid| pid.parse().ok()),
        asks_recovery: connect.asks_recovery(),
        offset: connect.offset().and_then(|offset| offset.parse().ok()),
    };
    let session = context.node.open_session(hello).await?;
    Ok(Speaker::new(session, expires_at, connection.rules()))
}
