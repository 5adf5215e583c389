//! Long-polling: a GET waits for frames, a POST brings messages. One of each at a time; a second one is a client that
//! has lost its way, and ends the connection.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use collabflow_actors::outbox::CloseReason;
use collabflow_protocol::{
    engine::{self, HandshakeError, Part},
    frame::Frame,
};
use futures_util::{Stream, StreamExt};
use tokio::time::Instant;
use warp::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    reply::Response,
};

use super::connection::{Connection, Turn};

/// Answers a GET: with frames as soon as there are any.
pub(super) async fn get(connection: &Arc<Connection>) -> Response {
    let Some(_turn) = Turn::take(&connection.polling.is_getting) else {
        connection.outbox.close(CloseReason::ProtocolError);
        return refusal(HandshakeError::BadRequest);
    };
    // The next poll proves that what the last one was given has arrived.
    *connection.polling.handed_out.lock() = None;
    let abandoned = Abandoned(connection);
    let response = frames(connection).await;
    std::mem::forget(abandoned);
    response
}

async fn frames(connection: &Connection) -> Response {
    loop {
        let released = connection.polling.released.notified();
        let frames = connection
            .outbox
            .take(connection.context().settings.max_payload);
        if !frames.is_empty() {
            *connection.polling.handed_out.lock() = Some(Instant::now());
            return payload(&frames);
        }
        match connection.outbox.closed() {
            // The client has said that it closes; its own poll is only to end.
            Some(CloseReason::PeerClosed) => return payload(&[engine::noop()]),
            Some(_) => return payload(&[engine::close()]),
            None => {}
        }
        if !connection.is_polling() {
            return payload(&[engine::noop()]);
        }
        tokio::select! {
            () = connection.outbox.polled() => {}
            () = released => {
                let frames = connection.outbox.take(connection.context().settings.max_payload);
                return if frames.is_empty() { payload(&[engine::noop()]) } else { payload(&frames) };
            }
        }
    }
}

/// A client that goes away while its poll waits has gone altogether.
struct Abandoned<'a>(&'a Connection);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.0.outbox.close(CloseReason::ConnectionLost);
    }
}

/// Answers a POST: each message is taken before it is.
pub(super) async fn post(
    connection: &Arc<Connection>,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Response {
    let Some(_turn) = Turn::take(&connection.polling.is_posting) else {
        connection.outbox.close(CloseReason::ProtocolError);
        return refusal(HandshakeError::BadRequest);
    };
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    if content_type == b"application/octet-stream" {
        connection.outbox.close(CloseReason::ProtocolError);
        return refusal(HandshakeError::BadRequest);
    }
    let body = match read(body, connection.context().settings.max_payload).await {
        Ok(body) => body,
        Err(status) => {
            connection.outbox.close(CloseReason::TooLarge);
            return empty(status);
        }
    };
    match take(connection, &body).await {
        Ok(()) => ok(),
        Err(reason) => {
            connection.outbox.close(reason);
            // A close packet is a message like any other; only nonsense is refused.
            if reason == CloseReason::PeerClosed {
                ok()
            } else {
                refusal(HandshakeError::BadRequest)
            }
        }
    }
}

async fn take(connection: &Connection, body: &[u8]) -> Result<(), CloseReason> {
    let body = std::str::from_utf8(body).map_err(|_| CloseReason::ProtocolError)?;
    let mut packets = connection.packets.lock().await;
    for part in engine::decode_payload(body) {
        match part.map_err(|_| CloseReason::ProtocolError)? {
            Part::Packet(packet) => packets.take(packet, connection).await?,
            Part::Binary(_) => packets.take_binary()?,
        }
    }
    Ok(())
}

async fn read(
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
    bytes_max: usize,
) -> Result<Bytes, StatusCode> {
    let mut body = std::pin::pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(part) = body.next().await {
        let mut part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        if bytes.len() + part.remaining() > bytes_max {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        bytes.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    Ok(bytes.freeze())
}

/// The answer that refuses a request, as Node's server words it.
pub(super) fn refusal(error: HandshakeError) -> Response {
    let mut response = Response::new(error.body().into());
    *response.status_mut() =
        StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

pub(super) fn payload(frames: &[Frame]) -> Response {
    let body = engine::encode_payload(frames.iter().map(Frame::as_text));
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=UTF-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn ok() -> Response {
    let mut response = Response::new("ok".into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
