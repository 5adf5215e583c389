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
    Settings,
    connection::Connection,
    dialogue::{Connect, Dialogue, Step},
};
use crate::{
    auth::Admission,
    edge::live::{Allowance, Passage, Speaker, slow_down},
};

pub(super) struct Packets {
    dialogue: Dialogue,
    allowance: Allowance,
    speaker: Option<Speaker>,
}

impl Packets {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            dialogue: Dialogue::default(),
            allowance: Allowance::new(settings),
            speaker: None,
        }
    }

    /// Takes an Engine.IO packet; waits while the session has too much to do already.
    pub(super) async fn take(
        &mut self,
        packet: engine::Packet<'_>,
        connection: &Connection,
    ) -> Result<(), CloseReason> {
        let step = self.dialogue.take(packet, connection.context().unknown)?;
        if let Step::Event(inbound) = step {
            return match &self.speaker {
                Some(speaker) => {
                    let rules = connection.rules();
                    speaker.take(inbound, &mut self.allowance, rules).await
                }
                None => Ok(()),
            };
        }
        let is_admitted = self.count(connection)? == Passage::Admitted;
        match step {
            Step::Connect(connect) if is_admitted => {
                Box::pin(self.connect(connect, connection)).await;
            }
            Step::Connect(_) => refuse(&slow_down(), connection),
            Step::InvalidNamespace(namespace) if is_admitted => {
                let frame = socket::connect_error(&namespace, "Invalid namespace", None);
                connection.outbox.send(&frame);
            }
            Step::Pong => connection.pong(),
            Step::Disconnect => self.end(Ended::Goodbye, connection),
            Step::InvalidNamespace(_) | Step::Nothing | Step::Event(_) => {}
        }
        Ok(())
    }

    /// Takes a binary message.
    pub(super) fn take_binary(&mut self, connection: &Connection) -> Result<(), CloseReason> {
        self.count(connection)?;
        self.dialogue.take_binary()
    }

    /// Counts something that is no event.
    pub(super) fn count(&mut self, connection: &Connection) -> Result<Passage, CloseReason> {
        self.allowance.other(&connection.context().settings)
    }

    async fn connect(&mut self, connect: Connect, connection: &Connection) {
        match open(&connect, connection).await {
            Ok(speaker) => {
                self.dialogue.connected();
                self.speaker = Some(speaker);
            }
            Err(error) => refuse(&error, connection),
        }
    }

    /// The session is over.
    pub(super) fn end(&mut self, how: Ended, connection: &Connection) {
        if let Some(speaker) = self.speaker.take() {
            speaker.end(how, &connection.clock);
        }
    }
}

/// Answers a CONNECT that is not granted.
fn refuse(error: &ClientError, connection: &Connection) {
    let code = Some(error.code.as_str());
    let frame = socket::connect_error(DEFAULT_NAMESPACE, &error.message, code);
    connection.outbox.send(&frame);
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
