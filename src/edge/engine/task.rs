//! The task of a connection, from its opening to its end: it keeps time, reads the WebSocket once there is one, and
//! waits for room in a socket that is full.

use std::{sync::Arc, time::Duration};

use collabflow_actors::outbox::CloseReason;
use collabflow_protocol::{engine, frame};
use tokio::{net::tcp::OwnedWriteHalf, sync::oneshot, time::Instant};
use tokio_tungstenite::tungstenite::{self, error::CapacityError};

use super::{
    connection::Connection,
    heartbeat::Due,
    unheard::unheard_since,
    websocket::{Message, WebSocket},
};

/// WebSocket close codes (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const TOO_LARGE: u16 = 1009;
const NORMAL: u16 = 1000;

/// Lives as long as a connection that began with a WebSocket.
pub(super) async fn run_websocket(connection: Arc<Connection>, mut websocket: WebSocket) {
    websocket.attach_to(&connection.outbox);
    let reason = serve(&connection, &mut websocket).await;
    websocket.write_now(&frame::close(close_code(reason), ""));
    drop(websocket);
    end(&connection, reason).await;
}

/// Lives as long as a connection that began with polling.
pub(super) async fn run_polling(
    connection: Arc<Connection>,
    mut upgraded: oneshot::Receiver<WebSocket>,
) {
    let reason = loop {
        tokio::select! {
            websocket = &mut upgraded => match websocket {
                Ok(websocket) => return run_websocket(connection, websocket).await,
                Err(_) => break CloseReason::ConnectionLost,
            },
            () = connection.outbox.changed() => {}
            reason = keep_time(&connection) => break reason,
        }
        if let Some(reason) = connection.outbox.closed() {
            break reason;
        }
    };
    end(&connection, reason).await;
}

async fn end(connection: &Connection, reason: CloseReason) {
    let ping_timeout = connection.context().settings.ping_timeout;
    let handed_out = *connection.polling.handed_out.lock();
    if let Some(since) = unheard_since(reason, Instant::now(), ping_timeout, handed_out) {
        connection.outbox.park_unheard(since);
    }
    connection.end(reason).await;
}

/// Pings when it is time to; ends when there is no use in going on.
async fn keep_time(connection: &Connection) -> CloseReason {
    loop {
        let due = connection.heartbeat().due(Instant::now());
        match due {
            Due::At(at) => tokio::time::sleep_until(at).await,
            Due::Ping => connection.outbox.send(&engine::ping()),
            Due::PingTimeout => return CloseReason::PingTimeout,
            Due::ConnectTimeout => return CloseReason::ConnectTimeout,
        }
    }
}

async fn serve(connection: &Connection, websocket: &mut WebSocket) -> CloseReason {
    let writer = websocket.writer();
    let mut time = std::pin::pin!(keep_time(connection));
    loop {
        if let Some(reason) = connection.outbox.closed() {
            return reason;
        }
        let blocked = connection.outbox.blocked_for();
        let patience = connection
            .outbox
            .stall_max()
            .saturating_sub(blocked.unwrap_or_default());
        tokio::select! {
            message = websocket.next() => {
                if let Err(reason) = take(connection, message).await {
                    return reason;
                }
            }
            () = connection.outbox.changed() => {}
            reason = &mut time => return reason,
            room = until_room(&writer, patience), if blocked.is_some() => match room {
                true => connection.outbox.resume(),
                false => return CloseReason::OutboxStalled,
            },
        }
    }
}

/// Waits until the socket has room again; false where it took too long.
async fn until_room(writer: &OwnedWriteHalf, patience: Duration) -> bool {
    matches!(
        tokio::time::timeout(patience, writer.writable()).await,
        Ok(Ok(()))
    )
}

async fn take(
    connection: &Connection,
    message: Option<Result<Message, tungstenite::Error>>,
) -> Result<(), CloseReason> {
    match message {
        Some(Ok(Message::Text(text))) => {
            let packet = engine::Packet::decode(&text).map_err(|_| CloseReason::ProtocolError)?;
            connection
                .packets
                .lock()
                .await
                .take(packet, connection)
                .await
        }
        Some(Ok(Message::Binary(_))) => connection.packets.lock().await.take_binary(),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
        Some(Ok(Message::Close(_))) | None => Err(CloseReason::PeerClosed),
        Some(Err(error)) => Err(match error {
            tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
                CloseReason::PeerClosed
            }
            // An end without a closing handshake, as a closed tab makes.
            tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            ) => CloseReason::PeerClosed,
            tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                CloseReason::TooLarge
            }
            tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_) => {
                CloseReason::ProtocolError
            }
            _ => CloseReason::ConnectionLost,
        }),
    }
}

const fn close_code(reason: CloseReason) -> u16 {
    match reason {
        CloseReason::TooLarge => TOO_LARGE,
        CloseReason::ProtocolError => PROTOCOL_ERROR,
        CloseReason::Draining => GOING_AWAY,
        _ => NORMAL,
    }
}
