//! What the cases share: a store with people and documents in it, a clock that ticks, and short ways to ask.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use collabflow_protocol::{
    id::{ChannelId, ObjectId, ProjectId, SubtaskId, TaskId, UserId},
    model::{
        Channel, Message, MessageDraft, Position, Priority, Project, ProjectDraft, Role, Status,
        SubtaskDraft, Task, TaskDraft, TaskPatch, User, Workspace,
    },
    time::Timestamp,
};

use super::{Odd, Subject};
use crate::{
    id::IdSource,
    store::{
        Answer, CreateOutcome, MemberChange, MemberOutcome, Membered, NewAccount, NewMessage,
        NewTask, PostOutcome, Store, TaskChange, TaskMove, TaskOutcome, TaskQuery,
    },
};

/// An empty store, a clock and ids.
pub(super) struct Stage {
    subject: Box<dyn Subject>,
    pub(super) store: Arc<dyn Store>,
    ids: IdSource,
    clock: AtomicI64,
}

/// The value of an answer that must come.
pub(super) async fn ok<T>(answer: Answer<T>) -> T {
    answer.await.expect("the store answers")
}

/// The value of an answer that must find something.
pub(super) async fn found<T>(answer: Answer<Option<T>>) -> T {
    ok(answer).await.expect("it is there")
}

impl Stage {
    pub(super) fn new(subject: impl Subject) -> Self {
        Self {
            store: subject.store(),
            subject: Box::new(subject),
            ids: IdSource::default(),
            clock: AtomicI64::new(1_750_000_000_000),
        }
    }

    pub(super) fn id<T: From<ObjectId>>(&self) -> T {
        self.ids.next()
    }

    /// A second later each time.
    pub(super) fn now(&self) -> Timestamp {
        time(self.clock.fetch_add(1_000, Ordering::SeqCst))
    }

    pub(super) async fn plant(&self, odd: Odd) {
        self.subject.plant(odd).await;
    }

    pub(super) fn new_account(&self, name: &str) -> NewAccount {
        NewAccount {
            id: self.id(),
            name: name.to_owned(),
            email: format!("{}@example.com", name.to_lowercase()),
            password_hash: format!("hash of {name}"),
            now: self.now(),
        }
    }

    /// Somebody with an account.
    pub(super) async fn account(&self, name: &str) -> User {
        found(self.store.register(self.new_account(name))).await
    }

    pub(super) async fn workspace(&self, owner: &User) -> Workspace {
        let name = "Workspace".to_owned();
        ok(self
            .store
            .create_workspace(self.id(), name, owner.id, self.now()))
        .await
    }

    pub(super) async fn project_in(&self, workspace: &Workspace, owner: &User) -> Project {
        let draft = ProjectDraft {
            name: "Project".to_owned(),
            description: None,
            workspace: workspace.id,
        };
        found(
            self.store
                .create_project(self.id(), draft, owner.id, self.now()),
        )
        .await
    }

    /// A project in a workspace of its own.
    pub(super) async fn project(&self, owner: &User) -> Project {
        let workspace = self.workspace(owner).await;
        self.project_in(&workspace, owner).await
    }

    /// A project, and its owner.
    pub(super) async fn owned_project(&self) -> (Project, User) {
        let owner = self.account("Owner").await;
        (self.project(&owner).await, owner)
    }

    pub(super) async fn channel(&self, project: &Project, creator: &User) -> Channel {
        let name = "Channel".to_owned();
        let id: ChannelId = self.id();
        found(
            self.store
                .create_channel(id, name, project.id, creator.id, self.now()),
        )
        .await
    }

    pub(super) async fn put(&self, of: Membered, user: &User, role: Role) -> MemberOutcome {
        self.change(of, MemberChange::Put(user.id, Some(role)))
            .await
    }

    pub(super) async fn remove(&self, of: Membered, user: &User) -> MemberOutcome {
        self.change(of, MemberChange::Remove(user.id)).await
    }

    pub(super) async fn change(&self, of: Membered, change: MemberChange) -> MemberOutcome {
        ok(self.store.change_member(of, change, self.now())).await
    }

    /// A new task of whom it may concern.
    pub(super) fn new_task(&self, project: &Project, draft: TaskDraft) -> NewTask {
        NewTask {
            id: self.id(),
            project: project.id,
            subtask_ids: draft
                .subtasks
                .iter()
                .map(|_| SubtaskId(self.id()))
                .collect(),
            draft,
            creator: project
                .created_by
                .as_ref()
                .map_or_else(|| self.id(), |user| user.id),
            once: None,
            now: self.now(),
            random: rand::random(),
        }
    }

    pub(super) async fn create(&self, new: NewTask) -> Task {
        match ok(self.store.create_task(new)).await {
            CreateOutcome::Created(task) => *task,
            other => panic!("not created: {other:?}"),
        }
    }

    pub(super) async fn task(&self, project: &Project, title: &str) -> Task {
        self.create(self.new_task(project, draft(title))).await
    }

    pub(super) fn task_change(&self, task: &Task, patch: TaskPatch) -> TaskChange {
        TaskChange {
            project: task.project,
            id: task.id,
            subtask_ids: patch.subtasks.iter().flatten().map(|_| self.id()).collect(),
            patch,
            expected: None,
            announces: false,
            now: self.now(),
            random: rand::random(),
        }
    }

    pub(super) async fn patch(&self, task: &Task, patch: TaskPatch) -> TaskOutcome {
        ok(self.store.update_task(self.task_change(task, patch))).await
    }

    /// A patch that must change something.
    pub(super) async fn patched(&self, task: &Task, patch: TaskPatch) -> Task {
        changed(self.patch(task, patch).await).1
    }

    pub(super) fn task_move(&self, task: &Task, to: Status, index: Option<u64>) -> TaskMove {
        TaskMove {
            project: task.project,
            id: task.id,
            to,
            index,
            expected: None,
            announces: false,
            now: self.now(),
            random: rand::random(),
        }
    }

    pub(super) async fn move_to(&self, task: &Task, to: Status, index: Option<u64>) -> TaskOutcome {
        ok(self.store.move_task(self.task_move(task, to, index))).await
    }

    /// The ids of a column, in the order of the board.
    pub(super) async fn column(&self, project: ProjectId, status: Status) -> Vec<TaskId> {
        let query = TaskQuery {
            status: Some(status),
            ..TaskQuery::default()
        };
        let mut tasks = ok(self.store.tasks(project, query)).await.tasks;
        tasks.sort_by(|a, b| (&a.position, a.id).cmp(&(&b.position, b.id)));
        tasks.into_iter().map(|task| task.id).collect()
    }

    pub(super) fn new_message(
        &self,
        channel: ChannelId,
        sender: UserId,
        content: &str,
    ) -> NewMessage {
        NewMessage {
            id: self.id(),
            channel,
            sender,
            draft: MessageDraft {
                content: content.to_owned(),
                client_id: None,
            },
            now: self.now(),
        }
    }

    pub(super) async fn post(&self, channel: ChannelId, sender: &User, content: &str) -> Message {
        let new = self.new_message(channel, sender.id, content);
        match ok(self.store.post_message(new)).await {
            PostOutcome::Posted(message) => *message,
            other => panic!("not posted: {other:?}"),
        }
    }
}

/// `millis` after the epoch.
pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time of this century")
}

/// A draft with nothing but a title.
pub(super) fn draft(title: &str) -> TaskDraft {
    TaskDraft {
        title: title.to_owned(),
        description: None,
        status: Status::Todo,
        priority: Priority::Medium,
        assignee: None,
        due_date: None,
        subtasks: Vec::new(),
        labels: Vec::new(),
    }
}

/// A subtask that has no id yet.
pub(super) fn step(title: &str) -> SubtaskDraft {
    SubtaskDraft {
        id: None,
        title: title.to_owned(),
        completed: false,
    }
}

/// A patch of the title alone.
pub(super) fn title(title: &str) -> TaskPatch {
    TaskPatch {
        title: Some(title.to_owned()),
        ..TaskPatch::default()
    }
}

/// Before, after and index of an outcome that must be a change.
pub(super) fn changed(outcome: TaskOutcome) -> (Task, Task, u64) {
    match outcome {
        TaskOutcome::Changed {
            before,
            after,
            index,
            base,
        } => {
            assert_eq!(base, before.version);
            (*before, *after, index)
        }
        other => panic!("not changed: {other:?}"),
    }
}

/// A key that is greater than any the suite makes otherwise.
pub(super) fn far() -> Position {
    Position::stored("z00000000000000000000000001")
}
