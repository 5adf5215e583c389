//! A client comes back whose session was on another node: the session is taken over, with what its client has missed, and
//! is then one of this node's that is away. From there on its return is like any other.

use std::{sync::Arc, time::Duration};

use collabflow_protocol::{event::ServerEvent, model::UserBrief};
use tokio::{sync::oneshot, time::timeout};

use super::{Hello, Node};
use crate::{
    cluster::Cluster,
    id::PrivateId,
    outbox::{Broadcast, Mark, Outbox, Progress, Unheard},
    room::{Adoption, After, RoomMessage},
    session::{
        entry::SessionEntry,
        record::{RoomRecord, SessionRecord},
    },
};

/// How long all of it may take; then the client begins afresh.
const ADOPTED_WITHIN: Duration = Duration::from_secs(8);
/// How long the rooms may take to say what was missed.
const SEATED_WITHIN: Duration = Duration::from_secs(4);

/// A client that wants a session of another node.
struct Claimant {
    user: UserBrief,
    outbox: Arc<Outbox>,
    progress: Option<Progress>,
}

impl Node {
    /// Brings a session here whose client has come here, if it is another node's.
    pub(super) async fn adopt(&self, hello: &Hello, recovers: bool) {
        let (Some(pid), Some(cluster)) = (hello.pid, self.registry.cluster()) else {
            return;
        };
        if !cluster.is_up() || self.registry.is_known(pid) {
            return;
        }
        let (node, cluster) = (self.clone(), Arc::clone(cluster));
        let claimant = Claimant {
            user: hello.user.clone(),
            outbox: Arc::clone(&hello.outbox),
            progress: hello.offset.clone().filter(|_| recovers),
        };
        // It goes on where its client does not wait for it: the session is nobody's meanwhile.
        let adopting = tokio::spawn(async move {
            let adopting = node.adopt_for(&cluster, pid, claimant);
            node.registry.adopt_once(pid, adopting).await;
        });
        let _ = timeout(ADOPTED_WITHIN, adopting).await;
    }

    async fn adopt_for(&self, cluster: &Cluster, pid: PrivateId, claimant: Claimant) {
        let Some(record) = cluster.take(pid).await else {
            return;
        };
        if record.user != claimant.user.id {
            return cluster.record(&record);
        }
        let Some(mut record) = self.released(cluster, record).await else {
            return;
        };
        tracing::debug!(session = %record.id, node = %record.node, rooms = record.rooms.len(), "a session comes from another node");
        cluster.strike(record.pids());
        let left = record.left.take().map(|left| left.unheard);
        let left = left.filter(|left| left.suffices(claimant.progress.as_ref()));
        let is_released = left.is_some();
        let unheard = left.unwrap_or_else(|| lost(claimant.progress, &record));
        let bytes_max = self.registry.settings().recovery_bytes_max;
        let outbox = claimant.outbox.adopted(unheard, bytes_max);
        let entry = SessionEntry::adopted(&record, Arc::new(claimant.user), outbox);
        let after = |joined: &RoomRecord| after(&entry, joined, is_released);
        self.seat(
            &entry,
            record.rooms.iter().map(|joined| (joined, after(joined))),
        )
        .await;
        // The others were told already that it may have stored something that is in no log.
        if !is_released && cluster.is_lost(record.node) {
            tell_to_reload(&entry);
        }
        self.registry.adopt(&entry);
    }

    /// The record of a session, once its node has let go of it or is gone; `None` where it cannot come back any more.
    async fn released(&self, cluster: &Cluster, record: SessionRecord) -> Option<SessionRecord> {
        let window = self.registry.settings().recovery_window;
        if record.node == cluster.node() || !cluster.may_return(&record, window) {
            return None;
        }
        if record.left.is_some() {
            return Some(record);
        }
        cluster.ask_for(record.node, record.pid).await;
        // One that is gone has said nothing more.
        let released = cluster.take(record.pid).await;
        Some(
            released
                .filter(|released| released.left.is_some())
                .unwrap_or(record),
        )
    }

    /// Gives a session its seats, each with what it missed there.
    async fn seat(
        &self,
        entry: &Arc<SessionEntry>,
        rooms: impl Iterator<Item = (&RoomRecord, Option<After>)>,
    ) {
        // All are asked before the first answer is awaited.
        let asked: Vec<_> = rooms
            .map(|(joined, after)| {
                let (done, seated) = oneshot::channel();
                let adoption = Adoption {
                    entry: Arc::clone(entry),
                    after,
                    done,
                };
                let room = self.registry.room(joined.room);
                room.send(RoomMessage::Adopt(adoption));
                (joined.room, seated)
            })
            .collect();
        let _ = timeout(SEATED_WITHIN, async {
            for (room, seated) in asked {
                if seated.await.is_err() {
                    // It has broken over it.
                    entry.outbox.lose(room);
                }
            }
        })
        .await;
    }
}

/// Puts it behind what the session has missed of its rooms that it is to reload them.
fn tell_to_reload(entry: &SessionEntry) {
    for key in entry.rooms() {
        let room = key.to_string();
        let resync = Broadcast::new(&ServerEvent::RoomResync { room });
        let frame = resync.frame(entry.outbox.wire());
        // It is away: there is nothing to flush.
        let _ = entry.outbox.push_durable(key, Mark::Beside, frame);
    }
}

/// What a session's client has not read, where its node cannot say.
fn lost(progress: Option<Progress>, record: &SessionRecord) -> Unheard {
    if record.can_recover {
        let mut progress = progress.unwrap_or_default();
        // Each event would say again what a client has made up of others.
        progress
            .places
            .keep(record.rooms.iter().map(|joined| joined.room));
        return Unheard::after(progress);
    }
    let rooms = record.rooms.iter().map(|joined| joined.room);
    Unheard::nothing_known(rooms.collect())
}

/// How far a session was told a room's log; `None` where nobody can say.
fn after(entry: &SessionEntry, joined: &RoomRecord, is_released: bool) -> Option<After> {
    if is_released {
        return joined.told_to.map(After::Told);
    }
    if !entry.outbox.has_log() {
        return None;
    }
    let heard = entry.outbox.heard(joined.room).map(After::Heard);
    let after = match (heard, joined.since.map(After::Told)) {
        (Some(heard), Some(since)) if since.stamp() > heard.stamp() => since,
        (Some(heard), _) => heard,
        (None, since) => since?,
    };
    (after.stamp() >= joined.doubtful_to).then_some(after)
}
