//! The upgrade from polling to a WebSocket.
//!
//! The client opens a WebSocket beside its polls and sends `2probe`; it is answered `3probe`, and from then on the
//! waiting poll is released again and again, so that the client can stop polling. With `5` the WebSocket takes over.
//! Until then nothing but the probe's answer goes out on it, and whatever fails on it leaves the polls as they were.

use std::{convert::Infallible, sync::Arc, time::Duration};

use collabflow_protocol::engine::{self, PacketKind};
use hyper::upgrade::OnUpgrade;

use super::connection::Connection;
use crate::edge::websocket::{Message, WebSocket};

/// How often the waiting poll is released.
const RELEASE_EVERY: Duration = Duration::from_millis(100);

/// Probes a WebSocket that was opened for this connection; in the end it has taken over, or is closed.
pub(super) async fn probe(connection: Arc<Connection>, upgrade: OnUpgrade) {
    let patience = connection.context().settings.upgrade_timeout;
    let probed = tokio::time::timeout(patience, probe_through(&connection, upgrade));
    let websocket = connection.unless_ended(probed).await;
    connection.end_probe(websocket.and_then(Result::ok).flatten());
}

async fn probe_through(connection: &Connection, upgrade: OnUpgrade) -> Option<Box<WebSocket>> {
    let message_bytes_max = connection.context().settings.max_payload;
    let mut websocket = WebSocket::accept(upgrade, message_bytes_max).await.ok()?;
    if next_move(&mut websocket).await? != Move::Probe {
        return None;
    }
    websocket.write_now(engine::pong_probe().as_websocket());
    tokio::select! {
        upgraded = answer_probes(&mut websocket) => upgraded?,
        never = release_polls(connection) => match never {},
    }
    Some(websocket)
}

/// Waits for the upgrade. A client may probe again meanwhile, as with Node's server.
async fn answer_probes(websocket: &mut WebSocket) -> Option<()> {
    while next_move(websocket).await? == Move::Probe {
        websocket.write_now(engine::pong_probe().as_websocket());
    }
    Some(())
}

/// What a client may send on a WebSocket that is not its transport yet.
#[derive(PartialEq, Eq)]
enum Move {
    Probe,
    Upgrade,
}

async fn next_move(websocket: &mut WebSocket) -> Option<Move> {
    loop {
        match websocket.next().await.ok()? {
            Message::Text(text) => {
                let packet = engine::Packet::decode(&text).ok()?;
                return match (packet.kind, packet.data) {
                    (PacketKind::Ping, "probe") => Some(Move::Probe),
                    (PacketKind::Upgrade, "") => Some(Move::Upgrade),
                    _ => None,
                };
            }
            Message::Ping(_) | Message::Pong(_) => {}
            _ => return None,
        }
    }
}

async fn release_polls(connection: &Connection) -> Infallible {
    loop {
        connection.polling.released.notify_waiters();
        tokio::time::sleep(RELEASE_EVERY).await;
    }
}
