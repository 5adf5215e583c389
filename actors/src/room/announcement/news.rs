//! Changes that another program has stored, told at their announcement: whoever made them has its own REST answer.

use std::{sync::Arc, time::Duration};

use collabflow_protocol::{
    event::ServerEvent,
    id::TaskId,
    model::{Status, Task, TaskField},
};
use tokio::time::Instant;

use super::Announcement;
use crate::{
    directory::somebody,
    node::Echo,
    room::{
        change::{moved, updated},
        effect::{Answer, Audience, Request},
        message::Author,
        state::{RoomState, Work},
        told::{Change, Kind, Latest},
    },
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

impl RoomState {
    /// Another program has changed a task: asks what of it is news.
    pub(in crate::room) fn look_elsewhere(&mut self, task: TaskId, seen: Seen, now: Instant) {
        if self.looks_elsewhere() >= LOOKS_MAX {
            self.ledger.has_missed = true;
            return;
        }
        let request = Request::LookUp(task, Claim::Seen);
        // Also behind what takes long: nobody says so again.
        self.send_to_store(Work::Elsewhere(task, seen), request, now);
    }

    fn looks_elsewhere(&self) -> usize {
        let is_look = |work: &Work| matches!(work, Work::Elsewhere(..));
        self.ledger.pipeline.count(is_look)
    }

    /// Once the store has been asked about all else, everybody is told to reload instead of what there was too much of.
    pub(in crate::room) fn make_good_what_was_missed(&mut self) {
        if self.ledger.has_missed && self.looks_elsewhere() == 0 {
            self.ledger.has_missed = false;
            self.tell_to_reload();
        }
    }

    /// Tells what of it is news. Whoever a new task was made for may announce it, and has it already then: its sessions
    /// are told a little later, if nobody has.
    pub(in crate::room) fn commit_elsewhere(
        &mut self,
        id: TaskId,
        seen: Seen,
        answer: Answer,
        now: Instant,
    ) {
        let all = || Author::elsewhere(somebody(), Echo::All);
        let (task, index, news) = match answer {
            Answer::Found(Announced::Stored { task, index, news }) => (task, index, news),
            Answer::Found(Announced::Gone { .. }) if seen == Seen::Gone => {
                return self.take_away_elsewhere(id);
            }
            // It has taken its time: the store is asked until it is back.
            Answer::Failed(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {
                return self.look_elsewhere(id, seen, now);
            }
            Answer::Failed(_) => return self.tell_to_reload(),
            _ => return,
        };
        let task: Arc<Task> = task.into();
        if Some(task.project) != self.project() {
            return self.take_away_elsewhere(id);
        }
        match seen {
            Seen::Arrived => {
                self.stored(&all(), Kind::Created, None, &task, Some(index), now);
            }
            _ if news.is_empty() => {}
            Seen::New(None) if task.version == 1 => {
                self.stored(&all(), Kind::Created, None, &task, Some(index), now);
            }
            Seen::New(Some(maker)) if task.version == 1 => {
                let user = task.created_by.clone().filter(|user| user.id == maker);
                let author = Author::elsewhere(user.unwrap_or_else(somebody), Echo::NotAuthor);
                self.stored(&author, Kind::Created, None, &task, Some(index), now);
                self.ledger.told.tell_by(task.id, now + UNANNOUNCED_AFTER);
            }
            _ => {
                let said = Said::Updated(Vec::new());
                self.tell_news(&all(), said, (&task, index), &news, now);
            }
        }
    }

    /// A task is here no more: nobody is told later of what it was.
    fn take_away_elsewhere(&mut self, id: TaskId) {
        self.ledger.told.take_away(id);
        let event = ServerEvent::TaskDeleted {
            task_id: id,
            deleted_by: somebody(),
        };
        self.tell(event, Audience::All);
    }

    /// Tells everybody but the announcer what nobody has been told of a task.
    pub(in crate::room) fn tell_news(
        &mut self,
        author: &Author,
        said: Said,
        (task, index): (&Arc<Task>, u64),
        news: &[TaskField],
        now: Instant,
    ) {
        let by = (*author.user()).clone();
        let change = self.news_of(author, said, (task, index), news, now);
        let event = match &change.kind {
            Kind::Created => ServerEvent::TaskCreated {
                task: Arc::clone(task),
                created_by: by,
            },
            Kind::Moved(_) => moved(task, change.from.clone(), index, by),
            _ => updated(task, change.fields.iter().copied(), by),
        };
        self.tell_others(author, event);
        self.ledger.told.record(change);
    }

    /// Tells everybody but the announcer that a task is gone.
    pub(super) fn tell_gone_elsewhere(&mut self, author: &Author, task_id: TaskId) {
        let deleted_by = (*author.user()).clone();
        let event = ServerEvent::TaskDeleted {
            task_id,
            deleted_by,
        };
        self.tell_others(author, event);
    }

    fn tell_others(&mut self, author: &Author, event: ServerEvent) {
        let sender = author.session().into_iter().collect();
        self.tell(event, Audience::AllBut(sender));
    }

    fn news_of(
        &self,
        author: &Author,
        said: Said,
        (task, index): (&Arc<Task>, u64),
        news: &[TaskField],
        now: Instant,
    ) -> Change {
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
        Change {
            at: now,
            author: author.user(),
            by_rest: false,
            kind,
            from: self.last_status(task),
            fields,
            task: Arc::clone(task),
            index: Some(index),
            left_out: Vec::new(),
            is_in_flight: false,
            told_at: None,
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
