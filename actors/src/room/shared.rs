//! An event that several rooms are told: what becomes of projects, channels and workspaces. A session hears it once,
//! whatever rooms it is in; with [`Shared::only`], these users alone.

use std::{collections::HashSet, sync::Arc};

use collabflow_protocol::id::UserId;
use serde::{Deserialize, Serialize};

use super::{effect::Effect, state::RoomState};
use crate::{backplane::EntryId, key::RoomKey, outbox::Broadcast, session::entry::SessionEntry};

/// An event for several rooms.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shared {
    /// By which a session knows that it has heard it.
    pub(crate) id: EntryId,
    /// Where it is told, in this order: who is in several of them hears it in the first.
    pub(crate) rooms: Vec<RoomKey>,
    pub(crate) only: Option<HashSet<UserId>>,
    pub(crate) event: Broadcast,
}

impl Shared {
    /// Whether a session that is in this room hears it in another one.
    pub(crate) fn is_told_before(&self, session: &SessionEntry, room: RoomKey) -> bool {
        let mut before = self.rooms.iter().take_while(|told| **told != room);
        before.any(|told| session.is_in(*told))
    }

    /// Whether a session is to hear it now, and has not before.
    pub(crate) fn is_for(&self, session: &SessionEntry) -> bool {
        let is_meant = |only: &HashSet<_>| only.contains(&session.user_id());
        // One that sits in a single room cannot hear it twice.
        self.only.as_ref().is_none_or(is_meant) && (self.rooms.len() < 2 || session.hears(self.id))
    }
}

impl RoomState {
    pub(super) fn deliver_shared(&mut self, shared: Arc<Shared>) {
        // It may be the end of this room: who was a member need not be one any more, whenever the room is closed.
        if shared.event.name().ends_with(":deleted") {
            self.access.invalidate();
        }
        let mark = self.ledger.log.mark();
        self.effects.push(Effect::TellShared(shared, mark));
    }
}
