//! A room's calls to the backplane: made in order, awaited beside the room, answered into its cell.

use std::sync::Arc;

use collabflow_protocol::{id::UserId, model::UserBrief};

use crate::{
    backplane::{Append, Backplane, BackplaneError, Tail},
    cluster::RoomSays,
    id::NodeId,
    registry::Registry,
    room::{Command, Followed, cell::RoomRef},
    session::entry::SessionEntry,
};

pub(super) struct LogCalls {
    registry: Arc<Registry>,
    room: RoomRef,
}

impl LogCalls {
    pub(super) fn new(registry: &Arc<Registry>, room: &RoomRef) -> Self {
        Self {
            registry: Arc::clone(registry),
            room: Arc::clone(room),
        }
    }

    /// The call itself is made here and now: its place among those of this room is that of its commit.
    pub(super) fn append(&self, append: Append) {
        let id = append.id;
        let appended = self.backplane().map(|backplane| backplane.append(append));
        self.answer(async move {
            let appended = match appended {
                Ok(answer) => answer.await,
                Err(error) => Err(error),
            };
            Command::Appended(id, appended)
        });
    }

    pub(super) fn follow(&self) {
        let (cluster, key) = (self.registry.cluster().cloned(), self.room.key);
        self.answer(async move {
            let followed = async {
                let cluster = cluster.ok_or_else(alone)?;
                cluster.backplane().subscribe(key).await?;
                // What comes from now on is heard: what is read is not before it.
                let tops = cluster.backplane().tops(vec![key]).await?;
                let present = match key.scope() {
                    Some(_) => cluster.present(key).await?,
                    None => Vec::new(),
                };
                Ok(Followed {
                    top: tops.tops.into_iter().next().flatten(),
                    stamp: tops.stamp,
                    present,
                })
            };
            Command::Following(followed.await)
        });
    }

    pub(super) fn read_present(&self) {
        let cluster = self.registry.cluster();
        let present = cluster.map(|cluster| cluster.present(self.room.key));
        self.answer(async move {
            Command::Present(match present {
                Some(present) => present.await,
                None => Err(alone()),
            })
        });
    }

    /// With the entry at that offset, by which the log is known to be the same.
    pub(super) fn read(&self, after: u64) {
        self.read_since(after.saturating_sub(1), Command::Tail);
    }

    pub(super) fn read_history(&self) {
        self.read_since(0, Command::History);
    }

    fn read_since(&self, after: u64, command: fn(Result<Tail, BackplaneError>) -> Command) {
        let (backplane, key) = (self.backplane(), self.room.key);
        self.answer(async move {
            command(match backplane {
                Ok(backplane) => backplane.since(key, after).await,
                Err(error) => Err(error),
            })
        });
    }

    /// A user is present on this node.
    pub(super) fn here(&self, user: &UserBrief) {
        self.presence(user.id, Some(user));
    }

    /// A user is present on this node no more.
    pub(super) fn not_here(&self, user: UserId) {
        self.presence(user, None);
    }

    fn presence(&self, user: UserId, brief: Option<&UserBrief>) {
        if let Some(cluster) = self.registry.cluster() {
            cluster.mark(self.room.key, user, brief);
        }
    }

    /// These users are present on this node.
    pub(super) fn all_here(&self, users: Vec<Arc<UserBrief>>) {
        if let Some(cluster) = self.registry.cluster() {
            let users = users.into_iter().map(Arc::unwrap_or_clone).collect();
            cluster.mark_all(self.room.key, users);
        }
    }

    /// A node is gone.
    pub(super) fn forget(&self, node: NodeId, users: &[UserId]) {
        if let Some(cluster) = self.registry.cluster() {
            cluster.forget(self.room.key, node, users);
        }
    }

    /// A session of a user has closed here that was left out of a change.
    pub(super) fn closed(&self, user: UserId) {
        if let Some(cluster) = self.registry.cluster() {
            cluster.say_of(self.room.key, RoomSays::Closed(user));
        }
    }

    /// A session of this node types, or has stopped.
    pub(super) fn types(&self, entry: &SessionEntry, is_typing: bool) {
        if let Some(cluster) = self.registry.cluster() {
            let user = (*entry.user()).clone();
            cluster.say_of(self.room.key, RoomSays::Typing(entry.id, user, is_typing));
        }
    }

    fn backplane(&self) -> Result<Arc<dyn Backplane>, BackplaneError> {
        let cluster = self.registry.cluster();
        cluster
            .map(|cluster| Arc::clone(cluster.backplane()))
            .ok_or_else(alone)
    }

    fn answer(&self, command: impl Future<Output = Command> + Send + 'static) {
        let room = Arc::downgrade(&self.room);
        tokio::spawn(async move {
            let command = command.await;
            if let Some(room) = room.upgrade() {
                room.give(command);
            }
        });
    }
}

fn alone() -> BackplaneError {
    BackplaneError::Away("this node is one by itself".into())
}
