//! A store in memory, for tests: every write takes effect at its call, under one lock.
//!
//! Its answers can be held back and let go, and it can be made to fail, so that what happens meanwhile can be tested.

mod board;
mod chat;
mod group;
mod member;
mod person;
mod state;

use std::sync::atomic::{AtomicU64, Ordering};

use collabflow_protocol::{
    id::{ChannelId, MessageId, ProjectId, TaskId, UserId, WorkspaceId},
    model::{Channel, Project, ProjectDraft, ProjectPatch, Task, User, UserPatch, Workspace},
    time::Timestamp,
};
use futures_util::future::FutureExt;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Access, Account, Answer, CreateOutcome, Deleted, MemberChange, MemberOutcome, Membered,
    Membership, MessagePage, NewAccount, NewMessage, NewTask, PostOutcome, Store, StoreError,
    TaskChange, TaskMove, TaskOutcome, TaskPage, TaskQuery,
};
use state::State;

/// Which calls a switch of the [`MemoryStore`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Those that may change something.
    Writes,
    /// Those that change nothing.
    Reads,
    /// Both.
    All,
}

impl Calls {
    fn include(self, kind: Self) -> bool {
        self == Self::All || self == kind
    }
}

/// Documents in memory.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    fault: Mutex<Option<(Calls, StoreError)>>,
    held: watch::Sender<Option<Calls>>,
    writes: AtomicU64,
    failures: watch::Sender<u64>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            fault: Mutex::default(),
            held: watch::Sender::new(None),
            writes: AtomicU64::new(0),
            failures: watch::Sender::new(0),
        }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds the answers of these calls back until [`Self::release`]; the calls take effect as ever.
    pub fn hold(&self, calls: Calls) {
        self.held.send_replace(Some(calls));
    }

    /// Gives all answers that were held back.
    pub fn release(&self) {
        self.held.send_replace(None);
    }

    /// Lets these calls fail with an error, without any effect, until [`Self::mend`].
    pub fn fail_with(&self, calls: Calls, error: StoreError) {
        *self.fault.lock() = Some((calls, error));
    }

    /// Ends what [`Self::fail_with`] began.
    pub fn mend(&self) {
        *self.fault.lock() = None;
    }

    /// Waits until one more call has failed by [`Self::fail_with`].
    pub async fn failed(&self) {
        let mut failures = self.failures.subscribe();
        // It ends with the store, which is held here.
        let _ = failures.changed().await;
    }

    /// Calls so far that might have changed something, whether they failed or not.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Reaches what is stored, to put in what no method would make.
    pub(super) fn plant(&self, odd: super::contract::Odd) {
        self.state.lock().plant(odd);
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Answer<T> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.call(Calls::Writes, work)
    }

    fn read<T: Send + 'static>(&self, work: impl FnOnce(&State) -> T) -> Answer<T> {
        self.call(Calls::Reads, |state| Ok(work(state)))
    }

    fn call<T: Send + 'static>(
        &self,
        kind: Calls,
        work: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Answer<T> {
        let fault = self.fault.lock().clone();
        let result = match fault {
            Some((calls, error)) if calls.include(kind) => {
                self.failures.send_modify(|count| *count += 1);
                Err(error)
            }
            _ => work(&mut self.state.lock()),
        };
        let mut held = self.held.subscribe();
        async move {
            // Where the store is gone, nobody will release the answer any more.
            let _ = held
                .wait_for(|held| held.is_none_or(|calls| !calls.include(kind)))
                .await;
            result
        }
        .boxed()
    }
}

impl Store for MemoryStore {
    fn ping(&self) -> Answer<()> {
        self.read(|_| ())
    }

    fn register(&self, account: NewAccount) -> Answer<Option<User>> {
        self.write(|state| Ok(state.register(account)))
    }

    fn account(&self, email: String) -> Answer<Option<Account>> {
        self.read(|state| state.account(&email))
    }

    fn replace_hash(&self, user: UserId, old: String, new: String) -> Answer<bool> {
        self.write(move |state| Ok(state.replace_hash(user, &old, new)))
    }

    fn user(&self, id: UserId) -> Answer<Option<User>> {
        self.read(|state| state.user(id))
    }

    fn user_by_email(&self, email: String) -> Answer<Option<User>> {
        self.read(|state| state.user_by_email(&email))
    }

    fn remember(&self, user: User) -> Answer<()> {
        self.write(|state| {
            state.remember(user);
            Ok(())
        })
    }

    fn update_user(&self, id: UserId, patch: UserPatch, _: Timestamp) -> Answer<Option<User>> {
        self.write(|state| Ok(state.update_user(id, patch)))
    }

    fn create_workspace(
        &self,
        id: WorkspaceId,
        name: String,
        owner: UserId,
        now: Timestamp,
    ) -> Answer<Workspace> {
        self.write(|state| state.create_workspace(id, name, owner, now))
    }

    fn workspaces_of(&self, user: UserId) -> Answer<Vec<Workspace>> {
        self.read(|state| state.workspaces_of(user))
    }

    fn workspace(&self, id: WorkspaceId) -> Answer<Option<Workspace>> {
        self.read(|state| state.workspace(id))
    }

    fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: String,
        now: Timestamp,
    ) -> Answer<Option<Workspace>> {
        self.write(|state| Ok(state.rename_workspace(id, name, now)))
    }

    fn delete_workspace(&self, id: WorkspaceId) -> Answer<Option<Deleted>> {
        self.write(|state| Ok(state.delete_workspace(id)))
    }

    fn create_project(
        &self,
        id: ProjectId,
        draft: ProjectDraft,
        creator: UserId,
        now: Timestamp,
    ) -> Answer<Option<Project>> {
        self.write(|state| state.create_project(id, draft, creator, now))
    }

    fn projects_of(&self, user: UserId, workspace: Option<WorkspaceId>) -> Answer<Vec<Project>> {
        self.read(|state| state.projects_of(user, workspace))
    }

    fn project(&self, id: ProjectId) -> Answer<Option<Project>> {
        self.read(|state| state.project(id))
    }

    fn update_project(
        &self,
        id: ProjectId,
        patch: ProjectPatch,
        now: Timestamp,
    ) -> Answer<Option<(Project, Project)>> {
        self.write(|state| Ok(state.update_project(id, patch, now)))
    }

    fn delete_project(&self, id: ProjectId) -> Answer<Option<Deleted>> {
        self.write(|state| Ok(state.delete_project(id)))
    }

    fn change_member(
        &self,
        of: Membered,
        change: MemberChange,
        now: Timestamp,
    ) -> Answer<MemberOutcome> {
        self.write(|state| Ok(state.change_member(of, change, now)))
    }

    fn membership(&self, of: Access) -> Answer<Option<Membership>> {
        self.read(|state| state.membership(of))
    }

    fn tasks(&self, project: ProjectId, query: TaskQuery) -> Answer<TaskPage> {
        self.read(|state| state.tasks(project, &query))
    }

    fn task(&self, id: TaskId) -> Answer<Option<Task>> {
        self.read(|state| state.task(id))
    }

    fn placed_task(&self, id: TaskId) -> Answer<Option<(Task, u64)>> {
        self.read(|state| state.placed_task(id))
    }

    fn create_task(&self, new: NewTask) -> Answer<CreateOutcome> {
        self.write(|state| state.create_task(new))
    }

    fn update_task(&self, change: TaskChange) -> Answer<TaskOutcome> {
        self.write(|state| Ok(state.update_task(&change)))
    }

    fn move_task(&self, change: TaskMove) -> Answer<TaskOutcome> {
        self.write(|state| Ok(state.move_task(&change)))
    }

    fn delete_task(&self, project: ProjectId, id: TaskId) -> Answer<Option<Task>> {
        self.write(|state| Ok(state.delete_task(project, id)))
    }

    fn create_channel(
        &self,
        id: ChannelId,
        name: String,
        project: ProjectId,
        creator: UserId,
        now: Timestamp,
    ) -> Answer<Option<Channel>> {
        self.write(|state| state.create_channel(id, name, project, creator, now))
    }

    fn channel(&self, id: ChannelId) -> Answer<Option<Channel>> {
        self.read(|state| state.channel(id))
    }

    fn channels(&self, project: ProjectId) -> Answer<Vec<Channel>> {
        self.read(|state| state.channels(project))
    }

    fn delete_channel(&self, id: ChannelId) -> Answer<Option<Channel>> {
        self.write(|state| Ok(state.delete_channel(id)))
    }

    fn post_message(&self, message: NewMessage) -> Answer<PostOutcome> {
        self.write(|state| state.post_message(message))
    }

    fn messages(
        &self,
        channel: ChannelId,
        limit: u32,
        before: Option<MessageId>,
    ) -> Answer<Option<MessagePage>> {
        self.read(|state| state.messages(channel, limit, before))
    }

    fn greatest_message(&self) -> Answer<Option<MessageId>> {
        self.read(State::greatest_message)
    }
}

#[cfg(test)]
mod tests;
