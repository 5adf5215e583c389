//! A Socket.IO client over a WebSocket that does no more than it must, so that a thousand fit on one core.

use std::{io, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, bail, ensure};
use collabflow_protocol::id::ChannelId;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::net::TcpStream;

const READ_BYTES: usize = 4096;
/// Connections that are opened at the same time.
const OPENING_MAX: usize = 32;
const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A connection.
pub(crate) struct Client {
    stream: Arc<TcpStream>,
    /// What was read and is yet to be looked at.
    unread: Vec<u8>,
}

/// A connection's other direction, for who sends while the connection is listened to.
pub(crate) struct Sender(Arc<TcpStream>);

/// Opens so many connections.
pub(crate) async fn open_all(address: SocketAddr, count: usize) -> anyhow::Result<Vec<Client>> {
    stream::iter(0..count)
        .map(|_| Client::open(address))
        .buffered(OPENING_MAX)
        .try_collect()
        .await
}

/// Joins the namespace with all of them, a token each.
pub(crate) async fn connect_all(clients: &mut [Client], tokens: &[String]) -> anyhow::Result<()> {
    stream::iter(clients.iter_mut().zip(tokens))
        .map(|(client, token)| client.connect(token))
        .buffered(OPENING_MAX)
        .try_collect()
        .await
}

/// Joins a channel with all of them.
pub(crate) async fn join_all(clients: &mut [Client], channel: ChannelId) -> anyhow::Result<()> {
    stream::iter(clients.iter_mut())
        .map(|client| client.join(channel))
        .buffered(OPENING_MAX)
        .try_collect()
        .await
}

impl Client {
    /// A WebSocket, and nothing said on it yet.
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            stream: Arc::new(stream),
            unread: Vec::new(),
        };
        client.sender().write(UPGRADE.as_bytes()).await?;
        let head = loop {
            match client.unread.windows(4).position(|end| end == b"\r\n\r\n") {
                Some(at) => break client.unread.drain(..at + 4).collect::<Vec<_>>(),
                None => client.read().await?,
            }
        };
        let head = String::from_utf8_lossy(&head);
        ensure!(head.starts_with("HTTP/1.1 101"), "not upgraded: {head}");
        Ok(client)
    }

    /// Joins the namespace.
    async fn connect(&mut self, token: &str) -> anyhow::Result<()> {
        self.sender()
            .send(&format!(r#"40{{"token":"{token}"}}"#))
            .await?;
        self.find("40{").await
    }

    /// Joins a channel.
    async fn join(&mut self, channel: ChannelId) -> anyhow::Result<()> {
        self.sender()
            .send(&format!(r#"420["chat:join","{channel}"]"#))
            .await?;
        self.find(r#"430[{"ok":true"#).await
    }

    /// Its other direction.
    pub(crate) fn sender(&self) -> Sender {
        Sender(Arc::clone(&self.stream))
    }

    async fn find(&mut self, start: &str) -> anyhow::Result<()> {
        loop {
            let mut found = None;
            self.next(|text| {
                if text.starts_with(start) {
                    found = Some(Ok(()));
                } else if text.starts_with("44") || text.starts_with("43") {
                    found = Some(Err(text.to_owned()));
                }
            })
            .await?;
            match found {
                Some(Ok(())) => return Ok(()),
                Some(Err(text)) => bail!("{start} was expected, and not {text}"),
                None => {}
            }
        }
    }

    /// Waits for texts and hands them over, without the pings, which it answers.
    pub(crate) async fn next(&mut self, mut take: impl FnMut(&str)) -> anyhow::Result<()> {
        self.read().await?;
        let mut rest = self.unread.as_slice();
        let mut pings = 0;
        while let Some((text, after)) = frame(rest)? {
            match text {
                "2" => pings += 1,
                text => take(text),
            }
            rest = after;
        }
        let taken = self.unread.len() - rest.len();
        self.unread.drain(..taken);
        for _ in 0..pings {
            self.sender().send("3").await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        loop {
            self.stream.readable().await?;
            let before = self.unread.len();
            self.unread.resize(before + READ_BYTES, 0);
            let read = self.stream.try_read(&mut self.unread[before..]);
            self.unread.truncate(before + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => bail!("the server has closed the connection"),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("the connection broke"),
            }
        }
    }
}

impl Sender {
    /// Sends a text.
    pub(crate) async fn send(&self, text: &str) -> anyhow::Result<()> {
        const FIN_TEXT: u8 = 0x81;
        const MASKED: u8 = 0x80;
        let mut bytes = vec![FIN_TEXT];
        match u8::try_from(text.len()) {
            Ok(length @ ..126) => bytes.push(MASKED | length),
            _ => {
                bytes.push(MASKED | 126);
                bytes.extend(u16::try_from(text.len())?.to_be_bytes());
            }
        }
        // A mask of zeros leaves the text as it is.
        bytes.extend([0; 4]);
        bytes.extend(text.as_bytes());
        self.write(&bytes).await
    }

    async fn write(&self, mut bytes: &[u8]) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            self.0.writable().await?;
            match self.0.try_write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The first frame of these bytes, if it is whole, and what comes after it.
fn frame(bytes: &[u8]) -> anyhow::Result<Option<(&str, &[u8])>> {
    let [first, second, ..] = bytes else {
        return Ok(None);
    };
    ensure!(*first == 0x81, "a frame that begins with {first:#x}");
    let (header, length) = match (*second, bytes.get(2..4)) {
        (length @ ..126, _) => (2, usize::from(length)),
        (126, Some(&[high, low])) => (4, usize::from(u16::from_be_bytes([high, low]))),
        (126, _) => return Ok(None),
        _ => bail!("a frame that is too long"),
    };
    let Some(payload) = bytes.get(header..header + length) else {
        return Ok(None);
    };
    Ok(Some((
        std::str::from_utf8(payload)?,
        &bytes[header + length..],
    )))
}
