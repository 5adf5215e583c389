//! What nobody has announced in time is told by the clock.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use collabflow_protocol::{event::ServerEvent, id::TaskId};
use tokio::time::Instant;

use crate::{
    id::SessionId,
    room::{
        change::updated,
        effect::Audience,
        state::RoomState,
        told::{Change, Kind, Latest},
    },
};

impl RoomState {
    /// Tells what nobody has announced in time: each session once of each task.
    pub(in crate::room) fn tell_overdue(&mut self, now: Instant) {
        let overdue = self.ledger.told.take_overdue(now);
        let key = |change: &Change| (change.task_id(), change.task.version, change.at);
        let keys: HashSet<_> = overdue.iter().map(key).collect();
        let pairs: BTreeSet<_> = overdue
            .iter()
            .flat_map(|change| change.untold().map(|session| (change.task_id(), session)))
            .collect();
        for (task, session) in pairs {
            let is_overdue = |change: &Change| keys.contains(&key(change));
            let missed = self.ledger.told.settle(session, task, now, is_overdue);
            self.tell_unannounced(task, session, &missed, now);
        }
    }

    /// Tells one session of changes of a task that were not announced. The page that made them is among those whose
    /// connection was gone: present values of a task that it has do it no harm, but a new task would be there twice.
    fn tell_unannounced(
        &mut self,
        task: TaskId,
        session: SessionId,
        missed: &[Change],
        now: Instant,
    ) {
        let only = || Audience::Only(vec![session]);
        if let Some(change) = missed.iter().find(|change| change.kind == Kind::Deleted) {
            return self.tell(change.event(&change.task), only());
        }
        let Some(Latest::Stored(present)) = self.ledger.told.latest(task) else {
            return;
        };
        let present = Arc::clone(present);
        if let Some(made) = missed.iter().find(|change| change.kind == Kind::Created) {
            let gone: Vec<_> = made.left_out.iter().filter(|one| one.is_gone).collect();
            let may_be_its_own = gone.iter().any(|one| one.session == session);
            if may_be_its_own && gone.len() == 1 {
                return;
            }
            if may_be_its_own {
                // It cannot be known which of these pages has it: it is taken out, and put in again.
                let deleted_by = (*made.author).clone();
                self.tell(
                    ServerEvent::TaskDeleted {
                        task_id: task,
                        deleted_by,
                    },
                    only(),
                );
            }
            self.tell(made.event(&present), only());
            self.ledger
                .told
                .settle(session, task, now, |change| change.kind != Kind::Deleted);
            self.ledger.told.told_present(session, task);
            return;
        }
        let told = &mut self.ledger.told;
        let fields = told.unheard(session, missed);
        // What it hears now of these fields is what later changes have made of them.
        told.settle(session, task, now, |change| {
            change.kind != Kind::Created && change.fields.iter().all(|field| fields.contains(field))
        });
        if let (Some(change), false) = (missed.last(), fields.is_empty()) {
            told.told_present(session, task);
            let event = updated(&present, fields, (*change.author).clone());
            self.tell(event, only());
        }
    }
}
