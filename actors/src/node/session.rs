//! A session as the edge knows it: how it begins, what it says, how it ends.

use std::sync::Arc;

use collabflow_protocol::{
    error::ClientError, event::ClientEvent, frame::Frame, id::UserId, model::UserBrief, plain,
    socket, time::Timestamp,
};
use ractor::ActorRef;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::{
    id::{PrivateId, SessionId},
    metrics,
    outbox::{Outbox, Progress},
    registry::Registry,
    session::{actor::SessionMessage, entry::SessionEntry},
};

/// A new connection that has proven who it is.
#[derive(Debug)]
pub struct Hello {
    /// Who it is.
    pub user: UserBrief,
    /// When its token ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// Where its frames go; the answer to CONNECT is the first.
    pub outbox: Arc<Outbox>,
    /// The secret of the session whose place it wants to take.
    pub pid: Option<PrivateId>,
    /// Whether it asks for recovery.
    pub asks_recovery: bool,
    /// How far it has heard what that session was told.
    pub offset: Option<Progress>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client said goodbye: it has left its rooms, at once.
    Goodbye,
    /// Anything else: it may be back within the grace.
    Dropped,
}

/// The one event that is the edge's affair.
pub const REFRESH: &str = "auth:refresh";

/// What an event asks for.
#[derive(Debug)]
pub enum Request {
    /// What a room sees to.
    Event(ClientEvent),
    /// [`REFRESH`]: this token is to take the place of the one that the session lives by. Only the edge can judge it.
    Refresh(Option<String>),
    /// The fresh token was proven, and ends then, if it does; only the answer is left to be given.
    Refreshed(Option<Timestamp>),
}

/// What an acknowledgement repeats, so that the client knows what it is of.
#[derive(Debug)]
pub enum AckId {
    /// Over Socket.IO.
    Number(u64),
    /// Over plain WebSocket: a number or a string, as the client wrote it.
    Raw(Box<RawValue>),
}

impl AckId {
    /// The acknowledgement.
    ///
    /// # Panics
    /// When the body cannot be written as JSON, which is a mistake in its type.
    #[must_use]
    pub fn frame<T: Serialize>(&self, body: &T) -> Frame {
        match self {
            Self::Number(id) => socket::ack(*id, body),
            Self::Raw(id) => plain::ack(id, body),
        }
        .expect("answers have text for keys, and no failing parts")
    }
}

/// One event as it came in.
#[derive(Debug)]
pub struct Inbound {
    /// The event's name, for the answer.
    pub name: String,
    /// The event, or what is wrong with it.
    pub event: Result<Request, ClientError>,
    /// The id under which the client waits for an acknowledgement.
    pub ack: Option<AckId>,
}

/// A live session as the edge holds it.
#[derive(Clone)]
pub struct Session {
    pub(super) entry: Arc<SessionEntry>,
    pub(super) actor: ActorRef<SessionMessage>,
    pub(super) registry: Arc<Registry>,
    pub(super) permits: Arc<Semaphore>,
}

impl Session {
    /// The public id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.entry.id
    }

    /// The rooms that it is in.
    #[cfg(test)]
    pub(crate) fn rooms(&self) -> Vec<crate::key::RoomKey> {
        self.entry.rooms()
    }

    /// Who it is.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.entry.user_id()
    }

    /// Hands an event over; waits while too many of this session's are under way.
    pub async fn receive(&self, inbound: Box<Inbound>) {
        metrics::event_received(&inbound.name);
        if let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
            // A session that has broken is being closed: its supervisor sees to that.
            let _ = self.actor.cast(SessionMessage::Inbound(inbound, permit));
        }
    }

    /// The connection has ended. Frames that were not written are kept for who comes back.
    pub fn end(&self, how: Ended) {
        if self.actor.cast(SessionMessage::Ended(how)).is_err() {
            self.registry.end_session(&self.entry, how);
        }
    }
}
