//! An Engine.IO session: what stays the same while its transport changes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use collabflow_actors::{
    id::PrivateId,
    node::Ended,
    outbox::{CloseReason, Outbox, OutboxLimits, Wire},
};
use collabflow_protocol::{
    engine::{Handshake, Transport},
    frame::Frame,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use warp::http::HeaderValue;

use super::{Context, packets::Packets};
use crate::edge::{
    live::{Clock, Heartbeat, Rules},
    websocket::WebSocket,
};

/// How long the end of a connection waits for the poll that is told of it.
const LAST_POLL: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    /// The session's secret: whoever has it may poll.
    sid: PrivateId,
    pub(super) outbox: Arc<Outbox>,
    context: Arc<Context>,
    pub(super) clock: Clock,
    /// One message is taken at a time, whichever transport it came by.
    pub(super) packets: tokio::sync::Mutex<Packets>,
    pub(super) polling: Polling,
    stage: Mutex<Stage>,
    ended: Notify,
}

/// How far the transport has come.
enum Stage {
    /// Polling; a WebSocket may be handed to the connection's task here.
    Polling(oneshot::Sender<Box<WebSocket>>),
    /// A WebSocket has been opened beside it, and is being probed.
    Probing(oneshot::Sender<Box<WebSocket>>),
    Websocket,
}

/// The state of a connection's polls.
#[derive(Default)]
pub(super) struct Polling {
    pub(super) is_getting: AtomicBool,
    pub(super) is_posting: AtomicBool,
    /// The waiting poll is to be answered, with nothing if need be.
    pub(super) released: Notify,
    /// A poll has come that nothing waits for: what was told before has arrived.
    pub(super) emptied: Notify,
}

impl Connection {
    /// Opens a session on a transport. The handshake is the first frame; the receiver gets the WebSocket of an upgrade.
    pub(super) fn open(
        context: &Arc<Context>,
        transport: Transport,
    ) -> (Arc<Self>, oneshot::Receiver<Box<WebSocket>>) {
        let settings = &context.settings;
        let now = Instant::now();
        let limits = OutboxLimits {
            bytes_max: settings.outbox_bytes,
            stall_max: settings.outbox_stall,
        };
        let heartbeat = Heartbeat::new(
            settings.ping_interval,
            settings.ping_timeout,
            settings.connect_timeout,
            now,
        );
        let (upgrade, upgraded) = oneshot::channel();
        let stage = match transport {
            Transport::Polling => Stage::Polling(upgrade),
            Transport::Websocket => Stage::Websocket,
        };
        let connection = Arc::new(Self {
            sid: PrivateId::random(),
            outbox: Outbox::new(Wire::SocketIo, limits),
            context: Arc::clone(context),
            clock: Clock::new(heartbeat),
            packets: tokio::sync::Mutex::new(Packets::new(settings)),
            polling: Polling::default(),
            stage: Mutex::new(stage),
            ended: Notify::new(),
        });
        connection.outbox.send(&connection.handshake(transport));
        context
            .connections
            .insert(connection.sid, Arc::clone(&connection));
        if context.is_draining() {
            // Those that were there have been closed already.
            connection.outbox.close(CloseReason::Draining);
        }
        (connection, upgraded)
    }

    fn handshake(&self, transport: Transport) -> Frame {
        let settings = &self.context.settings;
        let handshake = Handshake {
            sid: &self.sid.to_string(),
            upgrades: transport.upgrades(),
            ping_interval: settings.ping_interval,
            ping_timeout: settings.ping_timeout,
            max_payload: settings.max_payload,
        };
        handshake.encode()
    }

    /// The secret, for the head of an answer.
    pub(super) fn sid(&self) -> HeaderValue {
        HeaderValue::try_from(self.sid.to_string()).expect("it is base64url")
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// What a session on it keeps to.
    pub(super) fn rules(&self) -> Rules<'_> {
        Rules {
            auth: &self.context.auth,
            settings: &self.context.settings,
            clock: &self.clock,
        }
    }

    /// Whether polls are answered: until an upgrade is done.
    pub(super) fn is_polling(&self) -> bool {
        !matches!(*self.stage.lock(), Stage::Websocket)
    }

    /// Begins an upgrade; false where there is one, or the transport is a WebSocket already.
    pub(super) fn begin_probe(&self) -> bool {
        let mut stage = self.stage.lock();
        match std::mem::replace(&mut *stage, Stage::Websocket) {
            Stage::Polling(upgrade) => {
                *stage = Stage::Probing(upgrade);
                true
            }
            other => {
                *stage = other;
                false
            }
        }
    }

    /// Ends an upgrade: with a WebSocket it is done, without one the polls go on.
    pub(super) fn end_probe(&self, websocket: Option<Box<WebSocket>>) {
        let mut stage = self.stage.lock();
        if let Stage::Probing(upgrade) = std::mem::replace(&mut *stage, Stage::Websocket) {
            match websocket {
                None => *stage = Stage::Polling(upgrade),
                Some(websocket) => {
                    // The ping that the change has overtaken needs no answer.
                    self.clock.pong();
                    // A connection that has just ended drops the socket, which closes it.
                    drop(upgrade.send(websocket));
                    // A poll that came after the last release has nothing to wait for any more.
                    self.polling.released.notify_waiters();
                }
            }
        }
    }

    /// A pong has come.
    pub(super) fn pong(&self) {
        if let Some(pinged) = self.clock.pong() {
            self.outbox.prove_read(pinged);
        }
    }

    /// Lets the next polls fetch what waits for them, if they come at once.
    pub(super) async fn hand_over(&self) {
        let fetched = async {
            loop {
                let emptied = self.polling.emptied.notified();
                emptied.await;
                if !self.outbox.is_waiting() {
                    break;
                }
            }
        };
        // Who does not poll any more need not be told.
        let _ = tokio::time::timeout(LAST_POLL, fetched).await;
    }

    /// Ends the connection: nothing finds it any more, and its session hears how it went.
    pub(super) async fn end(&self, reason: CloseReason) {
        self.context.connections.remove(&self.sid);
        let has_fallen_silent = reason == CloseReason::PingTimeout;
        let silent_since = self.clock.unanswered().filter(|_| has_fallen_silent);
        self.outbox.end(reason, silent_since);
        self.ended.notify_waiters();
        self.packets.lock().await.end(Ended::Dropped, self);
    }

    /// Does something for the connection; `None` where it ends before that is done.
    pub(super) async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let ended = self.ended.notified();
        if self.outbox.closed().is_some() {
            return None;
        }
        tokio::select! {
            done = work => Some(done),
            () = ended => None,
        }
    }
}

/// One request of a kind at a time; given back when the request has ended, however it did.
pub(super) struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    pub(super) fn take(flag: &'a AtomicBool) -> Option<Self> {
        (!flag.swap(true, Ordering::AcqRel)).then_some(Self(flag))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
