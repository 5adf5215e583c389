//! Memberships while the backplane is away: no other node can say then that one has changed, so they are read by the clock.
//! When it is back, what is known of them counts no more: somebody may have asked in vain for it to be read anew.

use std::time::Duration;

use tokio::{sync::oneshot, time::Instant};

use super::state::RoomState;
use crate::{backplane::entry_id, key::RoomKey};

/// Between two reads. With the time that one takes, who is no member any more is out within 10 s: the contract's.
const EVERY: Duration = Duration::from_secs(8);
/// The rooms of a node begin within this, and not all at once.
const BEGIN_WITHIN: Duration = Duration::from_secs(4);

/// When a room begins to read memberships by the clock.
pub(super) fn begins_at(room: RoomKey, now: Instant) -> Instant {
    let spread = entry_id([room.to_string().as_bytes()]) % BEGIN_WITHIN.as_millis();
    now + Duration::from_millis(spread.try_into().unwrap_or_default())
}

impl RoomState {
    /// When memberships are to be read because of the clock.
    pub(super) fn rereads_at(&self) -> Option<Instant> {
        let from = self.alone_from?;
        if self.members.is_empty() && !self.access.is_known() {
            return None;
        }
        let last = self.access.last_read()?;
        Some(last.map_or(from, |last| from.max(last + EVERY)))
    }

    pub(super) fn reread_by_clock(&mut self, now: Instant) {
        if self.rereads_at().is_some_and(|at| at <= now) {
            self.read_membership(self.access.next_read(), now);
        }
    }

    /// Memberships may have changed, and nobody has said so: who is no member any more is put out.
    pub(super) fn doubt_memberships(&mut self, now: Instant) {
        if self.members.is_empty() {
            self.access.invalidate();
        } else {
            // Nobody waits, but it is read until the store answers.
            let (done, _) = oneshot::channel();
            self.reread_memberships(done, now);
        }
    }

    /// Reads memberships anew; what is known counts no more.
    pub(super) fn reread_memberships(&mut self, done: oneshot::Sender<()>, now: Instant) {
        let read = self.access.invalidate();
        self.awaiting.push((read, done));
        self.read_membership(read, now);
    }
}
