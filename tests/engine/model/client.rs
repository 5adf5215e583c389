//! A client that takes steps, and knows what must come of each.

use std::collections::VecDeque;

use futures_util::{FutureExt, StreamExt};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::Message;

use super::{Place, Step};
use crate::{
    client::{POLLING, Polls, Socket, WEBSOCKET, content},
    house::soon,
};

type Answer = (u16, String);

pub(super) struct Client<'a> {
    place: &'a Place,
    polls: Polls,
    /// The poll that waits, as far as the client knows.
    waiting: Option<JoinHandle<Answer>>,
    transport: Transport,
    /// A probe was open once: its end may still be on its way to the server.
    has_probed: bool,
    said: Numbered,
    acknowledged: Numbered,
}

enum Transport {
    Polling,
    Probing { socket: Socket, is_probed: bool },
    Websocket(Socket),
    Ended,
}

/// Numbers that are sent, and come back.
#[derive(Default)]
struct Numbered {
    sent: usize,
    heard: usize,
}

impl Numbered {
    fn hear(&mut self, number: usize) {
        assert_eq!(number, self.heard, "lost, doubled or out of order");
        self.heard += 1;
        assert!(self.heard <= self.sent);
    }

    fn is_all_heard(&self) -> bool {
        self.heard == self.sent
    }
}

impl<'a> Client<'a> {
    /// A polling session that has joined the channel.
    pub(super) async fn open(place: &'a Place) -> Self {
        let mut client = Self {
            place,
            polls: place.house.polls().await,
            waiting: None,
            transport: Transport::Polling,
            has_probed: false,
            said: Numbered::default(),
            acknowledged: Numbered::default(),
        };
        let auth = json!({ "token": place.listener.token });
        let join = json!(["chat:join", place.channel]);
        let body = format!("40{auth}\x1e42999{join}");
        assert_eq!(client.polls.post(body).await.1, "ok");
        let mut owed = VecDeque::from(["40", "43999"]);
        while !owed.is_empty() {
            let (_, body) = soon("the reply to CONNECT", client.get()).await;
            for packet in packets(&body) {
                if packet == "2" {
                    client.pong().await;
                } else {
                    let start = owed.pop_front().expect("nothing else is owed");
                    assert!(packet.starts_with(start), "{packet}");
                }
            }
        }
        client
    }

    pub(super) async fn take(&mut self, step: Step) {
        self.collect_if_answered().await;
        match step {
            Step::Get => self.poll().await,
            Step::AbortGet => self.abort().await,
            Step::Send => self.send().await,
            Step::Emit => self.emit().await,
            Step::OpenProbe => self.open_probe().await,
            Step::Probe => self.probe().await,
            Step::Upgrade => self.upgrade().await,
            Step::WrongFrame => self.fail_probe(Message::text("4")).await,
            Step::CloseProbe => self.fail_probe(Message::Close(None)).await,
            Step::Close => self.close().await,
        }
    }

    /// Where the session still is, everything arrives in the end; where it is not, nothing works any more.
    pub(super) async fn conclude(mut self) {
        if let Transport::Ended = self.transport {
            assert_eq!(soon("a refusal", self.get()).await.0, 400);
            assert!(self.another_probe().await.is_err());
            return;
        }
        self.emit().await;
        while !(self.said.is_all_heard() && self.acknowledged.is_all_heard()) {
            if let Transport::Websocket(socket) = &mut self.transport {
                let frame = socket.next().await;
                self.hear(&frame).await;
            } else {
                if self.waiting.is_none() {
                    self.poll().await;
                }
                self.collect().await;
            }
        }
    }

    fn request(&self) -> String {
        let sid = &self.polls.sid;
        format!("GET {POLLING}&sid={sid} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    }

    /// A poll on a connection of its own.
    fn get(&self) -> impl Future<Output = Answer> + Send + use<> {
        let (address, request) = (self.place.house.address(), self.request());
        async move {
            let mut tcp = TcpStream::connect(address).await.expect("TCP");
            tcp.write_all(request.as_bytes()).await.expect("it is sent");
            let mut answer = String::new();
            tcp.read_to_string(&mut answer).await.expect("an answer");
            let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
            let status = head.split(' ').nth(1).expect("a status");
            (status.parse().expect("a number"), body.to_owned())
        }
    }

    async fn poll(&mut self) {
        if let Transport::Websocket(_) | Transport::Ended = self.transport {
            assert_eq!(soon("a refusal", self.get()).await.0, 400);
            return;
        }
        let second = tokio::spawn(self.get());
        match self.waiting.take() {
            None => self.waiting = Some(second),
            Some(first) => self.poll_twice(first, second).await,
        }
    }

    /// Two polls at once: if both wait, one is refused and the session ends; or one is answered before the other comes.
    async fn poll_twice(&mut self, mut first: JoinHandle<Answer>, mut second: JoinHandle<Answer>) {
        let answered = async {
            tokio::select! {
                answer = &mut first => (answer, second),
                answer = &mut second => (answer, first),
            }
        };
        let (answer, other) = soon("one is answered", answered).await;
        let answer = answer.expect("no panic");
        if answer.0 == 200 && self.polls.is_known().await {
            self.hear_all(&answer.1).await;
            self.waiting = Some(other);
            return;
        }
        let other = soon("both are answered", other).await.expect("no panic");
        self.ended().await;
        let mut answers = [answer, other];
        answers.sort();
        assert_eq!([answers[0].0, answers[1].0], [200, 400]);
        self.hear_all(&answers[0].1).await;
    }

    /// Goes away while a poll surely waits: there is nothing that it could have been answered with.
    async fn abort(&mut self) {
        let is_quiet = self.said.is_all_heard() && self.acknowledged.is_all_heard();
        let is_certain = is_quiet && !self.has_probed && !self.place.is_lively;
        let is_polling = matches!(self.transport, Transport::Polling);
        if !is_certain || !is_polling || self.waiting.is_some() {
            return;
        }
        // What is cut off before the server has got round to it is nothing to it.
        let ends = async {
            while self.polls.is_known().await {
                let address = self.place.house.address();
                let mut tcp = TcpStream::connect(address).await.expect("TCP");
                let request = self.request();
                tcp.write_all(request.as_bytes()).await.expect("it is sent");
                self.polls.post("3").await;
                drop(tcp);
                self.polls.post("3").await;
            }
        };
        soon("the session ends", ends).await;
        self.ended().await;
    }

    async fn send(&mut self) {
        let event = format!("42{}[\"no:such\"]", self.acknowledged.sent);
        match &mut self.transport {
            Transport::Websocket(socket) => socket.send(event).await,
            Transport::Ended => return assert_eq!(self.polls.post(event).await.0, 400),
            _ => assert_eq!(self.polls.post(event).await.1, "ok"),
        }
        self.acknowledged.sent += 1;
    }

    async fn emit(&mut self) {
        let path = format!("/api/channels/{}/messages", self.place.channel);
        let message = json!({ "content": self.said.sent.to_string() });
        let place = self.place;
        self.said.sent += 1;
        place
            .house
            .call(Method::POST, &path, &place.speaker, message)
            .await;
        self.collect().await;
    }

    async fn another_probe(&self) -> Result<Socket, reqwest::StatusCode> {
        Socket::upgrade(
            &self.place.house,
            &format!("{WEBSOCKET}&sid={}", self.polls.sid),
        )
        .await
    }

    async fn open_probe(&mut self) {
        if !matches!(self.transport, Transport::Polling) {
            assert!(self.another_probe().await.is_err(), "one at a time");
            return;
        }
        let opened = async {
            loop {
                match self.another_probe().await {
                    Ok(socket) => break socket,
                    Err(status) => assert!(self.has_probed, "{status}"),
                }
            }
        };
        let socket = soon("a probe opens", opened).await;
        self.has_probed = true;
        self.transport = Transport::Probing {
            socket,
            is_probed: false,
        };
    }

    async fn probe(&mut self) {
        if let Transport::Probing { socket, is_probed } = &mut self.transport {
            socket.send("2probe").await;
            assert_eq!(socket.next().await, "3probe");
            *is_probed = true;
        }
    }

    async fn upgrade(&mut self) {
        match std::mem::replace(&mut self.transport, Transport::Polling) {
            Transport::Probing {
                mut socket,
                is_probed: true,
            } => {
                assert!(socket.stream.next().now_or_never().is_none(), "it is early");
                socket.send("5").await;
                self.transport = Transport::Websocket(socket);
                // Once something has come by the WebSocket the change is done, and the poll has been let go.
                self.collect().await;
                self.send().await;
                self.hear_everything().await;
            }
            other => {
                let is_unproven = matches!(other, Transport::Probing { .. });
                self.transport = other;
                if is_unproven {
                    self.fail_probe(Message::text("5")).await;
                }
            }
        }
    }

    /// Hears all that is owed by the WebSocket.
    async fn hear_everything(&mut self) {
        while !(self.said.is_all_heard() && self.acknowledged.is_all_heard()) {
            let Transport::Websocket(socket) = &mut self.transport else {
                panic!("there is one");
            };
            let frame = socket.next().await;
            self.hear(&frame).await;
        }
    }

    async fn fail_probe(&mut self, frame: Message) {
        match std::mem::replace(&mut self.transport, Transport::Polling) {
            Transport::Probing { mut socket, .. } => {
                socket.raw(frame).await;
                assert_silent_to_the_end(&mut socket).await;
            }
            other => self.transport = other,
        }
    }

    /// A close ends the session, what waits of it too.
    async fn close(&mut self) {
        match &mut self.transport {
            Transport::Ended => return,
            Transport::Websocket(socket) => {
                socket.send("1").await;
                while let Some(Ok(message)) = soon("the close", socket.stream.next()).await {
                    drop(message);
                }
            }
            Transport::Polling | Transport::Probing { .. } => {
                assert_eq!(self.polls.post("1").await.1, "ok");
            }
        }
        self.ended().await;
        if let Some(waiting) = self.waiting.take() {
            let (status, body) = soon("the poll is let go", waiting).await.expect("no panic");
            // It may have come too late.
            if status == 200 {
                self.hear_all(&body).await;
            }
        }
    }

    /// The session is over: its probe ends with it, having said nothing.
    async fn ended(&mut self) {
        if let Transport::Probing { socket, .. } = &mut self.transport {
            assert_silent_to_the_end(socket).await;
        }
        self.transport = Transport::Ended;
        soon("it is forgotten", self.polls.forgotten()).await;
    }

    async fn collect_if_answered(&mut self) {
        if self.waiting.as_ref().is_some_and(JoinHandle::is_finished) {
            self.collect().await;
        }
    }

    /// The answer of the poll that waits: there is one, as there is something to say.
    async fn collect(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            let (status, body) = soon("the poll is answered", waiting)
                .await
                .expect("no panic");
            // A poll that the upgrade has overtaken is refused.
            let is_late = matches!(self.transport, Transport::Websocket(_));
            assert!(
                status == 200 || is_late && status == 400,
                "{status}: {body}"
            );
            if status == 200 {
                self.hear_all(&body).await;
            }
        }
    }

    async fn hear_all(&mut self, body: &str) {
        for packet in packets(body) {
            self.hear(&packet).await;
        }
    }

    async fn hear(&mut self, packet: &str) {
        match packet {
            "2" => self.pong().await,
            "6" | "1" => {}
            message if message.starts_with("42") => {
                self.said.hear(content(message).parse().expect("a number"));
            }
            ack => {
                let number = ack.strip_prefix("43").and_then(|ack| ack.split('[').next());
                let number = number.expect("an acknowledgement").parse();
                self.acknowledged.hear(number.expect("a number"));
            }
        }
    }

    async fn pong(&mut self) {
        match &mut self.transport {
            Transport::Websocket(socket) => socket.send("3").await,
            Transport::Ended => {}
            _ => assert_eq!(self.polls.post("3").await.1, "ok"),
        }
    }
}

fn packets(body: &str) -> Vec<String> {
    body.split('\x1e').map(str::to_owned).collect()
}

/// Nothing but answers to probes has been on a socket that never took over.
async fn assert_silent_to_the_end(socket: &mut Socket) {
    while let Some(Ok(message)) = soon("the close", socket.stream.next()).await {
        assert!(!message.is_text(), "{message}");
    }
}
