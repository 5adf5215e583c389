//! A plain WebSocket from its opening to its end, by one task.

use std::sync::Arc;

use collabflow_actors::{
    id::PrivateId,
    node::{Ended, Hello},
    outbox::{Broadcast, CloseReason, Outbox, OutboxLimits, Wire},
};
use collabflow_protocol::{error::ClientError, event::ServerEvent, frame};
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::dialogue::{self, AUTH, Opening};
use crate::{
    auth::{Admission, AuthError},
    edge::{
        engine::Context,
        listener::Place,
        live::{Allowance, Clock, Heartbeat, Rules, Speaker},
        websocket::{self, Message, WebSocket},
    },
};

struct Connection {
    id: PrivateId,
    context: Arc<Context>,
    outbox: Arc<Outbox>,
    clock: Clock,
}

/// How a connection ends, and what that is for the session's rooms.
struct End(CloseReason, Ended);

impl From<CloseReason> for End {
    fn from(reason: CloseReason) -> Self {
        Self(reason, Ended::Dropped)
    }
}

/// Lives as long as the connection; holds its place until the other side is gone too.
pub(super) async fn run(
    context: Arc<Context>,
    mut websocket: Box<WebSocket>,
    token: Option<String>,
    place: Option<Place>,
) {
    let connection = Connection::open(context);
    websocket.attach_to(&connection.outbox);
    let mut speaker = None;
    let End(reason, how) = connection.serve(&mut websocket, token, &mut speaker).await;
    connection.end(reason);
    if let Some(speaker) = speaker {
        speaker.end(how, &connection.clock);
    }
    drop(connection);
    if websocket::is_answered(reason) {
        Box::pin(websocket.linger()).await;
    }
    drop(place);
}

impl Connection {
    fn open(context: Arc<Context>) -> Self {
        let settings = &context.settings;
        let limits = OutboxLimits {
            bytes_max: settings.outbox_bytes,
            stall_max: settings.outbox_stall,
        };
        let heartbeat = Heartbeat::new(
            settings.ping_interval,
            settings.ping_timeout,
            settings.connect_timeout,
            tokio::time::Instant::now(),
        );
        let connection = Self {
            id: PrivateId::random(),
            outbox: Outbox::new(Wire::Plain, limits),
            clock: Clock::new(heartbeat),
            context,
        };
        let outbox = Arc::clone(&connection.outbox);
        connection.context.plain.insert(connection.id, outbox);
        if connection.context.is_draining() {
            // Those that were there have been closed already.
            connection.outbox.close(CloseReason::Draining);
        }
        connection
    }

    fn end(&self, reason: CloseReason) {
        self.context.plain.remove(&self.id);
        self.outbox.end(reason, None);
    }

    async fn serve(
        &self,
        websocket: &mut WebSocket,
        token: Option<String>,
        speaker: &mut Option<Speaker>,
    ) -> End {
        let writer = websocket.writer();
        let ping = || self.outbox.send_control(frame::ping(&[]));
        let end = tokio::select! {
            end = self.converse(websocket, token, speaker) => end,
            reason = websocket::write_on(&self.outbox, &writer) => reason.into(),
            reason = self.clock.keep(&self.outbox, ping) => reason.into(),
        };
        if end.0 == CloseReason::ConnectTimeout {
            return self.refuse(AuthError::Missing.into()).into();
        }
        end
    }

    async fn converse(
        &self,
        websocket: &mut WebSocket,
        token: Option<String>,
        speaker: &mut Option<Speaker>,
    ) -> End {
        let mut allowance = Allowance::new(&self.context.settings);
        let opened = match token {
            Some(token) => self.admit(Some(&token)).await,
            None => self.await_token(websocket, &mut allowance).await,
        };
        let speaker = match opened {
            Ok(opened) => speaker.insert(opened),
            Err(end) => return end,
        };
        loop {
            let message = match websocket.next().await {
                Ok(message) => message,
                Err(reason) => return reason.into(),
            };
            // Boxed: it is needed for a moment, and the task that this is in lives as long as the connection.
            if let Err(end) = Box::pin(self.take(message, speaker, &mut allowance)).await {
                return end;
            }
        }
    }

    /// Waits for the frame with the token: nothing else may come first.
    async fn await_token(
        &self,
        websocket: &mut WebSocket,
        allowance: &mut Allowance,
    ) -> Result<Speaker, End> {
        let opening = loop {
            match websocket.next().await? {
                Message::Text(text) => break Opening::read(&text),
                Message::Binary(_) => break Opening::read(""),
                Message::Close(_) => return Err(CloseReason::PeerClosed.into()),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                    allowance.other(&self.context.settings)?;
                }
            }
        };
        let speaker = Box::pin(self.admit(opening.token.as_deref())).await?;
        if let Some(ack) = opening.ack {
            self.outbox.send(&ack.frame(&json!({ "ok": true })));
        }
        Ok(speaker)
    }

    async fn admit(&self, token: Option<&str>) -> Result<Speaker, End> {
        let opened = self.open_session(token).await;
        opened.map_err(|error| self.refuse(error).into())
    }

    async fn open_session(&self, token: Option<&str>) -> Result<Speaker, ClientError> {
        let Admission { user, expires_at } = self.context.auth.admit(token).await?;
        let hello = Hello {
            user,
            expires_at,
            outbox: Arc::clone(&self.outbox),
            pid: None,
            asks_recovery: false,
            offset: None,
        };
        let session = self.context.node.open_session(hello).await?;
        Ok(Speaker::new(session, expires_at, self.rules()))
    }

    /// Says why there is no session; without one there is no use in staying.
    fn refuse(&self, error: ClientError) -> CloseReason {
        let event = ServerEvent::Error {
            event: AUTH.into(),
            error,
        };
        self.outbox.send(Broadcast::new(&event).frame(Wire::Plain));
        CloseReason::Unauthorized
    }

    async fn take(
        &self,
        message: Message,
        speaker: &Speaker,
        allowance: &mut Allowance,
    ) -> Result<(), End> {
        if message.is_ping() || message.is_pong() {
            allowance.other(&self.context.settings)?;
        }
        let inbound = match message {
            Message::Text(text) => dialogue::read(&text, self.context.unknown),
            Message::Binary(_) => dialogue::binary(),
            Message::Pong(_) => {
                if let Some(pinged) = self.clock.pong() {
                    self.outbox.prove_read(pinged);
                }
                return Ok(());
            }
            // tungstenite answers pings by itself.
            Message::Ping(_) | Message::Frame(_) => return Ok(()),
            Message::Close(close) => {
                let is_goodbye = close.is_some_and(|close| close.code == CloseCode::Normal);
                let how = if is_goodbye {
                    Ended::Goodbye
                } else {
                    Ended::Dropped
                };
                return Err(End(CloseReason::PeerClosed, how));
            }
        };
        Ok(speaker
            .take(Box::new(inbound), allowance, self.rules())
            .await?)
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            auth: &self.context.auth,
            settings: &self.context.settings,
            clock: &self.clock,
        }
    }
}
