//! Changes whose answers may still be on their way to the page that made them.
//!
//! The old client lays each answer, a whole task, over its card, in whatever order the answers come. A page that can
//! announce a change is corrected then; one whose socket has gone ends with the oldest of its answers at worst. So what
//! has happened to the task since its oldest change in flight is what it may have wrong.

use std::collections::BTreeSet;

use collabflow_protocol::{
    id::{TaskId, UserId},
    model::TaskField,
};
use tokio::time::Instant;

use super::{Change, Kind, Told};
use crate::id::SessionId;

impl Told {
    /// The users who may lay an older answer over the card of a task, and the version that it would take them back to.
    pub(crate) fn in_flight(&self, task: TaskId, now: Instant) -> Vec<(UserId, u64)> {
        let mut oldest: Vec<(UserId, u64)> = Vec::new();
        let in_flight = self
            .of_task(task)
            .filter(|change| change.is_in_flight_at(now));
        for change in in_flight {
            if oldest.iter().all(|(user, _)| *user != change.author.id) {
                oldest.push((change.author.id, change.task.version));
            }
        }
        oldest
    }

    /// Whether the user has a change of the task in flight.
    pub(crate) fn has_in_flight(&self, user: UserId, task: TaskId, now: Instant) -> bool {
        let in_flight = self.in_flight(task, now);
        in_flight.iter().any(|(author, _)| *author == user)
    }

    /// What has changed of a task since a version.
    pub(crate) fn changed_since(&self, task: TaskId, version: u64) -> BTreeSet<TaskField> {
        self.of_task(task)
            .filter(|change| change.task.version > version)
            .flat_map(|change| change.fields.iter().copied())
            .collect()
    }

    /// An announcement shows that its page has the answer to the change that it repeats: of several that it may repeat,
    /// to the newest at least.
    pub(crate) fn landed(&mut self, task: TaskId, is_repeated: impl Fn(&Change) -> bool) {
        let mut changes = self.of_task_mut(task).rev();
        if let Some(change) = changes.find(|change| change.is_in_flight && is_repeated(change)) {
            change.is_in_flight = false;
        }
    }

    /// The tasks that a user's page may have wrong when its session is cut off now, each with the version that an answer
    /// may take it back to. Not those of whose present version the session was told: nothing is told twice.
    pub(crate) fn may_be_taken_back(
        &self,
        session: SessionId,
        user: UserId,
        now: Instant,
    ) -> Vec<(TaskId, u64)> {
        let mut found = Vec::new();
        for changes in self.tasks.values() {
            let mut in_flight = changes.iter().filter(|change| change.is_in_flight_at(now));
            let oldest = in_flight.find(|change| change.author.id == user);
            let (Some(oldest), Some(last)) = (oldest, changes.back()) else {
                continue;
            };
            let present = last.task.version;
            let made_it =
                |change: &&Change| change.task.version == present && !change.fields.is_empty();
            let is_told = changes
                .iter()
                .rev()
                .find(made_it)
                .is_none_or(|change| change.has_told_version(session));
            if oldest.task.version < present && last.kind != Kind::Deleted && !is_told {
                found.push((last.at, last.task_id(), oldest.task.version));
            }
        }
        found.sort_unstable();
        found
            .into_iter()
            .map(|(_, task, version)| (task, version))
            .collect()
    }
}
