//! A room's calls to the store: made in order, awaited beside the room, answered into its cell.

use std::sync::{Arc, Weak};

use collabflow_protocol::id::ChannelId;

use super::{
    cell::{RoomCell, RoomRef},
    effect::{Answer, Request},
    pipeline::Slot,
    state::Command,
};
use crate::{
    id::now,
    key::RoomKey,
    registry::Registry,
    store::{self, NewMessage, NewTask, StoreError, TaskChange, TaskMove},
};

pub(crate) struct StoreCalls {
    registry: Arc<Registry>,
    room: RoomRef,
}

impl StoreCalls {
    pub(crate) fn new(registry: &Arc<Registry>, room: &RoomRef) -> Self {
        Self {
            registry: Arc::clone(registry),
            room: Arc::clone(room),
        }
    }

    pub(crate) fn read_membership(&self, number: u64) {
        let read = self.registry.store().membership(self.room.key.access());
        let mut promise = Promise::new(&self.room, move |error| {
            Command::Membership(number, Err(error))
        });
        tokio::spawn(async move { promise.keep(Command::Membership(number, read.await)) });
    }

    /// The call itself is made here and now: its place in the store's order is its place in the pipeline.
    pub(crate) fn ask(&self, slot: Slot, request: Request) {
        let answer = self.call(request);
        self.room.state().sent(slot);
        let mut promise = Promise::new(&self.room, move |error| {
            Command::Answered(slot, Answer::Failed(error))
        });
        tokio::spawn(async move {
            let answer = answer.await.unwrap_or_else(Answer::Failed);
            promise.keep(Command::Answered(slot, answer));
        });
    }

    fn call(&self, request: Request) -> store::Answer<Answer> {
        use futures_util::{FutureExt, TryFutureExt};

        let store = self.registry.store();
        let ids = self.registry.ids();
        match (self.room.key, request) {
            (
                RoomKey::Project(project),
                Request::CreateTask {
                    draft,
                    creator,
                    once,
                },
            ) => {
                let subtask_ids = draft.subtasks.iter().map(|_| ids.next()).collect();
                let (id, now, random) = (ids.next(), now(), rand::random());
                store
                    .create_task(NewTask {
                        id,
                        project,
                        draft,
                        subtask_ids,
                        creator,
                        once,
                        now,
                        random,
                    })
                    .map_ok(Answer::Created)
                    .boxed()
            }
            (
                RoomKey::Project(project),
                Request::UpdateTask {
                    task,
                    patch,
                    expected,
                    announces,
                },
            ) => {
                let subtask_ids = patch
                    .subtasks
                    .iter()
                    .flatten()
                    .map(|_| ids.next())
                    .collect();
                let (now, random) = (now(), rand::random());
                store
                    .update_task(TaskChange {
                        project,
                        id: task,
                        patch,
                        subtask_ids,
                        expected,
                        announces,
                        now,
                        random,
                    })
                    .map_ok(Answer::Changed)
                    .boxed()
            }
            (RoomKey::Project(project), Request::MoveTask(command, announces)) => {
                let (now, random) = (now(), rand::random());
                let collabflow_protocol::event::MoveCommand {
                    task: id,
                    to,
                    index,
                    expected,
                } = command;
                store
                    .move_task(TaskMove {
                        project,
                        id,
                        to,
                        index,
                        expected,
                        announces,
                        now,
                        random,
                    })
                    .map_ok(Answer::Changed)
                    .boxed()
            }
            (RoomKey::Project(project), Request::DeleteTask(task)) => store
                .delete_task(project, task)
                .map_ok(move |found| Answer::Deleted(task, found.map(Box::new)))
                .boxed(),
            (RoomKey::Project(project), Request::LookUp(task, claim)) => store
                .announced(project, task, claim, now())
                .map_ok(Answer::Found)
                .boxed(),
            (RoomKey::Chat(channel), Request::Post { draft, sender }) => {
                self.post(channel, sender, draft)
            }
            (key, request) => {
                let error = StoreError::Failed(format!("{request:?} has no sense in {key}"));
                std::future::ready(Err(error)).boxed()
            }
        }
    }

    fn post(
        &self,
        channel: ChannelId,
        sender: collabflow_protocol::id::UserId,
        draft: collabflow_protocol::model::MessageDraft,
    ) -> store::Answer<Answer> {
        use futures_util::{FutureExt, TryFutureExt};

        let message = NewMessage {
            id: self.registry.ids().next(),
            channel,
            sender,
            draft,
            now: now(),
        };
        self.registry
            .store()
            .post_message(message)
            .map_ok(Answer::Posted)
            .boxed()
    }
}

/// Answers the room in any case: a call that breaks answers that it failed.
struct Promise<F: FnOnce(StoreError) -> Command> {
    room: Weak<RoomCell>,
    broken: Option<F>,
}

impl<F: FnOnce(StoreError) -> Command> Promise<F> {
    fn new(room: &RoomRef, broken: F) -> Self {
        Self {
            room: Arc::downgrade(room),
            broken: Some(broken),
        }
    }

    fn keep(&mut self, answer: Command) {
        self.broken = None;
        if let Some(room) = self.room.upgrade() {
            room.give(answer);
        }
    }
}

impl<F: FnOnce(StoreError) -> Command> Drop for Promise<F> {
    fn drop(&mut self) {
        if let (Some(broken), Some(room)) = (self.broken.take(), self.room.upgrade()) {
            room.give(broken(StoreError::Failed("the call was given up".into())));
        }
    }
}
