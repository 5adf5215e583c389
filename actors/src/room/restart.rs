//! What happens to a room that breaks: it goes on, in a fresh state, with who was in it and what was under way.

use std::sync::Arc;

use super::{
    admission::Parked,
    effect::{Answer, Effect},
    log::Log,
    pipeline::Pipeline,
    state::{RoomState, Work},
    told::Told,
};
use crate::session::entry::SessionEntry;

/// What outlives a room that breaks.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(super) pipeline: Pipeline<Work, Answer>,
    pub(super) told: Told,
    /// More was changed elsewhere than the store could be asked about.
    pub(super) has_missed: bool,
    pub(super) log: Log,
}

impl RoomState {
    /// Seats those who were in the room when it broke, and keeps what was under way; who waited for memberships to be read
    /// waits for a read of them anew. Everybody is told who is there; the other nodes, who is here.
    pub(crate) fn restart(
        &mut self,
        broken: Self,
        seats: impl IntoIterator<Item = (Arc<SessionEntry>, bool)>,
    ) -> Vec<Effect> {
        self.access.succeed(&broken.access);
        self.ledger = broken.ledger;
        self.alone_from = broken.alone_from;
        self.settling = broken.settling;
        self.ledger.pipeline.drop_unsent();
        let were_here: Vec<_> = broken.presence.here().collect();
        self.presence.succeed(broken.presence);
        for (entry, is_away) in seats {
            if is_away {
                self.members.add(Arc::clone(&entry));
                self.members.set_away(&entry, self.last_used);
            } else {
                self.presence.arrive(&entry.user());
                self.members.add(entry);
            }
        }
        for user in were_here {
            if !self.presence.is_here(user.id) {
                self.tell_others(Effect::NotHere(user.id));
            }
        }
        self.tell_everybody();
        self.end_typing(broken.typing);
        let now = self.last_used;
        self.resume_log();
        if !broken.awaiting.is_empty() {
            let read = self.access.invalidate();
            let waiting = broken.awaiting.into_iter().map(|(_, done)| (read, done));
            self.awaiting.extend(waiting);
            self.read_membership(read, now);
        }
        for Parked { command, .. } in broken.parked {
            self.ask(command, 0, now);
        }
        std::mem::take(&mut self.effects)
    }
}
