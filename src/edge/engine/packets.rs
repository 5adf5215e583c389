//! The Socket.IO side of a connection: does what its messages ask for ([`super::dialogue`] says what that is).

use collabflow_actors::{
    node::{Ended, Hello, Session},
    outbox::CloseReason,
};
use collabflow_protocol::{
    engine,
    error::{ClientError, ErrorCode},
    socket::{self, DEFAULT_NAMESPACE},
};
use tokio::time::Instant;

use super::{
    connection::Connection,
    dialogue::{Connect, Dialogue, Step},
    flood::{Flood, Passage},
};

#[derive(Default)]
pub(super) struct Packets {
    dialogue: Dialogue,
    session: Option<Session>,
    flood: Option<Flood>,
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
            Step::Event(mut inbound) => {
                if self.passage(connection)? == Passage::Refused {
                    inbound.event = Err(ClientError::new(
                        ErrorCode::RateLimited,
                        "Too many events: slow down",
                    ));
                }
                if let Some(session) = &self.session {
                    session.receive(inbound).await;
                }
            }
            Step::Disconnect => self.end(Ended::Goodbye),
        }
        Ok(())
    }

    fn passage(&mut self, connection: &Connection) -> Result<Passage, CloseReason> {
        let (settings, now) = (&connection.context().settings, Instant::now());
        let flood = self
            .flood
            .get_or_insert_with(|| Flood::new(settings.events_burst, now));
        match flood.judge(settings.events_per_second, settings.events_burst, now) {
            Passage::Closed => Err(CloseReason::Flood),
            passage => Ok(passage),
        }
    }

    /// Takes a binary message.
    pub(super) fn take_binary(&mut self) -> Result<(), CloseReason> {
        self.dialogue.take_binary()
    }

    async fn connect(&mut self, connect: Connect, connection: &Connection) {
        match open(&connect, connection).await {
            Ok(session) => {
                connection.connected();
                self.dialogue.connected();
                self.session = Some(session);
            }
            Err(error) => {
                let code = Some(error.code.as_str());
                let frame = socket::connect_error(DEFAULT_NAMESPACE, &error.message, code);
                connection.outbox.send(&frame);
            }
        }
    }

    /// The session is over.
    pub(super) fn end(&mut self, how: Ended) {
        if let Some(session) = self.session.take() {
            session.end(how);
        }
    }
}

async fn open(connect: &Connect, connection: &Connection) -> Result<Session, ClientError> {
    let context = connection.context();
    let user = context.auth.admit(connect.token()).await?;
    let hello = Hello {
        user,
        outbox: connection.outbox.clone(),
        pid: connect.pid().and_then(|pid| pid.parse().ok()),
    };
    context.node.open_session(hello).await
}
