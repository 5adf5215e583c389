//! Announcements (contract, rule 2): the old client changes a task by REST, and then says so over its socket.
//!
//! An announcement writes nothing, so it can never take back what somebody else has changed since. It is told, with
//! the present values, to those whom the change left out; and where its sender's page must have ended up with older
//! values, the sender is told the present ones too.

use std::{collections::BTreeSet, sync::Arc};

use collabflow_protocol::{
    event::{MoveCommand, ServerEvent, TaskCommand},
    id::{TaskId, UserId},
    model::{Task, TaskField, TaskPatch},
};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    change::{moved, no_such_task, updated},
    effect::{Answer, Audience, Effect},
    message::Author,
    state::RoomState,
    told::{Change, Kind, Latest, Told},
};
use crate::{
    id::SessionId,
    session::reply::{Done, Reply},
};

/// What somebody announces, with the values that their page has.
#[derive(Debug)]
pub(crate) enum Announcement {
    /// A task, whole.
    Created(TaskId, Whole),
    /// A task, whole, after a change.
    UpdatedWhole(TaskId, Whole),
    /// Some fields of a task.
    Updated(TaskId, TaskPatch),
    /// A task's place.
    Moved(MoveCommand),
    /// That a task is gone.
    Deleted(TaskId),
}

/// A whole task as somebody's page has it.
#[derive(Debug)]
pub(crate) struct Whole {
    patch: TaskPatch,
    version: Option<u64>,
    position: Option<String>,
}

impl Whole {
    fn read(sent: &Map<String, Value>) -> Self {
        Self {
            patch: TaskPatch::announced(sent),
            version: sent.get("version").and_then(Value::as_u64),
            position: sent
                .get("position")
                .and_then(Value::as_str)
                .map(str::to_owned),
        }
    }
}

impl Announcement {
    /// Tells an announcement from a change; a change is handed back.
    pub(super) fn judge(
        command: Box<TaskCommand>,
        author: &Author,
        room: &RoomState,
        now: Instant,
    ) -> Result<Self, Box<TaskCommand>> {
        let Author::Session(entry) = author else {
            return Err(command);
        };
        let (told, user) = (&room.ledger.told, entry.user_id());
        let always = !room.settings.write_by_socket;
        match *command {
            TaskCommand::Create {
                id: Some(id), sent, ..
            } => Ok(Self::Created(id, Whole::read(&sent))),
            TaskCommand::Update {
                task,
                whole: Some(sent),
                expected: None,
                ..
            } => Ok(Self::UpdatedWhole(task, Whole::read(&sent))),
            TaskCommand::Update {
                task,
                patch: Ok(patch),
                ..
            } if always || repeats_patch(told, user, task, &patch, now) => {
                Ok(Self::Updated(task, patch))
            }
            TaskCommand::Move(command) if always || repeats_move(told, user, &command, now) => {
                Ok(Self::Moved(command))
            }
            TaskCommand::Delete { task } if always || is_deleted(told, task) => {
                Ok(Self::Deleted(task))
            }
            other => Err(Box::new(other)),
        }
    }

    pub(super) fn task(&self) -> TaskId {
        match self {
            Self::Created(task, _)
            | Self::UpdatedWhole(task, _)
            | Self::Updated(task, _)
            | Self::Deleted(task) => *task,
            Self::Moved(command) => command.task,
        }
    }

    /// Whether it speaks of what this change, by its author, did.
    fn speaks_of(&self, change: &Change) -> bool {
        match self {
            Self::Created(..) | Self::UpdatedWhole(..) => change.kind != Kind::Deleted,
            Self::Updated(_, patch) => patch.named().into_iter().any(|field| change.named(field)),
            Self::Moved(_) => change.named(TaskField::Status) || change.named(TaskField::Position),
            Self::Deleted(_) => change.kind == Kind::Deleted,
        }
    }

    /// Whether its sender knows that the field is cleared.
    fn clears(&self, field: TaskField) -> bool {
        match self {
            Self::Created(_, whole) | Self::UpdatedWhole(_, whole) => {
                whole.patch.named().contains(&field)
            }
            Self::Updated(_, patch) => patch.named().contains(&field),
            Self::Moved(_) | Self::Deleted(_) => false,
        }
    }

    /// The fields whose value in the announcement is not the present one.
    fn outdated(&self, present: &Task) -> Vec<TaskField> {
        match self {
            Self::Created(_, whole) | Self::UpdatedWhole(_, whole) => {
                let mut fields = disagreeing(&whole.patch, present);
                if whole
                    .position
                    .as_ref()
                    .is_some_and(|position| position != present.position.as_str())
                {
                    fields.push(TaskField::Position);
                }
                fields
            }
            Self::Updated(_, patch) => disagreeing(patch, present),
            Self::Moved(command) if command.to != present.status => {
                vec![TaskField::Status, TaskField::Position]
            }
            Self::Moved(_) | Self::Deleted(_) => Vec::new(),
        }
    }
}

fn disagreeing(patch: &TaskPatch, present: &Task) -> Vec<TaskField> {
    patch
        .named()
        .into_iter()
        .filter(|field| !patch.agrees(*field, present))
        .collect()
}

/// Whether each field of a patch repeats what its author has set it to by REST.
fn repeats_patch(told: &Told, user: UserId, task: TaskId, patch: &TaskPatch, now: Instant) -> bool {
    let named = patch.named();
    let is_repeated = |field: &TaskField| {
        told.announceable(user, task, now)
            .any(|change| change.named(*field) && patch.agrees(*field, &change.task))
    };
    !named.is_empty() && named.iter().all(is_repeated)
}

/// Whether a move repeats its author's change of status, or its move, by REST.
fn repeats_move(told: &Told, user: UserId, command: &MoveCommand, now: Instant) -> bool {
    told.announceable(user, command.task, now).any(|change| {
        change.task.status == command.to
            && match &change.kind {
                // A page that drags by changing the status has a place in mind that nobody has stored.
                Kind::Updated(named) => named.contains(&TaskField::Status),
                Kind::Moved(index) => command.index == *index || command.index == change.index,
                Kind::Created | Kind::Deleted => false,
            }
    })
}

fn is_deleted(told: &Told, task: TaskId) -> bool {
    matches!(told.latest(task), Some(Latest::Deleted(_)))
}

impl RoomState {
    pub(super) fn commit_announcement(
        &mut self,
        author: &Author,
        announcement: &Announcement,
        reply: Reply,
        answer: Answer,
        now: Instant,
    ) {
        let (found, index) = match answer {
            Answer::Found(found) => found.unzip(),
            other => return self.refuse_failed(reply, other),
        };
        let task = announcement.task();
        let Some(sender) = author.session() else {
            return self.refuse(reply, no_such_task());
        };
        let is_elsewhere = found
            .as_ref()
            .is_some_and(|found| Some(found.project) != self.project());
        // What the room has told last is what the members know; the store may be ahead of it already.
        let present = match self.ledger.told.latest(task) {
            Some(Latest::Stored(task)) => Some(Arc::clone(task)),
            Some(Latest::Deleted(_)) => None,
            None => found.filter(|_| !is_elsewhere).map(Arc::from),
        };
        if let Announcement::Deleted(_) = announcement {
            if is_elsewhere {
                return self.refuse(reply, no_such_task());
            }
            self.tell_untold(author, announcement, None);
            return self.effects.push(Effect::Answer(reply, Ok(Done::Plain)));
        }
        let Some(present) = present else {
            self.take_back(author, announcement, sender, now);
            return self.refuse(reply, no_such_task());
        };
        let index = index.unwrap_or(0);
        self.tell_untold(author, announcement, Some((&present, index)));
        self.correct(author, announcement, sender, (&present, index), now);
        self.effects
            .push(Effect::Answer(reply, Ok(Done::Task(present))));
    }

    /// Tells the author's other sessions what they were left out of.
    fn tell_untold(
        &mut self,
        author: &Author,
        announcement: &Announcement,
        present: Option<(&Arc<Task>, u64)>,
    ) {
        let (user, task) = (author.user().id, announcement.task());
        let others: Vec<_> = self
            .members
            .of_user(user)
            .map(|seat| seat.entry.id)
            .filter(|session| Some(*session) != author.session())
            .collect();
        let told = &mut self.ledger.told;
        let is_of = |change: &Change| change.author.id == user && announcement.speaks_of(change);
        let mut events = Vec::new();
        for other in others {
            let missed = told.settle(other, task, is_of);
            if missed.iter().any(|change| change.kind == Kind::Created) {
                // It hears of the task as it is now, whole.
                told.settle(other, task, |change| change.kind != Kind::Deleted);
            }
            if let Some(event) = told_late(&missed, announcement, present) {
                events.push((event, other));
            }
        }
        if let Some(sender) = author.session() {
            told.settle(sender, task, is_of);
        }
        told.announced(task, is_of);
        for (event, other) in events {
            self.tell(event, Audience::Only(vec![other]));
        }
    }

    /// Tells the sender the present values of what its page must have wrong.
    fn correct(
        &mut self,
        author: &Author,
        announcement: &Announcement,
        sender: SessionId,
        (present, index): (&Arc<Task>, u64),
        now: Instant,
    ) {
        let told = &self.ledger.told;
        let user = author.user().id;
        // The page has applied the answer to its REST change, which had the whole task as it was then.
        let base = match announcement {
            Announcement::Created(_, whole) | Announcement::UpdatedWhole(_, whole) => whole.version,
            // The first of them that it may repeat: an answer can be as old as that.
            _ => told
                .announceable(user, present.id, now)
                .find(|change| {
                    announcement.speaks_of(change) && announcement.outdated(&change.task).is_empty()
                })
                .map(|change| change.task.version),
        };
        let mut fields: BTreeSet<_> = announcement.outdated(present).into_iter().collect();
        if let Some(base) = base {
            let since = told
                .of_task(present.id)
                .filter(|change| change.task.version > base);
            fields.extend(since.flat_map(|change| change.fields.iter().copied()));
            // An answer does not show what a change has cleared: a page that merges it keeps the old value.
            let cleared = told
                .of_task(present.id)
                .filter(|change| change.kind != Kind::Created)
                .flat_map(|change| change.fields.iter().copied());
            fields.extend(
                cleared.filter(|field| field.is_absent(present) && !announcement.clears(*field)),
            );
        }
        let by = told
            .of_task(present.id)
            .next_back()
            .map_or_else(|| author.user(), |change| &change.author);
        let by = (**by).clone();
        let mut events = Vec::new();
        if let Announcement::Moved(command) = announcement {
            let place = [TaskField::Status, TaskField::Position];
            let is_misplaced = command.index.is_some_and(|wanted| wanted != index);
            if is_misplaced || place.iter().any(|field| fields.contains(field)) {
                let from = told
                    .announceable(user, present.id, now)
                    .next_back()
                    .map(|change| change.from.clone());
                let from = from.unwrap_or_else(|| present.status.clone());
                events.push(moved(present, from, index, by.clone()));
            }
            fields.retain(|field| !place.contains(field));
        }
        if !fields.is_empty() {
            events.push(updated(present, fields, by));
        }
        for event in events {
            self.tell(event, Audience::Only(vec![sender]));
        }
    }

    /// Somebody has deleted a task before its maker's page could add it: that page adds it after it was told.
    fn take_back(
        &mut self,
        author: &Author,
        announcement: &Announcement,
        sender: SessionId,
        now: Instant,
    ) {
        let (user, task) = (author.user().id, announcement.task());
        let Announcement::Created(..) = announcement else {
            return;
        };
        let Some(Latest::Deleted(deleted_by)) = self.ledger.told.latest(task) else {
            return;
        };
        if deleted_by.id != user
            && self
                .ledger
                .told
                .announceable(user, task, now)
                .next()
                .is_some()
        {
            let event = ServerEvent::TaskDeleted {
                task_id: task,
                deleted_by: (**deleted_by).clone(),
            };
            self.tell(event, Audience::Only(vec![sender]));
        }
    }

    /// Tells what nobody has announced in time: each session once of each task.
    pub(super) fn tell_overdue(&mut self, now: Instant) {
        let overdue = self.ledger.told.take_overdue(now);
        let pairs: BTreeSet<_> = overdue
            .iter()
            .flat_map(|change| {
                change
                    .untold
                    .iter()
                    .map(|session| (change.task.id, *session))
            })
            .collect();
        for (task, session) in pairs {
            let is_overdue = |change: &Change| {
                overdue
                    .iter()
                    .any(|one| one.at == change.at && one.task.version == change.task.version)
            };
            let missed = self.ledger.told.settle(session, task, is_overdue);
            self.tell_unannounced(task, session, &missed);
        }
    }

    /// Tells one session of changes of a task that were not announced. The page that made them is among those whose
    /// connection was gone: present values of a task that it has do it no harm, but a new task would be there twice.
    fn tell_unannounced(&mut self, task: TaskId, session: SessionId, missed: &[Change]) {
        let only = || Audience::Only(vec![session]);
        if let Some(change) = missed.iter().find(|change| change.kind == Kind::Deleted) {
            return self.tell(change.event(&change.task), only());
        }
        let Some(Latest::Stored(present)) = self.ledger.told.latest(task) else {
            return;
        };
        let present = Arc::clone(present);
        if let Some(made) = missed.iter().find(|change| change.kind == Kind::Created) {
            let may_be_its_own = made.gone.contains(&session);
            if may_be_its_own && made.gone.len() == 1 {
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
                .settle(session, task, |change| change.kind != Kind::Deleted);
            return;
        }
        let told = &mut self.ledger.told;
        let fields: BTreeSet<_> = missed
            .iter()
            .flat_map(|change| told.unheard(session, change))
            .collect();
        // What it hears now of these fields is what later changes have made of them.
        told.settle(session, task, |change| {
            change.kind != Kind::Created && change.fields.iter().all(|field| fields.contains(field))
        });
        if let (Some(change), false) = (missed.last(), fields.is_empty()) {
            let event = updated(&present, fields, (*change.author).clone());
            self.tell(event, only());
        }
    }
}

/// The event for a session that was left out of these changes.
fn told_late(
    missed: &[Change],
    announcement: &Announcement,
    present: Option<(&Arc<Task>, u64)>,
) -> Option<ServerEvent> {
    let first = missed.first()?;
    let author = (*first.author).clone();
    let Some((present, index)) = present else {
        return Some(ServerEvent::TaskDeleted {
            task_id: first.task.id,
            deleted_by: author,
        });
    };
    if missed.iter().any(|change| change.kind == Kind::Created) {
        return Some(ServerEvent::TaskCreated {
            task: Arc::clone(present),
            created_by: author,
        });
    }
    let fields: BTreeSet<_> = missed
        .iter()
        .flat_map(|change| change.fields.iter().copied())
        .collect();
    let is_place = fields
        .iter()
        .all(|field| matches!(field, TaskField::Status | TaskField::Position));
    if matches!(announcement, Announcement::Moved(_)) && is_place {
        return Some(moved(present, first.from.clone(), index, author));
    }
    Some(updated(present, fields, author))
}
