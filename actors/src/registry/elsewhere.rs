//! What the other nodes know of the sessions here, and how a session comes from one node to another.
//!
//! A record is written while a session is somebody's, and taken out by whoever gets it: so no session is had twice.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::timeout};

use super::{Registry, actor::RegistryMessage};
use crate::{
    backplane::Table,
    id::{self, PrivateId},
    room::RoomMessage,
    session::{
        entry::SessionEntry,
        record::{Left, SessionRecord},
    },
};

/// How long a room may take to let go of a session.
const RELEASED_WITHIN: Duration = Duration::from_secs(1);

impl Registry {
    /// The other nodes are to know of a session as it is now.
    pub(crate) fn record(&self, entry: &SessionEntry) {
        let Some(cluster) = &self.cluster else {
            return;
        };
        if let Some(record) = entry.record(cluster.node()) {
            entry.set_recorded(true);
            cluster.record(&record);
        }
    }

    /// They may have forgotten all of it.
    pub(crate) fn record_all(&self) {
        for entry in self.known() {
            self.record(&entry);
        }
    }

    /// They need not know of it any more.
    pub(super) fn strike(&self, entry: &SessionEntry) {
        if let Some(cluster) = self.cluster.as_ref().filter(|_| entry.is_recorded()) {
            entry.set_recorded(false);
            cluster.strike(entry.pids());
        }
    }

    /// All sessions that are connected, or may come back.
    fn known(&self) -> Vec<Arc<SessionEntry>> {
        let known = self.returning.iter().filter(|held| *held.key() == held.pid);
        known.map(|entry| Arc::clone(&entry)).collect()
    }

    /// Lets go of a session whose client has come to another node: what it has not read goes into its record.
    pub(crate) async fn hand_over(&self, pid: PrivateId) {
        let entry = self.returning.get(&pid).map(|entry| Arc::clone(&entry));
        if let (Some(entry), Some(cluster)) = (entry, &self.cluster)
            && let Some(record) = entry.record(cluster.node())
            && self.take_over(&entry)
        {
            self.sessions
                .remove_if(&entry.id, |_, live| Arc::ptr_eq(&live.entry, &entry));
            entry.outbox.replace();
            let record = self.release(&entry, record).await;
            cluster.record(&record);
        }
    }

    /// Lets go of all sessions: this node ends.
    pub(crate) async fn hand_over_all(&self) {
        if self.cluster.is_none() {
            return;
        }
        let all = self.known();
        futures_util::future::join_all(all.iter().map(|entry| self.hand_over(entry.pid))).await;
    }

    async fn release(&self, entry: &Arc<SessionEntry>, mut record: SessionRecord) -> SessionRecord {
        // All are asked before the first answer is awaited.
        let asked: Vec<_> = record
            .rooms
            .iter()
            .map(|joined| {
                let (told, answer) = oneshot::channel();
                if let Some(room) = self.find(joined.room) {
                    room.send(RoomMessage::Release(Arc::clone(entry), told));
                }
                answer
            })
            .collect();
        for (joined, answer) in record.rooms.iter_mut().zip(asked) {
            let told = timeout(RELEASED_WITHIN, answer).await;
            joined.told_to = told.ok().and_then(Result::ok).flatten();
        }
        record.left = Some(Left {
            at: id::now(),
            unheard: entry.outbox.unheard(),
        });
        record
    }

    /// Brings a session here by `adopting`, unless it is here; a client that comes with the same secret meanwhile waits.
    pub(crate) async fn adopt_once(&self, pid: PrivateId, adopting: impl Future<Output = ()>) {
        let turn = Arc::clone(&self.adoptions.entry(pid).or_default());
        let held = turn.lock().await;
        if !self.is_known(pid) {
            adopting.await;
        }
        drop(held);
        // The table's, and this one.
        const HELD_BY_NOBODY_ELSE: usize = 2;
        self.adoptions.remove_if(&pid, |_, turn| {
            Arc::strong_count(turn) <= HELD_BY_NOBODY_ELSE
        });
    }

    /// A session that was on another node is one of this node's that is away.
    pub(crate) fn adopt(&self, entry: &Arc<SessionEntry>) {
        for pid in entry.pids() {
            self.returning.insert(pid, Arc::clone(entry));
        }
        self.record(entry);
        if let Some(actor) = &*self.actor.read() {
            // An actor that has broken is followed by one that finds for itself who is away.
            let _ = actor.cast(RegistryMessage::Parked(Arc::clone(entry)));
        }
    }

    /// Strikes the sessions of nodes that are gone for longer than anybody may be away.
    pub(crate) fn sweep(&self) {
        let Some(cluster) = self.cluster.clone().filter(|cluster| cluster.is_up()) else {
            return;
        };
        let window = self.settings.recovery_window;
        let all = cluster.backplane().all(Table::Sessions);
        tokio::spawn(async move {
            for (field, value) in all.await.unwrap_or_default() {
                let record: Option<SessionRecord> = serde_json::from_slice(&value).ok();
                let may_return = record.is_some_and(|record| cluster.may_return(&record, window));
                if !may_return {
                    cluster.backplane().put(Table::Sessions, field, None);
                }
            }
        });
    }

    /// Keeps what all nodes remember together, where nobody has put anything there for long.
    pub(crate) fn keep_tables(&self) {
        let Some(cluster) = self.cluster.as_ref().filter(|cluster| cluster.is_up()) else {
            return;
        };
        let with_presence = self.rooms(|room| room.scope().is_some());
        let mut tables: Vec<_> = with_presence.into_iter().map(Table::Here).collect();
        if !self.returning.is_empty() {
            tables.push(Table::Sessions);
        }
        cluster.backplane().keep(tables);
    }
}
