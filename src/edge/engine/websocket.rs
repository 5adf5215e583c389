//! A WebSocket: tungstenite reads it, ready-made bytes are written to it.
//!
//! Reading and writing share the socket but not a buffer: frames go from an outbox straight to the system, and the few
//! that tungstenite itself writes (pongs, the answer to a close) take the same way, so that no two writers ever mix.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use collabflow_actors::outbox::{Outbox, Socket};
use futures_util::StreamExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};
pub(super) use tungstenite::Message;
use warp::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    reply::Response,
};

/// Bytes that an idle connection keeps for reading; larger messages grow it while they last.
const READ_BUFFER: usize = 1_024;

/// The key of a WebSocket handshake, if the request is one.
pub(super) fn handshake_key(headers: &HeaderMap) -> Option<&HeaderValue> {
    let has = |name, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| {
                value
                    .split(',')
                    .any(|item| item.trim().eq_ignore_ascii_case(token))
            })
    };
    let is_handshake = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && headers
            .get(header::SEC_WEBSOCKET_VERSION)
            .is_some_and(|version| version == "13");
    headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|_| is_handshake)
}

/// The answer that turns the connection into a WebSocket.
pub(super) fn switching_protocols(key: &HeaderValue) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = derive_accept_key(key.as_bytes());
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// A connection that speaks WebSocket.
pub(super) struct WebSocket {
    reader: WebSocketStream<Half>,
    writer: Arc<OwnedWriteHalf>,
}

impl WebSocket {
    /// Takes the connection over from the HTTP server, with what that had read of it already.
    pub(super) async fn accept(upgrade: OnUpgrade, message_bytes_max: usize) -> io::Result<Self> {
        let upgraded = upgrade.await.map_err(io::Error::other)?;
        let parts = upgraded
            .downcast::<TokioIo<TcpStream>>()
            .map_err(|_| io::Error::other("the connection is not a bare TCP stream"))?;
        let (read, write) = parts.io.into_inner().into_split();
        let writer = Arc::new(write);
        let half = Half {
            read,
            controls: Controls::Direct(Arc::clone(&writer)),
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let read_already = parts.read_buf.to_vec();
        let reader =
            WebSocketStream::from_partially_read(half, read_already, Role::Server, Some(config))
                .await;
        Ok(Self { reader, writer })
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        self.reader.next().await
    }

    /// Hands the writing side to the outbox: from now on everything goes out through it.
    pub(super) fn attach_to(&mut self, outbox: &Arc<Outbox>) {
        self.reader.get_mut().controls = Controls::Outbox(Arc::clone(outbox));
        outbox.attach(Box::new(Writer(Arc::clone(&self.writer))));
    }

    /// Writes a frame past any outbox, best effort: a probe's answer, or a close as the last word.
    pub(super) fn write_now(&self, frame: &[u8]) {
        // A socket too full for a last word, or gone, does without.
        let _ = self.writer.try_write(frame);
    }

    /// The writing side, to wait for room on it while the other is read.
    pub(super) fn writer(&self) -> Arc<OwnedWriteHalf> {
        Arc::clone(&self.writer)
    }
}

/// The writing side, for an outbox.
struct Writer(Arc<OwnedWriteHalf>);

impl Socket for Writer {
    fn try_write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(bufs)
    }
}

/// What tungstenite works on: it reads the socket, and believes to write to it.
struct Half {
    read: OwnedReadHalf,
    controls: Controls,
}

/// Where tungstenite's own frames go.
enum Controls {
    /// To the socket: there is nothing else on its way there.
    Direct(Arc<OwnedWriteHalf>),
    Outbox(Arc<Outbox>),
}

impl AsyncRead for Half {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buf)
    }
}

impl AsyncWrite for Half {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        frame: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &self.controls {
            Controls::Direct(writer) => drop(writer.try_write(frame)),
            Controls::Outbox(outbox) => outbox.send_control(Bytes::copy_from_slice(frame)),
        }
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
