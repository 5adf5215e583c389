//! Changes that another program has stored, told at their announcement: whoever made them has its own REST answer.

use std::{sync::Arc, time::Duration};

use collabflow_protocol::{
    event::ServerEvent,
    id::TaskId,
    model::{Status, Task, TaskField, UserBrief},
};
use tokio::time::Instant;

use super::Announcement;
use crate::{
    backplane::EntryId,
    directory::somebody,
    node::Echo,
    room::{
        effect::{Answer, Audience, Request},
        entry::{self, By, Changed, Entry, Origin},
        state::{RoomState, Work},
        told::{Kind, Latest},
    },
    session::reply::{Done, Reply},
    store::{Announced, Claim, Seen, StoreError},
};

/// How long the page that made a task elsewhere may take to announce it.
const UNANNOUNCED_AFTER: Duration = Duration::from_secs(2);

/// How many tasks that were changed elsewhere the store is asked about at once: those here wait behind them.
const LOOKS_MAX: usize = 200;

/// What an announcement says that has happened.
#[derive(Clone, Debug)]
pub(in crate::room) enum Said {
    Created,
    /// These fields have changed.
    Updated(Vec<TaskField>),
    Moved,
    Deleted,
}

impl From<&Announcement> for Said {
    fn from(announcement: &Announcement) -> Self {
        match announcement {
            Announcement::Created(..) => Self::Created,
            Announcement::UpdatedWhole(_, whole) => Self::Updated(whole.patch.named()),
            Announcement::Updated(_, patch) => Self::Updated(patch.named()),
            Announcement::Moved(_) => Self::Moved,
            Announcement::Deleted(_) => Self::Deleted,
        }
    }
}

impl From<&Kind> for Said {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Created => Self::Created,
            Kind::Updated(named) => Self::Updated(named.clone()),
            Kind::Moved(_) => Self::Moved,
            Kind::Deleted => Self::Deleted,
        }
    }
}

/// Another program, on behalf of this user.
fn elsewhere(user: UserBrief, echo: Echo) -> By {
    By {
        user: Arc::new(user),
        origin: Origin::Rest(echo),
    }
}

impl RoomState {
    /// Another program has changed a task: asks what of it is news.
    pub(in crate::room) fn look_elsewhere(
        &mut self,
        task: TaskId,
        seen: Seen,
        event: EntryId,
        now: Instant,
    ) {
        if self.looks_elsewhere() >= LOOKS_MAX {
            self.ledger.has_missed = true;
            return;
        }
        let request = Request::LookUp(task, Claim::Seen);
        // Also behind what takes long: nobody says so again.
        self.send_to_store(Work::Elsewhere(task, seen, event), request, now);
    }

    fn looks_elsewhere(&self) -> usize {
        let is_look = |work: &Work| matches!(work, Work::Elsewhere(..));
        self.ledger.pipeline.count(is_look)
    }

    /// Once the store has been asked about all else, everybody is told to reload instead of what there was too much of.
    pub(in crate::room) fn make_good_what_was_missed(&mut self) {
        if self.ledger.has_missed && self.looks_elsewhere() == 0 {
            self.ledger.has_missed = false;
            self.resync();
        }
    }

    /// Tells what of it is news. Whoever a new task was made for may announce it, and has it already then: its sessions
    /// are told a little later, if nobody has.
    ///
    /// What the store says is news, it says to one node alone. What every node finds by itself, that a task has gone or
    /// come, has one name in the log.
    pub(in crate::room) fn commit_elsewhere(
        &mut self,
        id: TaskId,
        (seen, event): (Seen, EntryId),
        answer: Answer,
        now: Instant,
    ) {
        let found_by_all = entry::name_in(self.key, event);
        let (task, index, news) = match answer {
            Answer::Found(Announced::Stored { task, index, news }) => (task, index, news),
            Answer::Found(Announced::Gone { .. }) if seen == Seen::Gone => {
                return self.log_elsewhere(found_by_all, Entry::Gone(id), now);
            }
            // It has taken its time: the store is asked until it is back.
            Answer::Failed(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {
                return self.look_elsewhere(id, seen, event, now);
            }
            Answer::Failed(_) => return self.resync(),
            _ => return,
        };
        let task: Arc<Task> = task.into();
        if Some(task.project) != self.project() {
            return self.log_elsewhere(found_by_all, Entry::Gone(id), now);
        }
        let created = |by| Changed::new(by, Kind::Created, None, &task, Some(index));
        let all = elsewhere(somebody(), Echo::All);
        let changed = match seen {
            Seen::Arrived => {
                let entry = Entry::Changed(created(all));
                return self.log_elsewhere(found_by_all, entry, now);
            }
            _ if news.is_empty() => return,
            Seen::New(None) if task.version == 1 => created(all),
            Seen::New(Some(maker)) if task.version == 1 => {
                let user = task.created_by.clone().filter(|user| user.id == maker);
                let by = elsewhere(user.unwrap_or_else(somebody), Echo::NotAuthor);
                Changed {
                    told_after: Some(UNANNOUNCED_AFTER),
                    ..created(by)
                }
            }
            _ => self.news_of(&all, Said::Updated(Vec::new()), (&task, index), &news),
        };
        self.log_elsewhere(rand::random(), Entry::Changed(changed), now);
    }

    fn log_elsewhere(&mut self, name: EntryId, entry: Entry, now: Instant) {
        self.log_as(name, entry, Reply::nobody(), Ok(Done::Plain), now);
    }

    /// A task is here no more: nobody is told later of what it was.
    pub(in crate::room) fn deliver_gone(&mut self, id: TaskId) {
        self.ledger.told.take_away(id);
        let event = ServerEvent::TaskDeleted {
            task_id: id,
            deleted_by: somebody(),
        };
        self.tell(event, Audience::All);
    }

    /// Tells everybody but the announcer that a task is gone.
    pub(super) fn tell_gone_elsewhere(&mut self, by: &By, task_id: TaskId) {
        let event = ServerEvent::TaskDeleted {
            task_id,
            deleted_by: (*by.user).clone(),
        };
        let sender = by.session().into_iter().collect();
        self.tell(event, Audience::AllBut(sender));
    }

    /// The change of which nobody has been told, as its announcer says it.
    pub(in crate::room) fn news_of(
        &self,
        by: &By,
        said: Said,
        (task, index): (&Arc<Task>, u64),
        news: &[TaskField],
    ) -> Changed {
        let mut fields = news.to_vec();
        let is_place = fields == [TaskField::Status];
        let kind = match said {
            // The first version of a task is its first telling.
            Said::Created if task.version == 1 => {
                fields = TaskField::ALL.to_vec();
                Kind::Created
            }
            Said::Moved if is_place => {
                fields.push(TaskField::Position);
                Kind::Moved(Some(index))
            }
            Said::Updated(named) => {
                fields.extend(named);
                Kind::Updated(Vec::new())
            }
            _ => Kind::Updated(Vec::new()),
        };
        fields.sort_unstable();
        fields.dedup();
        Changed {
            by: by.clone(),
            kind,
            from: self.last_status(task),
            fields,
            task: Arc::clone(task),
            index: Some(index),
            // It tells what the task is, whatever was missed before.
            base: 0,
            is_base_new: false,
            told_after: None,
        }
    }

    /// The column that the task was in as far as the room knows.
    fn last_status(&self, task: &Task) -> Status {
        match self.ledger.told.latest(task.id) {
            Some(Latest::Stored(known)) => known.status.clone(),
            _ => task.status.clone(),
        }
    }
}
