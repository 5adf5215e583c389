//! What is no longer remembered: after a minute, or where it has become too much, the oldest first.

use collabflow_protocol::id::TaskId;
use tokio::time::Instant;

use super::{KEPT_FOR, Told};

impl Told {
    /// Forgets what is older than a minute.
    pub(crate) fn prune(&mut self, now: Instant) {
        while self
            .order
            .front()
            .is_some_and(|(_, at)| *at + KEPT_FOR <= now)
        {
            self.forget_first();
        }
    }

    pub(super) fn forget_first_of(&mut self, task: TaskId) {
        let first = self.order.iter().position(|(of, _)| *of == task);
        if first.and_then(|at| self.order.remove(at)).is_some() {
            self.forget_oldest(task);
        }
    }

    pub(super) fn forget_first(&mut self) {
        if let Some((task, _)) = self.order.pop_front() {
            self.forget_oldest(task);
        }
    }

    fn forget_oldest(&mut self, task: TaskId) {
        let Some(changes) = self.tasks.get_mut(&task) else {
            return;
        };
        if let Some(change) = changes.pop_front() {
            self.bytes -= change.weight();
        }
        if changes.is_empty() {
            self.tasks.remove(&task);
        }
    }
}
