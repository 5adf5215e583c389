//! Changes of tasks: sent to the store in order, and told when they are stored.

use std::sync::Arc;

use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    event::{ServerEvent, TaskCommand},
    id::{ProjectId, TaskId, UserId},
    model::{Task, TaskField, TaskPatch, TaskUpdates},
};
use tokio::time::Instant;

use super::{
    announcement::Announcement,
    effect::{Answer, Effect, Request},
    members::{Absence, Seat},
    message::Author,
    state::{RoomState, Work},
    told::{ANNOUNCED_WITHIN, Change, Kind, LeftOut, OVERTAKEN_WITHIN},
};
use crate::{
    id::SessionId,
    key::RoomKey,
    node::{Echo, Refusal},
    session::reply::{Done, Reply},
    store::{CreateOutcome, TaskOutcome},
};

const KEY_TAKEN: &str =
    "This key was used for a task of another project: each new task needs a key of its own";

impl RoomState {
    /// Takes a `task:*` event or a REST change: an announcement is looked up, anything else is written.
    pub(super) fn change_task(
        &mut self,
        author: Author,
        command: Box<TaskCommand>,
        reply: Reply,
        now: Instant,
    ) {
        let command = match Announcement::judge(command, &author, self, now) {
            Ok(announcement) => return self.look_up(author, Box::new(announcement), reply),
            Err(command) => command,
        };
        if author.session().is_some() && !self.settings.write_by_socket {
            return self.refuse(
                reply,
                ClientError::forbidden("Tasks are changed by REST here, and announced by socket"),
            );
        }
        let (kind, request) = match *command {
            TaskCommand::Create {
                draft, client_id, ..
            } => match draft {
                Ok(draft) => {
                    let once = author.once(client_id);
                    (
                        Kind::Created,
                        Request::CreateTask {
                            draft,
                            creator: author.user().id,
                            once,
                        },
                    )
                }
                Err(error) => return self.refuse(reply, error),
            },
            TaskCommand::Update {
                task,
                patch,
                expected,
                ..
            } => match self.checked(patch) {
                Ok(patch) => (
                    Kind::Updated(patch.named()),
                    Request::UpdateTask {
                        task,
                        patch,
                        expected,
                    },
                ),
                Err(error) => return self.refuse(reply, error),
            },
            TaskCommand::Move(command) => (Kind::Moved(command.index), Request::MoveTask(command)),
            TaskCommand::Delete { task } => (Kind::Deleted, Request::DeleteTask(task)),
        };
        let slot = self.ledger.pipeline.push(Work::Change(author, kind, reply));
        self.effects.push(Effect::Ask(slot, request));
    }

    fn look_up(&mut self, author: Author, announcement: Box<Announcement>, reply: Reply) {
        let task = announcement.task();
        let work = Work::Announce(author, announcement, reply);
        let slot = self.ledger.pipeline.push(work);
        self.effects.push(Effect::Ask(slot, Request::LookUp(task)));
    }

    /// A delete found nothing: it may announce one. It keeps its place.
    fn look_up_deleted(&mut self, author: Author, task: TaskId, reply: Reply) {
        let announcement = Box::new(Announcement::Deleted(task));
        let work = Work::Announce(author, announcement, reply);
        let slot = self.ledger.pipeline.put_back(work);
        self.effects.push(Effect::Ask(slot, Request::LookUp(task)));
    }

    fn checked(&self, patch: Result<TaskPatch, ClientError>) -> Result<TaskPatch, ClientError> {
        let patch = patch?;
        if let RoomKey::Project(project) = self.key {
            patch.stays_in(
                project,
                self.access
                    .membership()
                    .and_then(|membership| membership.workspace),
            )?;
        }
        Ok(patch)
    }

    /// Lets out what the store has answered, in the order in which it was asked.
    pub(super) fn commit_answered(&mut self, now: Instant) {
        while let Some((work, answer)) = self.ledger.pipeline.pop() {
            match work {
                Work::Change(author, kind, reply) => {
                    self.commit_change(author, kind, reply, answer, now);
                }
                Work::Announce(author, announcement, reply) => {
                    self.commit_announcement(&author, &announcement, reply, answer, now);
                }
                Work::Post(reply) => self.commit_post(reply, answer),
            }
        }
    }

    fn commit_change(
        &mut self,
        author: Author,
        kind: Kind,
        reply: Reply,
        answer: Answer,
        now: Instant,
    ) {
        let done = match answer {
            Answer::Created(CreateOutcome::Created(task)) => {
                let task: Arc<_> = task.into();
                self.stored(&author, kind, None, &task, Some(0), now);
                Done::Task(task)
            }
            Answer::Created(CreateOutcome::Repeated(task)) => Done::RepeatedTask(task.into()),
            Answer::Created(CreateOutcome::KeyTaken) => {
                return self.refuse(reply, ClientError::new(ErrorCode::Conflict, KEY_TAKEN));
            }
            Answer::Created(CreateOutcome::NoProject) => {
                return self.refuse(
                    reply,
                    ClientError::not_found("Project not found or access denied"),
                );
            }
            Answer::Changed(TaskOutcome::Changed {
                before,
                after,
                index,
            }) => {
                let after: Arc<_> = after.into();
                self.stored(&author, kind, Some(&before), &after, Some(index), now);
                Done::Task(after)
            }
            Answer::Changed(TaskOutcome::Unchanged(task)) => {
                let task: Arc<_> = task.into();
                self.stored(&author, kind, Some(&task), &task, None, now);
                Done::Task(task)
            }
            Answer::Changed(TaskOutcome::Conflict(task)) => {
                return self.refuse(reply, Refusal::Conflict(task));
            }
            Answer::Changed(TaskOutcome::NotMember) | Answer::Created(CreateOutcome::NotMember) => {
                return self.refuse(
                    reply,
                    ClientError::field("assignee", "must be a member of the project"),
                );
            }
            Answer::Changed(TaskOutcome::NotFound) => return self.refuse(reply, no_such_task()),
            Answer::Deleted(_, Some(task)) => {
                let task: Arc<_> = task.into();
                self.stored(&author, kind, Some(&task), &task, None, now);
                Done::Plain
            }
            Answer::Deleted(task, None) if author.session().is_some() => {
                return self.look_up_deleted(author, task, reply);
            }
            Answer::Deleted(_, None) => return self.refuse(reply, no_such_task()),
            other => return self.refuse_failed(reply, other),
        };
        self.effects.push(Effect::Answer(reply, Ok(done)));
    }

    /// A change is stored: it is told, and remembered. A change of nothing is only remembered.
    fn stored(
        &mut self,
        author: &Author,
        kind: Kind,
        before: Option<&Task>,
        after: &Arc<Task>,
        index: Option<u64>,
        now: Instant,
    ) {
        let fields = before.map_or_else(
            || TaskField::ALL.to_vec(),
            |before| TaskField::changed(before, after),
        );
        let mut change = Change {
            at: now,
            author: Arc::clone(author.user()),
            by_rest: matches!(author, Author::Rest(..)),
            from: before.unwrap_or(after).status.clone(),
            fields,
            task: Arc::clone(after),
            index,
            left_out: Vec::new(),
            is_in_flight: author.is_page() && kind != Kind::Deleted,
            told_at: None,
            kind,
        };
        let is_told = change.kind == Kind::Deleted || !change.fields.is_empty();
        if is_told {
            let left_out = self.leave_out(author, &mut change, now);
            self.tell_change(&change, left_out, now);
        }
        // A change of nothing matters only to who may announce it.
        if is_told || change.by_rest {
            self.ledger.told.record(change);
        }
    }

    /// Who does not hear of a change: the session that made it, or the page that will announce it.
    fn leave_out(&self, author: &Author, change: &mut Change, now: Instant) -> Vec<SessionId> {
        match author {
            Author::Session(entry) => vec![entry.id],
            Author::Rest(caller, _) => match caller.echo {
                Echo::All => Vec::new(),
                Echo::NotSocket(session) => {
                    let is_own = |id| {
                        self.members
                            .get(id)
                            .is_some_and(|seat| seat.entry.user_id() == caller.user.id)
                    };
                    if is_own(session) {
                        vec![session]
                    } else {
                        Vec::new()
                    }
                }
                Echo::NotAuthor => {
                    self.await_announcement(caller.user.id, change, now);
                    change.untold().collect()
                }
            },
        }
    }

    /// Leaves the author's sessions out of a change until it is announced.
    fn await_announcement(&self, author: UserId, change: &mut Change, now: Instant) {
        let mut away = 0;
        for seat in self.members.of_user(author) {
            away += usize::from(seat.is_away());
            if !self.may_be_taken_back(seat, change, now) {
                let session = seat.entry.id;
                change.left_out.push(LeftOut::new(session, seat.is_away()));
            }
        }
        // A page whose connection is gone cannot announce what it changes: then the clock does, unless nobody but that
        // page was left out.
        let is_sole_maker = away == 1 && change.left_out.iter().all(|one| one.is_gone);
        if away > 0 && !is_sole_maker {
            change.told_at = Some(change.at + ANNOUNCED_WITHIN);
        }
    }

    /// Whether the page of this session, which may have made a change, may lay something older over it: what it has yet
    /// to hear of those fields, or the answer to an older change of its own. Then it is told of the change in its place.
    fn may_be_taken_back(&self, seat: &Seat, change: &Change, now: Instant) -> bool {
        let (told, task, author) = (&self.ledger.told, change.task_id(), change.author.id);
        let was_missed = |since| told.was_missed(seat.entry.id, since, task, &change.fields);
        if let Some(since) = seat.away_since {
            let is_update = change.kind != Kind::Deleted;
            return is_update && told.has_in_flight(author, task, now) || was_missed(since);
        }
        let is_just_back = |absence: &Absence| absence.until + OVERTAKEN_WITHIN >= now;
        let absence = seat.absence.filter(is_just_back);
        absence.is_some_and(|absence| was_missed(absence.since))
            || told.was_just_changed(author, task, &change.fields, now)
    }

    pub(super) fn refuse_failed(&mut self, reply: Reply, answer: Answer) {
        let error = match answer {
            Answer::Failed(error) => error.for_client(),
            _ => ClientError::internal(),
        };
        self.refuse(reply, error);
    }

    pub(super) fn project(&self) -> Option<ProjectId> {
        match self.key {
            RoomKey::Project(project) => Some(project),
            RoomKey::Workspace(_) | RoomKey::Chat(_) => None,
        }
    }
}

impl Change {
    /// The change as it is told, with the values of `present`.
    pub(super) fn event(&self, present: &Arc<Task>) -> ServerEvent {
        let author = (*self.author).clone();
        match self.kind {
            Kind::Created => ServerEvent::TaskCreated {
                task: Arc::clone(present),
                created_by: author,
            },
            Kind::Deleted => ServerEvent::TaskDeleted {
                task_id: present.id,
                deleted_by: author,
            },
            Kind::Moved(_) => moved(present, self.from.clone(), self.index.unwrap_or(0), author),
            Kind::Updated(_) => updated(present, self.fields.iter().copied(), author),
        }
    }
}

pub(super) fn updated(
    task: &Task,
    fields: impl IntoIterator<Item = TaskField>,
    updated_by: collabflow_protocol::model::UserBrief,
) -> ServerEvent {
    let updates = Box::new(TaskUpdates::of(task, fields));
    ServerEvent::TaskUpdated {
        task_id: task.id,
        updates,
        updated_by,
        version: task.version,
    }
}

pub(super) fn moved(
    task: &Task,
    from_status: collabflow_protocol::model::Status,
    new_index: u64,
    moved_by: collabflow_protocol::model::UserBrief,
) -> ServerEvent {
    ServerEvent::TaskMoved {
        project_id: task.project,
        task_id: task.id,
        from_status,
        to_status: task.status.clone(),
        new_index,
        position: task.position.clone(),
        version: task.version,
        moved_by,
    }
}

pub(super) fn no_such_task() -> ClientError {
    ClientError::not_found("Task not found")
}
