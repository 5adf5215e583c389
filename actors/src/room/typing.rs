//! Who is typing in a channel. Typing ends by itself, so that a lost "stopped" does not type for ever.

use std::{collections::HashMap, sync::Arc, time::Duration};

use collabflow_protocol::model::UserBrief;
use tokio::time::Instant;

use crate::{id::SessionId, session::entry::SessionEntry};

/// How long one "is typing" lasts (contract, section 5).
const LASTS: Duration = Duration::from_secs(6);
/// How much later the end of one on another node may be heard of.
const UNHEARD: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Typing {
    ends: HashMap<SessionId, (Arc<SessionEntry>, Instant)>,
    /// On other nodes: these say when it ends, unless they are gone.
    elsewhere: HashMap<SessionId, (UserBrief, Instant)>,
}

impl Typing {
    /// The session types, or has stopped.
    pub(crate) fn set(&mut self, entry: &Arc<SessionEntry>, is_typing: bool, now: Instant) {
        if is_typing {
            self.ends.insert(entry.id, (Arc::clone(entry), now + LASTS));
        } else {
            self.ends.remove(&entry.id);
        }
    }

    /// A session on another node types, or has stopped.
    pub(crate) fn set_elsewhere(
        &mut self,
        session: SessionId,
        user: UserBrief,
        is_typing: bool,
        now: Instant,
    ) {
        if is_typing {
            let end = now + LASTS + UNHEARD;
            self.elsewhere.insert(session, (user, end));
        } else {
            self.elsewhere.remove(&session);
        }
    }

    /// Takes out those on other nodes of whose end nobody has said anything.
    pub(crate) fn take_ended_elsewhere(&mut self, now: Instant) -> Vec<UserBrief> {
        self.elsewhere
            .extract_if(|_, (_, end)| *end <= now)
            .map(|(_, (user, _))| user)
            .collect()
    }

    /// The session is gone; true where it was typing.
    pub(crate) fn stop(&mut self, session: SessionId) -> bool {
        self.ends.remove(&session).is_some()
    }

    /// Everybody who types.
    pub(crate) fn into_all(self) -> impl Iterator<Item = Arc<SessionEntry>> {
        self.ends.into_values().map(|(entry, _)| entry)
    }

    /// Takes out those whose typing has ended by itself.
    pub(crate) fn take_ended(&mut self, now: Instant) -> Vec<Arc<SessionEntry>> {
        self.ends
            .extract_if(|_, (_, end)| *end <= now)
            .map(|(_, (entry, _))| entry)
            .collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let here = self.ends.values().map(|(_, end)| *end);
        here.chain(self.elsewhere.values().map(|(_, end)| *end))
            .min()
    }
}
