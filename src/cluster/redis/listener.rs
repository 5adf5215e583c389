//! The connection that listens: it is made again whenever it is gone, with every subscription, and counts as there only
//! once a message of our own has come back over it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use collabflow_actors::{
    backplane::{BackplaneError, Incoming},
    key::RoomKey,
};
use futures_util::StreamExt;
use redis::{
    AsyncConnectionConfig, Client, Msg, RedisResult,
    aio::{PubSubSink, PubSubStream},
};
use tokio::{
    sync::{mpsc, oneshot},
    time,
};

use super::{
    RedisOptions, away, call,
    calls::Calls,
    keys::{EVERYBODY, Keys},
    push::{self, Push},
};

/// Between two tries to connect: the first, and the longest; each is somewhere between half and whole.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A wish of the node.
pub(super) enum Subscription {
    Begin(RoomKey, oneshot::Sender<Result<(), BackplaneError>>),
    End(RoomKey),
}

pub(super) struct Listener {
    client: Client,
    calls: Arc<Calls>,
    options: RedisOptions,
    incoming: mpsc::UnboundedSender<Incoming>,
    wanted: mpsc::UnboundedReceiver<Subscription>,
    rooms: HashSet<RoomKey>,
    /// Connections so far.
    connections: u64,
    /// That it is away was said.
    is_said: bool,
}

impl Listener {
    pub(super) fn new(
        client: Client,
        calls: Arc<Calls>,
        options: RedisOptions,
        incoming: mpsc::UnboundedSender<Incoming>,
        wanted: mpsc::UnboundedReceiver<Subscription>,
    ) -> Self {
        Self {
            client,
            calls,
            options,
            incoming,
            wanted,
            rooms: HashSet::new(),
            connections: 0,
            is_said: false,
        }
    }

    /// Until the node drops the backplane.
    pub(super) async fn run(mut self) {
        let mut pause = PAUSE_MIN;
        loop {
            match self.connect().await {
                Ok((sink, stream)) => {
                    let since = time::Instant::now();
                    let ended = self.listen(sink, stream).await;
                    self.calls.disconnect();
                    let _ = self.incoming.send(Incoming::Down);
                    let Ended::Cut(reason) = ended else {
                        return;
                    };
                    self.say_away(&reason);
                    // One that connects, and refuses what it is asked for, is not asked without a pause.
                    if since.elapsed() >= PAUSE_MAX {
                        pause = PAUSE_MIN;
                    }
                }
                Err(error) => self.say_away(&error.to_string()),
            }
            let jittered = pause.mul_f64(rand::random_range(0.5..1.0));
            if !self.wait(jittered).await {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Once, however often it is tried.
    fn say_away(&mut self, reason: &str) {
        if std::mem::replace(&mut self.is_said, true) {
            tracing::debug!(reason, "Redis does not answer");
        } else {
            tracing::warn!(reason, "Redis is away: this node goes on by itself");
        }
    }

    /// Wishes are taken while there is no connection too, and refused. Whether anybody still has any is the answer.
    async fn wait(&mut self, pause: Duration) -> bool {
        let end = time::Instant::now() + pause;
        loop {
            match time::timeout_at(end, self.wanted.recv()).await {
                Err(_) => return true,
                Ok(None) => return false,
                Ok(Some(Subscription::Begin(room, done))) => {
                    // It is made with the next connection.
                    self.rooms.insert(room);
                    let _ = done.send(Err(away("there is no connection")));
                }
                Ok(Some(Subscription::End(room))) => {
                    self.rooms.remove(&room);
                }
            }
        }
    }

    async fn connect(&mut self) -> RedisResult<(PubSubSink, PubSubStream)> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.timeout))
            // Calls have their time themselves.
            .set_response_timeout(None);
        let calls = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let listening = time::timeout(self.options.timeout, self.client.get_async_pubsub());
        let (mut sink, stream) = listening.await.map_err(too_long)??.split();
        let mut channels = vec![EVERYBODY.to_owned()];
        channels.extend(self.rooms.iter().map(|room| Keys.channel(*room)));
        let subscribing = time::timeout(self.options.timeout, sink.subscribe(channels));
        subscribing.await.map_err(too_long)??;
        let mut stream = stream;
        let before = self.verify(calls.clone(), &mut stream).await?;
        self.connections += 1;
        self.calls.connect(self.connections, calls);
        if std::mem::take(&mut self.is_said) {
            tracing::info!("Redis is back");
        } else if self.connections == 1 {
            tracing::info!("Redis joins this node to others");
        }
        // The node may have stopped.
        let _ = self.incoming.send(Incoming::Up);
        before.iter().for_each(|message| self.hand_on(message));
        Ok((sink, stream))
    }

    /// A message of our own has to come back. What comes before it is for when there is a connection: it may ask for an answer.
    async fn verify(
        &self,
        mut calls: redis::aio::MultiplexedConnection,
        stream: &mut PubSubStream,
    ) -> RedisResult<Vec<Msg>> {
        let word = format!("v{:x}", rand::random::<u64>());
        let coming_back = async {
            self.meet(&mut calls).await?;
            call::trial(&word).exec_async(&mut calls).await?;
            let mut before = Vec::new();
            while let Some(message) = stream.next().await {
                if message.get_payload_bytes().ends_with(word.as_bytes()) {
                    return Ok(before);
                }
                before.push(message);
            }
            Err(cut())
        };
        time::timeout(self.options.timeout, coming_back)
            .await
            .map_err(too_long)?
    }

    /// Finds out whether another has taken over from the Redis that was there before.
    async fn meet(&self, calls: &mut redis::aio::MultiplexedConnection) -> RedisResult<()> {
        // Where our user may not ask, nobody knows.
        let Ok(info) = call::primary().query_async::<String>(calls).await else {
            return Ok(());
        };
        let Some(primary) = call::name_of(&info) else {
            return Ok(());
        };
        let take_over = call::take_over(primary, &self.options);
        if take_over.query_async::<bool>(calls).await? {
            tracing::warn!("another Redis has taken over: rooms are told to reload");
        }
        Ok(())
    }

    async fn listen(&mut self, mut sink: PubSubSink, mut stream: PubSubStream) -> Ended {
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(message) => self.hand_on(&message),
                    None => return Ended::Cut("the connection is gone".into()),
                },
                reason = self.calls.given_up() => return Ended::Cut(reason),
                wanted = self.wanted.recv() => match wanted {
                    None => return Ended::Stopped,
                    Some(wanted) => {
                        if !self.subscribe(&mut sink, wanted).await {
                            return Ended::Cut("it does not subscribe".into());
                        }
                    }
                },
            }
        }
    }

    /// Whether the connection has done it.
    async fn subscribe(&mut self, sink: &mut PubSubSink, wanted: Subscription) -> bool {
        let timeout = self.options.timeout;
        match wanted {
            Subscription::Begin(room, done) => {
                self.rooms.insert(room);
                let subscribed = time::timeout(timeout, sink.subscribe(Keys.channel(room))).await;
                let is_done = matches!(subscribed, Ok(Ok(())));
                let answer = if is_done {
                    Ok(())
                } else {
                    Err(away("it does not subscribe"))
                };
                let _ = done.send(answer);
                is_done
            }
            Subscription::End(room) => {
                // A room may end that was never followed.
                if !self.rooms.remove(&room) {
                    return true;
                }
                let ended = time::timeout(timeout, sink.unsubscribe(Keys.channel(room))).await;
                matches!(ended, Ok(Ok(())))
            }
        }
    }

    fn hand_on(&self, message: &Msg) {
        let channel = message.get_channel_name();
        let payload = Bytes::copy_from_slice(message.get_payload_bytes());
        let incoming = match (channel, Keys.room(channel), push::read(&payload)) {
            (EVERYBODY, _, Some(Push::Passing(payload))) => Incoming::Said(payload),
            (_, Some(room), Some(Push::Passing(payload))) => Incoming::Passing(room, payload),
            (_, Some(room), Some(Push::Entry(entry))) => Incoming::Entry(room, entry),
            // Another node's word by which it knows its connection.
            _ => return,
        };
        // The node may have stopped.
        let _ = self.incoming.send(incoming);
    }
}

/// Why it listens no longer.
enum Ended {
    Cut(String),
    Stopped,
}

fn too_long(_: time::error::Elapsed) -> redis::RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

fn cut() -> redis::RedisError {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}
