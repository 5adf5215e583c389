//! What a page is told that cannot announce: where it has changes of a task in flight, and its socket is gone, an answer
//! that comes late may take its card back, and nobody would know of it. So it is told what came after its oldest change in
//! flight, each version once and in its place.

use std::{collections::BTreeSet, sync::Arc};

use collabflow_protocol::model::TaskField;
use tokio::time::Instant;

use super::{
    change::updated,
    effect::Audience,
    state::RoomState,
    told::{Change, Kind, Latest},
};
use crate::{id::SessionId, session::entry::SessionEntry};

impl RoomState {
    /// Tells a change to all but `left_out`; with it, who is away hears what an answer in flight may take back.
    pub(super) fn tell_change(
        &mut self,
        change: &Change,
        mut left_out: Vec<SessionId>,
        now: Instant,
    ) {
        let task = &change.task;
        let mut more = Vec::new();
        for (session, mut fields) in self.may_take_back(change, &left_out, now) {
            if !matches!(change.kind, Kind::Moved(_)) {
                // One event for one version.
                left_out.push(session);
                fields.extend(&change.fields);
            }
            let event = updated(task, fields, (*change.author).clone());
            more.push((event, Audience::Only(vec![session])));
        }
        let audience = if left_out.is_empty() {
            Audience::All
        } else {
            Audience::AllBut(left_out)
        };
        self.tell(change.event(task), audience);
        for (event, to) in more {
            self.tell(event, to);
        }
    }

    /// Those sessions that are away of users who have changes of this task in flight to whom more fields than the change's
    /// have to be told, and which.
    fn may_take_back(
        &mut self,
        change: &Change,
        left_out: &[SessionId],
        now: Instant,
    ) -> Vec<(SessionId, BTreeSet<TaskField>)> {
        if matches!(change.kind, Kind::Created | Kind::Deleted) {
            return Vec::new();
        }
        let (told, task) = (&mut self.ledger.told, change.task_id());
        let mut found = Vec::new();
        for (user, base) in told.in_flight(task, now) {
            let seats = self.members.of_user(user).filter(|seat| seat.is_away());
            let mut away = seats
                .map(|seat| seat.entry.id)
                .filter(|session| !left_out.contains(session))
                .peekable();
            if away.peek().is_none() {
                continue;
            }
            let fields = told.changed_since(task, base);
            for session in away {
                told.settle(session, task, now, |one| one.task.version > base);
                let more = fields.iter().copied();
                let more: BTreeSet<_> = more
                    .filter(|field| !change.fields.contains(field))
                    .collect();
                if !more.is_empty() {
                    found.push((session, more));
                }
            }
        }
        found
    }

    /// A session was cut off: its page may have changes in flight that it cannot announce any more.
    pub(super) fn tell_in_flight(&mut self, entry: &Arc<SessionEntry>, now: Instant) {
        let (session, user) = (entry.id, entry.user_id());
        for (task, base) in self.ledger.told.may_be_taken_back(session, user, now) {
            let told = &mut self.ledger.told;
            let is_real = |change: &&Change| !change.fields.is_empty();
            let by = told.of_task(task).rev().find(is_real);
            let (Some(by), Some(Latest::Stored(present))) = (by, told.latest(task)) else {
                continue;
            };
            let fields = told.changed_since(task, base);
            let event = updated(present, fields, (*by.author).clone());
            told.settle(session, task, now, |change| change.task.version > base);
            told.told_present(session, task);
            self.tell(event, Audience::Only(vec![session]));
        }
    }
}
