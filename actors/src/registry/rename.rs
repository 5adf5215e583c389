//! Users who get another name: their sessions and rooms have it before anything more is told of them.

use std::{collections::HashSet, sync::Arc};

use collabflow_protocol::model::UserBrief;

use super::Registry;
use crate::{room::RoomMessage, session::entry::SessionEntry};

impl Registry {
    /// A user's sessions, connected or away, and the rooms that they are in name it so from now on.
    pub(crate) fn rename(&self, user: &Arc<UserBrief>) {
        let is_of = |entry: &Arc<SessionEntry>| entry.user_id() == user.id;
        let live = self.sessions.iter().map(|live| Arc::clone(&live.entry));
        let returning = self.returning.iter().map(|held| Arc::clone(&held));
        let mut rooms = HashSet::new();
        for entry in live.chain(returning).filter(is_of) {
            // First: a room that the session joins after this names it so by itself.
            entry.rename(Arc::clone(user));
            rooms.extend(entry.rooms());
        }
        let rooms: Vec<_> = rooms.into_iter().collect();
        self.to_rooms(&rooms, || RoomMessage::UserChanged(Arc::clone(user)));
    }
}
