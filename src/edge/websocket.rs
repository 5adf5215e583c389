//! A WebSocket: tungstenite reads it, ready-made bytes are written to it.
//!
//! Reading and writing share the socket but not a buffer: frames go from an outbox straight to the system, and the few
//! that tungstenite itself writes (pongs, the answer to a close) take the same way, so that no two writers ever mix.

mod guard;
mod handshake;
mod writing;

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use collabflow_actors::outbox::{CloseReason, Outbox, Socket};
use collabflow_protocol::frame;
use futures_util::StreamExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        error::{CapacityError, ProtocolError},
        protocol::{Role, WebSocketConfig},
    },
};

use guard::Guard;
pub(super) use handshake::{handshake_key, switching_protocols};
pub(super) use tungstenite::Message;
pub(super) use writing::{is_answered, write_on};

/// Bytes that an idle connection keeps for reading; larger messages grow it while they last.
const READ_BUFFER: usize = 256;
/// How long the other side may take to close after us.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BUFFER: usize = 16 * 1024;

/// Close codes (RFC 6455, section 7.4.1).
const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const POLICY_VIOLATION: u16 = 1008;
const TOO_LARGE: u16 = 1009;
const INTERNAL: u16 = 1011;
/// HTTP's 401, where applications have their own codes.
const UNAUTHORIZED: u16 = 4401;

/// A connection that speaks WebSocket.
pub(super) struct WebSocket {
    reader: WebSocketStream<Half>,
    writer: Arc<OwnedWriteHalf>,
}

impl WebSocket {
    /// Takes the connection over from the HTTP server, with what that had read of it already. Boxed, because the tasks
    /// that hand it on would each have room for it twice.
    pub(super) async fn accept(
        upgrade: OnUpgrade,
        message_bytes_max: usize,
    ) -> io::Result<Box<Self>> {
        let upgraded = upgrade.await.map_err(io::Error::other)?;
        let parts = upgraded
            .downcast::<TokioIo<TcpStream>>()
            .map_err(|_| io::Error::other("the connection is not a bare TCP stream"))?;
        let (read, write) = parts.io.into_inner().into_split();
        let writer = Arc::new(write);
        let mut half = Half {
            read,
            guard: Guard::default(),
            controls: Controls::Direct(Arc::clone(&writer)),
        };
        half.watch(&parts.read_buf)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let read_already = parts.read_buf.to_vec();
        let reader =
            WebSocketStream::from_partially_read(half, read_already, Role::Server, Some(config))
                .await;
        Ok(Box::new(Self { reader, writer }))
    }

    /// The next message, or how the connection ended.
    pub(super) async fn next(&mut self) -> Result<Message, CloseReason> {
        match self.reader.next().await {
            Some(message) => message.map_err(|error| reason(&error)),
            None => Err(CloseReason::PeerClosed),
        }
    }

    /// Hands the writing side to the outbox: from now on everything goes out through it.
    pub(super) fn attach_to(&mut self, outbox: &Arc<Outbox>) {
        self.reader.get_mut().controls = Controls::Outbox(Arc::clone(outbox));
        outbox.attach(Box::new(Writer(Arc::clone(&self.writer))));
    }

    /// Writes a frame past any outbox, best effort, while nothing else is on its way there.
    pub(super) fn write_now(&self, frame: &[u8]) {
        // A socket that is too full for it, or gone, ends the probe by itself.
        let _ = self.writer.try_write(frame);
    }

    /// The writing side, to wait for room on it while the other is read.
    pub(super) fn writer(&self) -> Arc<OwnedWriteHalf> {
        Arc::clone(&self.writer)
    }

    /// Waits until the other side has closed too. A socket that is closed with something unread in it is reset, and
    /// the reset takes what was written last from the other side's hands: the reason of the end.
    pub(super) async fn linger(self: Box<Self>) {
        let mut reader = self.reader;
        drop(self.writer);
        let half = reader.get_mut();
        half.controls = Controls::Nowhere;
        let mut trash = vec![0; LINGER_BUFFER];
        let to_the_end = async { while matches!(half.read.read(&mut trash).await, Ok(1..)) {} };
        // Who does not close in time is reset.
        let _ = tokio::time::timeout(LINGER, to_the_end).await;
    }
}

fn reason(error: &tungstenite::Error) -> CloseReason {
    match error {
        tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        // An end without a closing handshake, as a closed tab makes.
        | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            CloseReason::PeerClosed
        }
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => CloseReason::TooLarge,
        tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_) => CloseReason::ProtocolError,
        tungstenite::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            CloseReason::ProtocolError
        }
        _ => CloseReason::ConnectionLost,
    }
}

/// The writing side, for an outbox.
struct Writer(Arc<OwnedWriteHalf>);

impl Socket for Writer {
    fn try_write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match bufs {
            // The system takes one buffer with less ado.
            [only] => self.0.try_write(only),
            _ => self.0.try_write_vectored(bufs),
        }
    }

    fn say_goodbye(&mut self, reason: CloseReason) {
        let code = match reason {
            CloseReason::ConnectionLost => return,
            CloseReason::TooLarge => TOO_LARGE,
            CloseReason::ProtocolError => PROTOCOL_ERROR,
            CloseReason::Flood => POLICY_VIOLATION,
            CloseReason::Unauthorized | CloseReason::TokenExpired => UNAUTHORIZED,
            CloseReason::Draining => GOING_AWAY,
            CloseReason::Internal => INTERNAL,
            _ => NORMAL,
        };
        // A socket that is too full for a last word, or gone, does without.
        let _ = self.0.try_write(&frame::close(code, ""));
    }
}

/// What tungstenite works on: it reads the socket, and believes to write to it.
struct Half {
    read: OwnedReadHalf,
    guard: Guard,
    controls: Controls,
}

/// Where tungstenite's own frames go.
enum Controls {
    /// To the socket: there is nothing else on its way there.
    Direct(Arc<OwnedWriteHalf>),
    Outbox(Arc<Outbox>),
    /// The connection is at its end.
    Nowhere,
}

impl Half {
    fn watch(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.guard
            .watch(bytes)
            .map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

impl AsyncRead for Half {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.read).poll_read(cx, buf))?;
        Poll::Ready(self.watch(&buf.filled()[before..]))
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
            Controls::Nowhere => {}
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
