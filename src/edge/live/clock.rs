//! The one clock of a connection: heartbeats and the token's end are waited for together, by the connection's own task.

use collabflow_actors::{
    id::now,
    outbox::{Broadcast, CloseReason, Outbox},
};
use collabflow_protocol::{event::ServerEvent, time::Timestamp};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::{
    expiry::{self, Expiry},
    heartbeat::{self, Heartbeat},
};

/// What a connection does by itself, and when.
#[derive(Debug)]
pub(in crate::edge) struct Clock {
    state: Mutex<State>,
    /// Wakes the connection's task: the token is another.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    heartbeat: Heartbeat,
    expiry: Expiry,
}

enum Due {
    At(Instant),
    Ping,
    Expiring(Timestamp),
    Expired(Timestamp),
    Over(CloseReason),
}

impl Clock {
    pub(in crate::edge) fn new(heartbeat: Heartbeat) -> Self {
        Self {
            state: Mutex::new(State {
                heartbeat,
                expiry: Expiry::default(),
            }),
            changed: Notify::new(),
        }
    }

    /// A session has begun.
    pub(in crate::edge) fn connected(&self) {
        self.state.lock().heartbeat.connected();
    }

    /// The session has ended; another one may begin on its connection.
    pub(in crate::edge) fn disconnected(&self) {
        let State { heartbeat, expiry } = &mut *self.state.lock();
        heartbeat.disconnected(Instant::now());
        expiry.set(None);
        self.changed.notify_one();
    }

    /// The session lives by a token that ends then, if that is to end the session at all.
    pub(in crate::edge) fn set_expiry(&self, at: Option<Timestamp>) {
        self.state.lock().expiry.set(at);
        self.changed.notify_one();
    }

    /// The token was seen to have ended: nothing is taken any more.
    pub(in crate::edge) fn has_expired(&self) -> bool {
        self.state.lock().expiry.has_expired()
    }

    /// A pong has come, or the last ping needs none any more. Gives the time of the ping, if there was one.
    pub(in crate::edge) fn pong(&self) -> Option<Instant> {
        self.state.lock().heartbeat.pong(Instant::now())
    }

    /// When the ping was sent that is not answered yet.
    pub(in crate::edge) fn unanswered(&self) -> Option<Instant> {
        self.state.lock().heartbeat.unanswered()
    }

    /// Does what is due when it is; ends when there is no use in going on. The client has been told why, if it can be.
    pub(in crate::edge) async fn keep(&self, outbox: &Outbox, ping: impl Fn()) -> CloseReason {
        loop {
            match self.due() {
                Due::At(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = self.changed.notified() => {}
                    }
                }
                Due::Ping => ping(),
                Due::Expiring(expires_at) => {
                    tell(outbox, &ServerEvent::AuthExpiring { expires_at });
                }
                Due::Expired(expires_at) => {
                    tell(outbox, &ServerEvent::AuthExpired { expires_at });
                    return CloseReason::TokenExpired;
                }
                Due::Over(reason) => return reason,
            }
        }
    }

    fn due(&self) -> Due {
        let State { heartbeat, expiry } = &mut *self.state.lock();
        let left = match expiry.due(now()) {
            expiry::Due::Never => None,
            expiry::Due::In(left) => Some(left),
            expiry::Due::Expiring(at) => return Due::Expiring(at),
            expiry::Due::Expired(at) => return Due::Expired(at),
        };
        let now = Instant::now();
        match heartbeat.due(now) {
            heartbeat::Due::Ping => Due::Ping,
            heartbeat::Due::PingTimeout => Due::Over(CloseReason::PingTimeout),
            heartbeat::Due::ConnectTimeout => Due::Over(CloseReason::ConnectTimeout),
            // The next beat is near, so a token's end in some far year is never added to a clock.
            heartbeat::Due::At(at) => match left {
                Some(left) if left < at.saturating_duration_since(now) => Due::At(now + left),
                _ => Due::At(at),
            },
        }
    }
}

fn tell(outbox: &Outbox, event: &ServerEvent) {
    outbox.send(Broadcast::new(event).frame(outbox.wire()));
}
