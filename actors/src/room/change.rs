//! Changes of tasks: sent to the store in order, and told when they are stored.

mod event;
mod stored;

use std::sync::Arc;

use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    event::TaskCommand,
    id::{ProjectId, TaskId},
    model::TaskPatch,
};
use tokio::time::Instant;

pub(super) use self::event::{moved, updated};
use super::{
    announcement::Announcement,
    effect::{Answer, Effect, Request},
    entry::{Changed, Entry, is_new},
    message::Author,
    state::{RoomState, Work},
    told::Kind,
};
use crate::{
    id,
    key::RoomKey,
    node::Refusal,
    session::reply::{Done, Reply},
    store::{Claim, CreateOutcome, TaskOutcome},
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
            Ok(announcement) => return self.look_up(author, Box::new(announcement), reply, now),
            Err(command) => command,
        };
        if author.session().is_some() && !self.settings.write_by_socket {
            return self.refuse(
                reply,
                ClientError::forbidden("Tasks are changed by REST here, and announced by socket"),
            );
        }
        // Over a socket, what changes nothing may be the announcement of another program's change.
        let announces = author.session().is_some();
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
                            creator: author.user_id(),
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
                        announces,
                    },
                ),
                Err(error) => return self.refuse(reply, error),
            },
            TaskCommand::Move(command) => {
                let kind = Kind::Moved(command.index);
                (kind, Request::MoveTask(command, announces))
            }
            TaskCommand::Delete { task } => (Kind::Deleted, Request::DeleteTask(task)),
        };
        self.line_up(Work::Change(author, kind, reply), request, now);
    }

    fn look_up(
        &mut self,
        author: Author,
        announcement: Box<Announcement>,
        reply: Reply,
        now: Instant,
    ) {
        let request = Request::LookUp(announcement.task(), announcement.claim());
        self.line_up(Work::Announce(author, announcement, reply), request, now);
    }

    /// Asks the store, unless what was asked before takes longer than anybody waits.
    pub(super) fn line_up(&mut self, work: Work, request: Request, now: Instant) {
        if self.ledger.pipeline.is_stuck() {
            return self.refuse(work.into_reply(), ClientError::unavailable());
        }
        self.send_to_store(work, request, now);
    }

    /// Asks the store, and waits for as long as it takes.
    pub(super) fn send_to_store(&mut self, work: Work, request: Request, now: Instant) {
        let slot = self.ledger.pipeline.push(work, now);
        self.effects.push(Effect::Ask(slot, request));
    }

    /// Refuses who has waited too long for the store. What becomes of the work is told to everybody when that is known:
    /// its author may not believe that it was stored.
    pub(super) fn refuse_overdue(&mut self, now: Instant) {
        let Some(then) = now.checked_sub(self.settings.store_timeout) else {
            return;
        };
        let given_up: Vec<_> = self
            .ledger
            .pipeline
            .overdue(then)
            .map(Work::give_up)
            .collect();
        for reply in given_up {
            self.refuse(reply, ClientError::unavailable());
        }
    }

    /// A delete found nothing: it may announce one. It keeps its place.
    fn look_up_deleted(&mut self, author: Author, task: TaskId, reply: Reply, now: Instant) {
        let announcement = Box::new(Announcement::Deleted(task));
        let work = Work::Announce(author, announcement, reply);
        let slot = self.ledger.pipeline.put_back(work, now);
        let request = Request::LookUp(task, Claim::Deleted);
        self.effects.push(Effect::Ask(slot, request));
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
                    self.commit_announcement(&author, announcement, reply, answer, now);
                }
                Work::Elsewhere(task, seen, id) => {
                    self.commit_elsewhere(task, (seen, id), answer, now);
                    self.make_good_what_was_missed();
                }
                Work::Post(reply) => self.commit_post(reply, answer, now),
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
        let (entry, done) = match answer {
            Answer::Created(CreateOutcome::Created(task)) => {
                let task: Arc<_> = task.into();
                let entry = Changed::new(&author, kind, None, &task, Some(0));
                (Entry::Changed(entry), Done::Task(task))
            }
            Answer::Created(CreateOutcome::Repeated(task)) => {
                let done = Done::RepeatedTask(task.into());
                return self.effects.push(Effect::Answer(reply, Ok(done)));
            }
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
                base,
            }) => {
                let after: Arc<_> = after.into();
                let entry = Changed {
                    base,
                    ..Changed::new(&author, kind, Some(&before), &after, Some(index))
                };
                (Entry::Changed(entry), Done::Task(after))
            }
            Answer::Changed(TaskOutcome::News { task, index, news }) => {
                let task: Arc<_> = task.into();
                let entry = self.news_of(&(&author).into(), (&kind).into(), (&task, index), &news);
                (Entry::Changed(entry), Done::Task(task))
            }
            Answer::Changed(TaskOutcome::Unchanged(task)) => {
                let task: Arc<_> = task.into();
                let entry = Changed::new(&author, kind, Some(&task), &task, None);
                (Entry::Changed(entry), Done::Task(task))
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
                let entry = Changed {
                    is_base_new: is_new(&task, id::now()),
                    ..Changed::new(&author, kind, Some(&task), &task, None)
                };
                (Entry::Changed(entry), Done::Plain)
            }
            Answer::Deleted(task, None) if author.session().is_some() => {
                return self.look_up_deleted(author, task, reply, now);
            }
            Answer::Deleted(_, None) => return self.refuse(reply, no_such_task()),
            other => return self.refuse_failed(reply, other),
        };
        self.log(entry, reply, Ok(done), now);
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

pub(super) fn no_such_task() -> ClientError {
    ClientError::not_found("Task not found")
}
