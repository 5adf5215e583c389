//! Bare clients: a WebSocket, and a polling session.

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message, Utf8Bytes, client::IntoClientRequest, handshake::client::Request,
        protocol::CloseFrame,
    },
};

use crate::house::{House, Person, read, soon};

pub(crate) const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
pub(crate) const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// A WebSocket.
pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<TcpStream>,
}

impl Socket {
    /// Opens one and takes the handshake.
    pub(crate) async fn open(house: &House) -> Self {
        let mut socket = Self::upgrade(house, WEBSOCKET).await.expect("it opens");
        assert!(socket.next().await.starts_with("0{"));
        socket
    }

    /// Opens one at `path`; gives the status where that is refused.
    pub(crate) async fn upgrade(house: &House, path: &str) -> Result<Self, StatusCode> {
        Self::request(house, request(house, path)).await
    }

    pub(crate) async fn request(house: &House, request: Request) -> Result<Self, StatusCode> {
        let tcp = TcpStream::connect(house.address()).await.expect("TCP");
        Self::over(tcp, request).await
    }

    /// Opens one on a connection that there is already.
    pub(crate) async fn over(tcp: TcpStream, request: Request) -> Result<Self, StatusCode> {
        match soon("an answer to the upgrade", client_async(request, tcp)).await {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(tungstenite::Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("neither opened nor refused: {error}"),
        }
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.raw(Message::text(text.into())).await;
    }

    pub(crate) async fn raw(&mut self, message: Message) {
        self.stream.send(message).await.expect("it is sent");
    }

    /// The next text.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            match soon("a message", self.stream.next()).await {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// The next text that begins so; others are passed over.
    pub(crate) async fn find(&mut self, start: &str) -> String {
        loop {
            let text = self.next().await;
            if text.starts_with(start) {
                return text;
            }
        }
    }

    /// Waits for the end; gives the code of the close frame, if there was one.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(Ok(message)) = soon("the close", self.stream.next()).await {
            if let Message::Close(frame) = message {
                code = frame.map(|CloseFrame { code, .. }| code.into());
            }
        }
        code
    }

    /// Joins the namespace; gives the reply's `{sid, pid}`.
    pub(crate) async fn connect(&mut self, person: &Person) -> Value {
        self.connect_with(json!({ "token": person.token })).await
    }

    pub(crate) async fn connect_with(&mut self, auth: Value) -> Value {
        self.send(format!("40{auth}")).await;
        let reply = self.find("40").await;
        serde_json::from_str(&reply[2..]).expect("JSON")
    }

    /// Sends an event and waits for its acknowledgement, which says that all went well.
    pub(crate) async fn ask(&mut self, name: &str, payload: Value) -> Value {
        let answer = self.try_to(name, payload).await;
        assert_eq!(answer["ok"], true, "{name}: {answer}");
        answer
    }

    /// Sends an event and waits for its acknowledgement.
    pub(crate) async fn try_to(&mut self, name: &str, payload: Value) -> Value {
        self.send(format!("427{}", json!([name, payload]))).await;
        let ack = self.find("437").await;
        let [answer]: [Value; 1] = serde_json::from_str(&ack[3..]).expect("one value");
        answer
    }
}

/// The request that opens a WebSocket at `path`.
pub(crate) fn request(house: &House, path: &str) -> Request {
    format!("ws://{}{path}", house.address())
        .into_client_request()
        .expect("an address")
}

/// The content of a chat message in an event's text.
pub(crate) fn content(text: &str) -> String {
    let event: (String, Value) = serde_json::from_str(&text[2..]).expect("an event");
    assert_eq!(event.0, "chat:newMessage");
    event.1["content"].as_str().expect("text").to_owned()
}

/// A text as WebSocket frames carry one from a client, masked with zeros.
pub(crate) fn masked(text: &str) -> Vec<u8> {
    let frame = tungstenite::protocol::frame::Frame::message(
        Utf8Bytes::from(text),
        tungstenite::protocol::frame::coding::OpCode::Data(
            tungstenite::protocol::frame::coding::Data::Text,
        ),
        true,
    );
    let mut bytes = Vec::new();
    frame.format(&mut bytes).expect("memory takes it");
    let mask_at = bytes.len() - text.len();
    bytes[1] |= 0x80;
    bytes.splice(mask_at..mask_at, [0; 4]);
    bytes
}

/// A polling session.
pub(crate) struct Polls {
    http: Client,
    url: String,
    pub(crate) sid: String,
}

impl Polls {
    pub(crate) async fn open(house: &House) -> Self {
        let url = format!("http://{}{POLLING}", house.address());
        let response = soon("a handshake", house.http.get(&url).send())
            .await
            .expect("an answer");
        let (status, body) = read(response).await;
        assert_eq!(status, 200, "{body}");
        let handshake: Value = serde_json::from_str(&body[1..]).expect("JSON");
        let sid = handshake["sid"].as_str().expect("an id").to_owned();
        Self {
            http: house.http.clone(),
            url: format!("{url}&sid={sid}"),
            sid,
        }
    }

    /// A poll that is yet to be sent.
    pub(crate) fn poll(&self) -> RequestBuilder {
        self.http.get(&self.url)
    }

    pub(crate) async fn get(&self) -> (StatusCode, String) {
        let response = soon("a poll", self.poll().send()).await;
        read(response.expect("an answer")).await
    }

    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> (StatusCode, String) {
        let request = self.http.post(&self.url).body(body);
        let response = soon("a post", request.send()).await;
        read(response.expect("an answer")).await
    }

    pub(crate) async fn post_as(&self, kind: &str, body: &'static str) -> (StatusCode, String) {
        let request = self.http.post(&self.url).body(body);
        let request = request.header("content-type", kind);
        let response = soon("a post", request.send()).await;
        read(response.expect("an answer")).await
    }

    /// Joins the namespace; gives the reply's `{sid, pid}`.
    pub(crate) async fn connect(&self, person: &Person) -> Value {
        let auth = json!({ "token": person.token });
        assert_eq!(self.post(format!("40{auth}")).await.1, "ok");
        let (_, reply) = self.get().await;
        serde_json::from_str(&reply[2..]).expect("JSON")
    }

    /// The packets of the next poll.
    pub(crate) async fn packets(&self) -> Vec<String> {
        let (status, body) = self.get().await;
        assert_eq!(status, 200, "{body}");
        body.split('\x1e').map(str::to_owned).collect()
    }

    /// Whether the server still knows the session.
    pub(crate) async fn is_known(&self) -> bool {
        // A packet that means nothing.
        self.post("3").await.0 == 200
    }

    /// Waits until the server knows the session no more.
    pub(crate) async fn forgotten(&self) {
        let gone = async {
            while self.is_known().await {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        soon("the session ends", gone).await;
    }
}
