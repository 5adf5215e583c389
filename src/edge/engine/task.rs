//! The task of a connection, from its opening to its end: it keeps time, reads the WebSocket once there is one, and
//! waits for room in a socket that is full. None of the three waits for another.

use std::sync::Arc;

use collabflow_actors::outbox::CloseReason;
use collabflow_protocol::engine;
use tokio::sync::oneshot;

use super::connection::Connection;
use crate::edge::{
    listener::Place,
    websocket::{self, Message, WebSocket},
};

/// Lives as long as a connection that has a WebSocket; holds its place until the other side is gone too.
pub(super) async fn run_websocket(
    connection: Arc<Connection>,
    mut websocket: Box<WebSocket>,
    place: Option<Place>,
) {
    websocket.attach_to(&connection.outbox);
    let reason = serve(&connection, &mut websocket).await;
    connection.end(reason).await;
    drop(connection);
    if websocket::is_answered(reason) {
        Box::pin(websocket.linger()).await;
    }
    drop(place);
}

/// Lives as long as a connection that began with polling.
pub(super) async fn run_polling(
    connection: Arc<Connection>,
    mut upgraded: oneshot::Receiver<Box<WebSocket>>,
    place: Option<Place>,
) {
    let reason = loop {
        tokio::select! {
            websocket = &mut upgraded => match websocket {
                Ok(websocket) => return run_websocket(connection, websocket, place).await,
                Err(_) => break CloseReason::ConnectionLost,
            },
            () = connection.outbox.changed() => {}
            reason = keep_time(&connection) => break reason,
        }
        if let Some(reason) = connection.outbox.closed() {
            break reason;
        }
    };
    if reason == CloseReason::TokenExpired {
        connection.hand_over().await;
    }
    connection.end(reason).await;
}

async fn serve(connection: &Connection, websocket: &mut WebSocket) -> CloseReason {
    let writer = websocket.writer();
    tokio::select! {
        reason = read(connection, websocket) => reason,
        reason = websocket::write_on(&connection.outbox, &writer) => reason,
        reason = keep_time(connection) => reason,
    }
}

async fn keep_time(connection: &Connection) -> CloseReason {
    let Connection { clock, outbox, .. } = connection;
    clock
        .keep(outbox, || outbox.send_ping(&engine::ping()))
        .await
}

async fn read(connection: &Connection, websocket: &mut WebSocket) -> CloseReason {
    loop {
        let message = match websocket.next().await {
            Ok(message) => message,
            Err(reason) => return reason,
        };
        // Boxed: it is needed for a moment, and the task that this is in lives as long as the connection.
        if let Err(reason) = Box::pin(take(connection, message)).await {
            return reason;
        }
    }
}

async fn take(connection: &Connection, message: Message) -> Result<(), CloseReason> {
    match message {
        Message::Text(text) => {
            let packet = engine::Packet::decode(&text).map_err(|_| CloseReason::ProtocolError)?;
            let mut packets = connection.packets.lock().await;
            packets.take(packet, connection).await
        }
        Message::Binary(_) => connection.packets.lock().await.take_binary(connection),
        // tungstenite answers pings by itself.
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
            connection.packets.lock().await.count(connection).map(drop)
        }
        Message::Close(_) => Err(CloseReason::PeerClosed),
    }
}
