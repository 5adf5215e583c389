//! Long-polling: a GET waits for frames, a POST brings messages. One of each at a time; a second one is a client that
//! has lost its way, and ends the connection.

use std::{convert::Infallible, sync::Arc};

use bytes::{Buf, Bytes, BytesMut};
use collabflow_actors::outbox::CloseReason;
use collabflow_protocol::{
    engine::{self, HandshakeError, Part},
    frame::Frame,
};
use futures_util::{Stream, StreamExt, stream};
use warp::{
    Reply,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    reply::Response,
};

use super::connection::{Connection, Turn};

/// So many times the limit is read of a body, and thrown away, before the answer: a client that is cut off while it
/// still sends may never see why.
const PATIENCE: usize = 8;

/// Answers a GET: with frames as soon as there are any.
pub(super) async fn get(connection: &Arc<Connection>) -> Response {
    let Some(_turn) = Turn::take(&connection.polling.is_getting) else {
        connection.outbox.close(CloseReason::ProtocolError);
        return refusal(HandshakeError::BadRequest);
    };
    let mut waiting = Waiting {
        connection,
        is_answered: false,
    };
    let frames = frames(connection).await;
    waiting.is_answered = true;
    payload(connection, &frames)
}

/// What a poll is answered with; waits for it.
async fn frames(connection: &Connection) -> Vec<Frame> {
    loop {
        let released = connection.polling.released.notified();
        let frames = connection
            .outbox
            .take(connection.context().settings.max_payload);
        if !frames.is_empty() {
            return frames;
        }
        if let Some(reason) = connection.outbox.closing()
            && connection.is_polling()
        {
            connection.outbox.close(reason);
        }
        connection.polling.emptied.notify_waiters();
        match connection.outbox.closed() {
            // The client has said that it closes; its own poll is only to end.
            Some(CloseReason::PeerClosed) => return vec![engine::noop()],
            Some(_) => return vec![engine::close()],
            None if !connection.is_polling() => return vec![engine::noop()],
            None => {}
        }
        tokio::select! {
            biased;
            () = connection.outbox.polled() => {}
            () = released => return vec![engine::noop()],
        }
    }
}

/// A poll that waits. A client that goes away meanwhile has gone altogether, unless it has a WebSocket by now.
struct Waiting<'a> {
    connection: &'a Connection,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered && self.connection.is_polling() {
            self.connection.outbox.close(CloseReason::ConnectionLost);
        }
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
    if headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/octet-stream")
    {
        connection.outbox.close(CloseReason::ProtocolError);
        return refusal(HandshakeError::BadRequest);
    }
    // Nothing holds up the end of a connection: neither a body that never arrives nor a message that takes its time.
    let taken = connection.unless_ended(take_body(connection, body)).await;
    match taken.unwrap_or(Err(CloseReason::ConnectionLost)) {
        Ok(()) => ok(),
        Err(reason) => {
            connection.outbox.close(reason);
            match reason {
                // A close packet is a message like any other; only nonsense is refused.
                CloseReason::PeerClosed => ok(),
                CloseReason::TooLarge => empty(StatusCode::PAYLOAD_TOO_LARGE),
                _ => refusal(HandshakeError::BadRequest),
            }
        }
    }
}

async fn take_body(
    connection: &Connection,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<(), CloseReason> {
    let body = read(body, connection.context().settings.max_payload).await?;
    let body = std::str::from_utf8(&body).map_err(|_| CloseReason::ProtocolError)?;
    let mut packets = connection.packets.lock().await;
    for part in engine::decode_payload(body) {
        match part.map_err(|_| CloseReason::ProtocolError)? {
            Part::Packet(packet) => packets.take(packet, connection).await?,
            Part::Binary(_) => packets.take_binary(connection)?,
        }
    }
    Ok(())
}

async fn read(
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
    bytes_max: usize,
) -> Result<Bytes, CloseReason> {
    let mut body = std::pin::pin!(body);
    let mut bytes = BytesMut::new();
    let mut arrived = 0_usize;
    while let Some(part) = body.next().await {
        let mut part = part.map_err(|_| CloseReason::ConnectionLost)?;
        arrived += part.remaining();
        if arrived <= bytes_max {
            bytes.extend_from_slice(&part.copy_to_bytes(part.remaining()));
        } else if arrived > bytes_max.saturating_mul(PATIENCE) {
            break;
        }
    }
    if arrived > bytes_max {
        return Err(CloseReason::TooLarge);
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

/// The answer to a poll. The outbox hears when the HTTP connection takes it, which it does not where it has ended.
pub(super) fn payload(connection: &Connection, frames: &[Frame]) -> Response {
    let body = engine::encode_payload(frames.iter().map(Frame::as_text));
    let length = HeaderValue::from(body.len());
    let outbox = Arc::clone(&connection.outbox);
    let body = std::iter::once_with(move || {
        outbox.answer_sent();
        Ok::<_, Infallible>(body)
    });
    let mut response = warp::reply::stream(stream::iter(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=UTF-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_LENGTH, length);
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
