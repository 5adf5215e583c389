//! How a session begins: afresh, as a rejoin (a new session in the rooms of an old one), or recovered (the same session
//! on another connection).
//!
//! A recovery is proven complete before anything of the old session is touched: its log reaches back to the client's
//! offset, and each of its rooms has said whether the user may still be there. What cannot be proven begins afresh.

use std::{collections::HashMap, sync::Arc, time::Duration};

use collabflow_protocol::{
    error::ClientError, event::ServerEvent, id::UserId, socket, time::Timestamp,
};
use ractor::{ActorRef, ActorRuntime};
use serde::Serialize;
use tokio::sync::{Semaphore, oneshot};

use super::{Hello, Node, RecoveryMode, Session};
use crate::{
    id::PrivateId,
    key::RoomKey,
    outbox::{Broadcast, Offset, Wire},
    room::{Departure, RoomMessage, Standing},
    session::{
        actor::{SessionActor, SessionArgs, SessionMessage},
        entry::SessionEntry,
    },
};

/// Events of one session that may be under way at once; its socket is not read past them.
const EVENTS_UNDER_WAY_MAX: usize = 64;
/// How long the rooms may take to say who may come back to them.
const VOUCHED_WITHIN: Duration = Duration::from_secs(5);
/// So many connections at once may try to be one session.
const RIVALS_MAX: usize = 3;

/// The event by which a session that can recover knows its first offset.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Opening {
    user_id: UserId,
    expires_at: Option<Timestamp>,
}

/// A recovery that is proven to be complete.
struct Proof {
    old: Arc<SessionEntry>,
    after: Offset,
    standings: HashMap<RoomKey, Standing>,
}

impl Node {
    /// Opens a session and answers its CONNECT; what it missed and its rooms follow by themselves.
    ///
    /// # Errors
    /// `unavailable` while the node is ending.
    pub async fn open_session(&self, hello: Hello) -> Result<Session, ClientError> {
        let can_recover = hello.outbox.wire() == Wire::SocketIo
            && match self.registry.settings().recovery {
                RecoveryMode::OptIn => hello.asks_recovery,
                RecoveryMode::Always => true,
                RecoveryMode::Off => false,
            };
        self.adopt(&hello, can_recover).await;
        if !can_recover {
            return self.open_rejoining(hello);
        }
        for _ in 0..RIVALS_MAX {
            let Some(proof) = self.prove(&hello).await else {
                break;
            };
            if let Some(session) = self.recover(&proof, &hello) {
                return session;
            }
        }
        self.open_recoverable(hello)
    }

    /// Begins a session, in the rooms of the one whose place it wants, if there is one.
    fn open_rejoining(&self, hello: Hello) -> Result<Session, ClientError> {
        let Some((old, pid)) = self.succeeded(&hello) else {
            let entry = SessionEntry::new(Arc::new(hello.user), hello.outbox);
            let session = self.begin(&entry)?;
            self.greet(&entry, hello.expires_at);
            return Ok(session);
        };
        old.outbox.replace();
        if pid != old.pid {
            old.outbox.disprove();
        }
        let user = Arc::new(hello.user);
        let entry = SessionEntry::succeeding(Arc::clone(&old), pid, user, hello.outbox);
        let (session, actor) = self.act_for(&entry)?;
        self.greet(&entry, hello.expires_at);
        for room in entry.rooms() {
            let (old, new) = (Arc::clone(&old), Arc::clone(&entry));
            self.registry
                .room(room)
                .send(RoomMessage::Return { old, new });
        }
        // Who takes over this one has to come to the rooms behind it.
        self.registry.add_session(entry, actor);
        Ok(session)
    }

    /// Takes over the session whose place a client wants, if it may; and by which secret it has come.
    fn succeeded(&self, hello: &Hello) -> Option<(Arc<SessionEntry>, PrivateId)> {
        let old = self.replaced(hello)?;
        let may_rejoin = self.registry.settings().rejoin;
        (may_rejoin && self.registry.take_over(&old)).then_some((old, hello.pid?))
    }

    /// The answer to CONNECT, or what there is instead of it.
    fn greet(&self, entry: &SessionEntry, expires_at: Option<Timestamp>) {
        let id = entry.id.to_string();
        match entry.outbox.wire() {
            Wire::SocketIo => {
                let rejoin = self.registry.settings().rejoin;
                let pid = rejoin.then(|| entry.pid.to_string());
                entry.outbox.send(&socket::connect(&id, pid.as_deref()));
            }
            Wire::Plain => {
                let session = ServerEvent::PlainSession {
                    id,
                    user_id: entry.user_id(),
                    expires_at,
                };
                entry
                    .outbox
                    .send(Broadcast::new(&session).frame(Wire::Plain));
            }
        }
    }

    /// Begins a session that can recover later, in no room. The one whose place it wants is over.
    fn open_recoverable(&self, hello: Hello) -> Result<Session, ClientError> {
        if let Some(old) = self
            .replaced(&hello)
            .filter(|old| self.registry.take_over(old))
        {
            old.outbox.replace();
            self.registry.depart(&old, &old.rooms(), Departure::Dropped);
        }
        let opening = Opening {
            user_id: hello.user.id,
            expires_at: hello.expires_at,
        };
        let entry = SessionEntry::new(Arc::new(hello.user), hello.outbox);
        let bytes_max = self.registry.settings().recovery_bytes_max;
        entry.outbox.keep_log(bytes_max);
        let session = self.begin(&entry)?;
        self.registry.record(&entry);
        entry.outbox.send(&greeting(&entry));
        let opening = socket::event("session", &opening).map_err(|_| ClientError::internal())?;
        let opening = socket::with_offset(&opening, Offset::default());
        entry.outbox.send(&opening);
        Ok(session)
    }

    /// The session whose place a client wants: one of another connection.
    fn replaced(&self, hello: &Hello) -> Option<Arc<SessionEntry>> {
        let old = self.registry.returning(hello.pid?, hello.user.id)?;
        (!Arc::ptr_eq(&old.outbox, &hello.outbox)).then_some(old)
    }

    /// Proves that a session can be gone on with.
    async fn prove(&self, hello: &Hello) -> Option<Proof> {
        let (old, after) = (self.replaced(hello)?, hello.offset.as_ref()?.offset);
        let mut standings = HashMap::new();
        loop {
            let mut unknown = old.outbox.rooms_since(after)?;
            unknown.extend(old.rooms());
            unknown.retain(|room| !standings.contains_key(room));
            if unknown.is_empty() {
                return Some(Proof {
                    old,
                    after,
                    standings,
                });
            }
            let vouched = self.vouch(unknown, old.user_id());
            let vouched = tokio::time::timeout(VOUCHED_WITHIN, vouched).await;
            standings.extend(vouched.ok().flatten()?);
        }
    }

    /// What the user is to these rooms; `None` where one cannot say.
    async fn vouch(&self, rooms: Vec<RoomKey>, user: UserId) -> Option<Vec<(RoomKey, Standing)>> {
        let ask = |room| {
            let (asked, standing) = oneshot::channel();
            self.registry
                .room(room)
                .send(RoomMessage::Vouch(user, asked));
            (room, standing)
        };
        // All are asked before the first answer is awaited.
        let asked: Vec<_> = rooms.into_iter().map(ask).collect();
        let mut standings = Vec::with_capacity(asked.len());
        for (room, standing) in asked {
            standings.push((room, standing.await.ok()?));
        }
        Some(standings)
    }

    /// Goes on with a session; `None` where something has changed since that was proven to be possible.
    fn recover(&self, proof: &Proof, hello: &Hello) -> Option<Result<Session, ClientError>> {
        let Proof {
            old,
            after,
            standings,
        } = proof;
        let is_kept = |room: RoomKey| standings.get(&room) == Some(&Standing::Member);
        let (user, outbox) = (Arc::new(hello.user.clone()), Arc::clone(&hello.outbox));
        let new = SessionEntry::renewed(old, user, outbox, is_kept);
        if !self.registry.renew(old, &new) {
            return None;
        }
        for (room, _) in standings
            .iter()
            .filter(|(_, standing)| **standing == Standing::Stranger)
        {
            old.outbox.forget(*room);
        }
        if !old.outbox.hand_on(&new.outbox, *after, &greeting(&new)) {
            // It is over: the next try does not find it.
            self.registry.take_over(&new);
            old.outbox.replace();
            self.registry.depart(old, &old.rooms(), Departure::Dropped);
            return None;
        }
        let (kept, lost): (Vec<_>, Vec<_>) =
            old.rooms().into_iter().partition(|room| is_kept(*room));
        self.registry.depart(old, &lost, Departure::Dropped);
        for room in kept {
            let (old, new) = (Arc::clone(old), Arc::clone(&new));
            self.registry
                .room(room)
                .send(RoomMessage::Renew { old, new });
        }
        let session = self.act_for(&new).map(|(session, actor)| {
            self.registry.add_live(Arc::clone(&new), actor);
            self.registry.record(&new);
            session
        });
        new.outbox.flush();
        Some(session)
    }

    fn begin(&self, entry: &Arc<SessionEntry>) -> Result<Session, ClientError> {
        let (session, actor) = self.act_for(entry)?;
        self.registry.add_session(Arc::clone(entry), actor);
        Ok(session)
    }

    /// Starts a session's actor.
    fn act_for(
        &self,
        entry: &Arc<SessionEntry>,
    ) -> Result<(Session, ActorRef<SessionMessage>), ClientError> {
        let args = SessionArgs {
            entry: Arc::clone(entry),
            registry: Arc::clone(&self.registry),
        };
        let supervisor = self.registry.supervisor();
        let (actor, _) = ActorRuntime::spawn_linked_instant(None, SessionActor, args, supervisor)
            .map_err(|_| ClientError::unavailable())?;
        let session = Session {
            entry: Arc::clone(entry),
            actor: actor.clone(),
            registry: Arc::clone(&self.registry),
            permits: Arc::new(Semaphore::new(EVENTS_UNDER_WAY_MAX)),
        };
        Ok((session, actor))
    }
}

fn greeting(entry: &SessionEntry) -> collabflow_protocol::frame::Frame {
    socket::connect(&entry.id.to_string(), Some(&entry.pid.to_string()))
}

#[cfg(test)]
mod tests;
