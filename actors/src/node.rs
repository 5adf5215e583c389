//! A node: one tree of actors over one store, and the calls by which the edge reaches into it.

mod adoption;
mod entrance;
mod rest;
mod session;
mod settings;
mod telling;

use std::{sync::Arc, time::Duration};

pub use rest::{Caller, Echo, Refusal};
pub use session::{AckId, Ended, Hello, Inbound, REFRESH, Request, Session};
pub use settings::{RecoveryMode, Settings};
use tokio::time::timeout;

use crate::{
    backplane::Answer,
    cluster::{Cluster, Joined, SETTLES_WITHIN},
    id::IdSource,
    outbox::Outbox,
    registry::Registry,
    store::Store,
};

/// How long sessions may take to be handed over to other nodes at the end.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(3);

/// A node of the engine. Clones are the same node.
#[derive(Clone)]
pub struct Node {
    pub(crate) registry: Arc<Registry>,
}

impl Node {
    /// Starts the tree.
    pub async fn start(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self::start_joined(store, settings, None).await
    }

    /// Starts the tree, joined to other nodes.
    pub async fn start_joined(
        store: Arc<dyn Store>,
        settings: Settings,
        joined: Option<Joined>,
    ) -> Self {
        let last = store.greatest_message().await;
        let cluster = joined.map(|joined| Arc::new(Cluster::new(joined)));
        let registry = Registry::new(store, settings, cluster);
        match last {
            Ok(last) => last
                .into_iter()
                .for_each(|last| registry.ids().pass(last.0)),
            Err(error) => {
                tracing::warn!(%error, "the last message cannot be read: new ones may be put before it");
            }
        }
        registry
            .start()
            .await
            .expect("an actor without a name can always be started");
        Self { registry }
    }

    /// Asks what joins this node to others whether it answers; `None` where nothing does.
    #[must_use]
    pub fn ping_backplane(&self) -> Option<Answer<()>> {
        let cluster = self.registry.cluster()?;
        Some(cluster.backplane().ping())
    }

    /// Stops every actor. Sessions are to be closed before; the other nodes get those that are away.
    pub async fn stop(&self) {
        let Some(cluster) = self.registry.cluster() else {
            return self.registry.stop().await;
        };
        let handing_over = self.registry.hand_over_all();
        if timeout(HANDED_OVER_WITHIN, handing_over).await.is_err() {
            tracing::warn!("not all sessions were handed over to the other nodes in time");
        }
        let settled = self.registry.settle();
        let is_settled = timeout(SETTLES_WITHIN, settled).await.is_ok();
        self.registry.stop().await;
        // When nothing of it says any more that it is alive. One that has not told everything is lost to the others: they
        // find out what that was.
        if is_settled {
            cluster.leave().await;
        } else {
            tracing::warn!(
                "not everything could be told to the other nodes: their clients are to reload"
            );
        }
    }

    /// Returns when the node has ended: by [`Self::stop`], or because what broke cannot be started again.
    pub async fn ended(&self) {
        self.registry.ended().await;
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        self.registry.store()
    }

    /// Where ids come from.
    #[must_use]
    pub fn ids(&self) -> &IdSource {
        self.registry.ids()
    }

    /// Actors that have broken since the start.
    #[must_use]
    pub fn broken_actors(&self) -> u64 {
        self.registry.broken()
    }

    /// Where the frames of each live session go.
    #[must_use]
    pub fn outboxes(&self) -> Vec<Arc<Outbox>> {
        self.registry.outboxes()
    }

    /// Sets the gauges of sessions, rooms and queues to what they are now.
    pub fn measure(&self) {
        self.registry.measure();
    }

    /// Breaks a room's actor by a panic, as a fault in it would.
    #[cfg(feature = "testing")]
    pub fn break_room(&self, room: crate::key::RoomKey) {
        if let Some(room) = self.registry.find(room) {
            room.give(crate::room::Command::Panic);
        }
    }

    /// Breaks the registry's actor by a panic, as a fault in it would.
    #[cfg(any(test, feature = "testing"))]
    pub fn break_registry(&self) {
        self.registry.break_actor();
    }

    /// Breaks a session's actor by a panic, as a fault in it would.
    #[cfg(feature = "testing")]
    pub fn break_session(&self, session: crate::id::SessionId) {
        self.registry.break_session(session);
    }

    /// How it was set up.
    pub(crate) fn settings(&self) -> &Settings {
        self.registry.settings()
    }
}
