//! Who is in the room on other nodes, by what these say: their presence and their typing.

use std::{collections::HashSet, time::Duration};

use collabflow_protocol::{id::UserId, model::UserBrief};
use tokio::time::Instant;

use super::{
    effect::{Audience, Effect},
    state::RoomState,
};
use crate::{
    backplane::BackplaneError,
    cluster::{End, RoomSays},
    id::NodeId,
};

/// Whoever is not found among those that are remembered to be present is looked for once more after this.
const LOOKED_FOR_AGAIN: Duration = Duration::from_secs(5);

impl RoomState {
    /// Another node says something of the room.
    pub(super) fn take_word(&mut self, node: NodeId, says: RoomSays, now: Instant) {
        // What is read of who is there may be older than this.
        if self.ledger.log.is_beginning()
            && !matches!(says, RoomSays::Typing(..) | RoomSays::Closed(_))
        {
            return self.ledger.log.words.push((node, says));
        }
        match says {
            RoomSays::Here(user) => self.arrives_elsewhere(node, &user, now),
            RoomSays::NotHere(user) => {
                if self.presence.leave_elsewhere(node, user) {
                    self.has_left(user, now);
                }
            }
            RoomSays::AllHere(users) => {
                let there: Vec<_> = users.iter().map(|user| user.id).collect();
                for user in self.presence.on_node(node) {
                    if !there.contains(&user) && self.presence.leave_elsewhere(node, user) {
                        self.has_left(user, now);
                    }
                }
                for user in users {
                    self.arrives_elsewhere(node, &user, now);
                }
            }
            RoomSays::Closed(user) => self.ledger.told.closed_elsewhere(user, now),
            RoomSays::Typing(session, user, is_typing) => {
                self.typing
                    .set_elsewhere(session, user.clone(), is_typing, now);
                self.tell_typing_of(user, is_typing, Audience::All);
            }
        }
    }

    fn arrives_elsewhere(&mut self, node: NodeId, user: &UserBrief, now: Instant) {
        if self.presence.arrive_elsewhere(node, user.clone()) && self.crowd.change(user.id, now) {
            self.tell_joined(user, Audience::All);
        }
    }

    /// Who was present on other nodes when the room began to follow its log. Nobody here has been told anything yet.
    pub(super) fn take_present(&mut self, present: Vec<(NodeId, UserBrief)>, now: Instant) {
        self.note_missing(&present, now);
        for (node, user) in present {
            self.presence.arrive_elsewhere(node, user);
        }
        for (node, says) in std::mem::take(&mut self.ledger.log.words) {
            self.take_word(node, says, now);
        }
    }

    /// The backplane is back: the words of the others that were missed meanwhile are made up for by what is remembered.
    pub(super) fn read_present(&mut self) {
        let present = &mut self.ledger.log.present;
        present.again_at = None;
        // Who begins to follow the log reads it then.
        if self.key.scope().is_some() && present.is_read && self.ledger.log.follows() {
            self.ledger.log.present.is_read = false;
            self.effects.push(Effect::ReadPresent);
        }
    }

    /// Who is present on other nodes, as it is remembered. Whoever is not found is looked for once more: after a loss of
    /// everything, each node says anew who is there.
    pub(super) fn take_present_again(
        &mut self,
        present: Result<Vec<(NodeId, UserBrief)>, BackplaneError>,
        now: Instant,
    ) {
        if self.ledger.log.present.is_read {
            return;
        }
        if let Ok(present) = present {
            let before = self.note_missing(&present, now);
            for (node, user) in present {
                self.arrives_elsewhere(node, &user, now);
            }
            for (node, user) in before {
                if self.ledger.log.present.missing.remove(&(node, user))
                    && self.presence.leave_elsewhere(node, user)
                {
                    self.has_left(user, now);
                }
            }
        }
        let present = &mut self.ledger.log.present;
        present.again_at = (!present.missing.is_empty()).then(|| now + LOOKED_FOR_AGAIN);
        self.stop_reading_present(now);
    }

    /// Who is known to be present elsewhere, and is not found; the answer are those who were not found before.
    fn note_missing(
        &mut self,
        present: &[(NodeId, UserBrief)],
        now: Instant,
    ) -> HashSet<(NodeId, UserId)> {
        let found: HashSet<_> = present
            .iter()
            .map(|(node, user)| (*node, user.id))
            .collect();
        let known = self.presence.elsewhere().into_iter();
        let missing: HashSet<_> = known.filter(|one| !found.contains(one)).collect();
        let present = &mut self.ledger.log.present;
        present.again_at = (!missing.is_empty()).then(|| now + LOOKED_FOR_AGAIN);
        std::mem::replace(&mut present.missing, missing)
    }

    /// What was said while it was being read is newer.
    pub(super) fn stop_reading_present(&mut self, now: Instant) {
        let log = &mut self.ledger.log;
        log.present.is_read = true;
        if !log.is_beginning() {
            for (node, says) in std::mem::take(&mut log.words) {
                self.take_word(node, says, now);
            }
        }
    }

    /// Looks again for those who were not found.
    pub(super) fn look_for_present(&mut self, now: Instant) {
        let present = &mut self.ledger.log.present;
        if present.again_at.take_if(|at| *at <= now).is_some() {
            self.read_present();
        }
    }

    /// Another node is gone, and its users with it. What it may have stored last and told nobody is to be found out.
    pub(super) fn take_node_gone(&mut self, node: NodeId, end: End, now: Instant) {
        let users = self.presence.on_node(node);
        for user in &users {
            self.ledger.told.closed_elsewhere(*user, now);
            if self.presence.leave_elsewhere(node, *user) {
                self.has_left(*user, now);
            }
        }
        if !users.is_empty() {
            self.effects.push(Effect::Forget(node, users));
        }
        if end == End::Lost && !self.members.is_empty() {
            self.doubt_memberships(now);
            self.resync();
        }
    }

    /// The backplane is back: the others may have missed who has come and gone.
    pub(super) fn say_present(&mut self) {
        // Who is within the grace is here as well, and may come back without a word.
        if !self.members.is_empty() || !self.presence.is_empty() {
            let here = self.presence.here().collect();
            self.tell_others(Effect::AllHere(here));
        }
    }

    /// Tells the other nodes of who is present here, where there are any, and the room has presence.
    pub(super) fn tell_others(&mut self, presence: Effect) {
        if self.key.scope().is_some() && self.ledger.log.is_clustered() {
            self.effects.push(presence);
        }
    }
}
