//! The embedded store: one SQLite file in WAL mode.
//!
//! One thread writes and commits what waits in groups ([`writer`]); a few threads read, and never wait for it
//! ([`reader`]). A call puts its work into the one queue or the other before it returns, which is what gives writes
//! their order. The documents have a module each: plain functions on a connection, inside a transaction of the caller.

mod channel;
mod error;
mod member;
mod message;
mod once;
mod open;
mod project;
mod queue;
mod reader;
mod row;
mod schema;
mod task;
mod task_list;
#[cfg(test)]
mod tests;
mod user;
mod workspace;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use collabflow_actors::store::{
    Access, Account, Announced, Answer, Claim, CreateOutcome, Deleted, MemberChange, MemberOutcome,
    Membered, Membership, MessagePage, NewAccount, NewMessage, NewTask, PostOutcome, Store,
    TaskChange, TaskMove, TaskOutcome, TaskPage, TaskQuery,
};
use collabflow_protocol::{
    id::{ChannelId, MessageId, ProjectId, TaskId, UserId, WorkspaceId},
    model::{Channel, Project, ProjectDraft, ProjectPatch, Task, User, UserPatch, Workspace},
    time::Timestamp,
};
use rusqlite::Connection;

pub use open::{OpenError, Options};
use queue::Queue;

/// Documents in one SQLite file. Dropping it, as closing it, first writes what waits.
pub struct SqliteStore {
    writer: Arc<Queue<writer::Job>>,
    readers: Arc<Queue<reader::Job>>,
    /// Counted up by the writer.
    commits: Arc<AtomicU64>,
}

impl SqliteStore {
    /// Opens the file, and makes it and its folder where they are missing.
    ///
    /// # Errors
    /// When it cannot be written, is damaged, or is another program's or a newer version's.
    pub fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let (write, read) = open::connections(path, options)?;
        let commits = Arc::<AtomicU64>::default();
        Ok(Self {
            writer: Arc::new(writer::start(write, options.queue, Arc::clone(&commits))?),
            readers: Arc::new(reader::start(read, options.queue)?),
            commits,
        })
    }

    /// Writes what waits, and lets go of the file. Calls from now on are answered `Unavailable`.
    pub async fn close(&self) {
        let (writer, readers) = (Arc::clone(&self.writer), Arc::clone(&self.readers));
        let closing = tokio::task::spawn_blocking(move || {
            readers.close();
            writer.close();
        });
        if let Err(error) = closing.await {
            tracing::error!(%error, "closing the store failed");
        }
    }

    /// Commits so far: each is one sync, whatever the number of writes in it.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Breaks the thread that writes by a panic, as a fault in it would.
    #[cfg(test)]
    pub(crate) fn break_writer(&self) {
        let panic = Box::new(|_: Result<&Connection, _>| panic!("a test breaks the writer"));
        self.writer.send(panic).expect("there is room");
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        writer::submit(&self.writer, work)
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        reader::submit(&self.readers, work)
    }
}

impl Store for SqliteStore {
    fn ping(&self) -> Answer<()> {
        self.write(|db| db.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(())))
    }

    fn register(&self, account: NewAccount) -> Answer<Option<User>> {
        self.write(move |db| user::register(db, account))
    }

    fn account(&self, email: String) -> Answer<Option<Account>> {
        self.read(move |db| user::account(db, &email))
    }

    fn replace_hash(&self, user: UserId, old: String, new: String) -> Answer<bool> {
        self.write(move |db| user::replace_hash(db, user, &old, &new))
    }

    fn user(&self, id: UserId) -> Answer<Option<User>> {
        self.read(move |db| user::find(db, id))
    }

    fn user_by_email(&self, email: String) -> Answer<Option<User>> {
        self.read(move |db| user::by_email(db, &email))
    }

    fn remember(&self, user: User) -> Answer<()> {
        self.write(move |db| user::remember(db, user))
    }

    fn update_user(&self, id: UserId, patch: UserPatch, _: Timestamp) -> Answer<Option<User>> {
        self.write(move |db| user::update(db, id, patch))
    }

    fn create_workspace(
        &self,
        id: WorkspaceId,
        name: String,
        owner: UserId,
        now: Timestamp,
    ) -> Answer<Workspace> {
        self.write(move |db| workspace::create(db, id, &name, owner, now))
    }

    fn workspaces_of(&self, user: UserId) -> Answer<Vec<Workspace>> {
        self.read(move |db| workspace::of_user(db, user))
    }

    fn workspace(&self, id: WorkspaceId) -> Answer<Option<Workspace>> {
        self.read(move |db| workspace::find(db, id))
    }

    fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: String,
        now: Timestamp,
    ) -> Answer<Option<Workspace>> {
        self.write(move |db| workspace::rename(db, id, &name, now))
    }

    fn delete_workspace(&self, id: WorkspaceId) -> Answer<Option<Deleted>> {
        self.write(move |db| workspace::delete(db, id))
    }

    fn create_project(
        &self,
        id: ProjectId,
        draft: ProjectDraft,
        creator: UserId,
        now: Timestamp,
    ) -> Answer<Option<Project>> {
        self.write(move |db| project::create(db, id, &draft, creator, now))
    }

    fn projects_of(&self, user: UserId, workspace: Option<WorkspaceId>) -> Answer<Vec<Project>> {
        self.read(move |db| project::of_user(db, user, workspace))
    }

    fn project(&self, id: ProjectId) -> Answer<Option<Project>> {
        self.read(move |db| project::find(db, id))
    }

    fn update_project(
        &self,
        id: ProjectId,
        patch: ProjectPatch,
        now: Timestamp,
    ) -> Answer<Option<(Project, Project)>> {
        self.write(move |db| project::update(db, id, patch, now))
    }

    fn delete_project(&self, id: ProjectId) -> Answer<Option<Deleted>> {
        self.write(move |db| project::delete(db, id))
    }

    fn change_member(
        &self,
        of: Membered,
        change: MemberChange,
        now: Timestamp,
    ) -> Answer<MemberOutcome> {
        self.write(move |db| member::change(db, of, change, now))
    }

    fn membership(&self, of: Access) -> Answer<Option<Membership>> {
        self.read(move |db| member::membership(db, of))
    }

    fn tasks(&self, project: ProjectId, query: TaskQuery) -> Answer<TaskPage> {
        self.read(move |db| task_list::page(db, project, &query))
    }

    fn task(&self, id: TaskId) -> Answer<Option<Task>> {
        self.read(move |db| task::find(db, id))
    }

    fn placed_task(&self, id: TaskId) -> Answer<Option<(Task, u64)>> {
        self.read(move |db| task_list::placed(db, id))
    }

    fn announced(
        &self,
        _project: ProjectId,
        id: TaskId,
        _claim: Claim,
        _now: Timestamp,
    ) -> Answer<Announced> {
        self.write(move |db| task_list::placed(db, id).map(Announced::known))
    }

    fn create_task(&self, new: NewTask) -> Answer<CreateOutcome> {
        self.write(move |db| task::create(db, new))
    }

    fn update_task(&self, change: TaskChange) -> Answer<TaskOutcome> {
        self.write(move |db| task::update(db, &change))
    }

    fn move_task(&self, change: TaskMove) -> Answer<TaskOutcome> {
        self.write(move |db| task::relocate(db, &change))
    }

    fn delete_task(&self, project: ProjectId, id: TaskId) -> Answer<Option<Task>> {
        self.write(move |db| task::delete(db, project, id))
    }

    fn create_channel(
        &self,
        id: ChannelId,
        name: String,
        project: ProjectId,
        creator: UserId,
        now: Timestamp,
    ) -> Answer<Option<Channel>> {
        self.write(move |db| channel::create(db, id, &name, project, creator, now))
    }

    fn channel(&self, id: ChannelId) -> Answer<Option<Channel>> {
        self.read(move |db| channel::find(db, id))
    }

    fn channels(&self, project: ProjectId) -> Answer<Vec<Channel>> {
        self.read(move |db| channel::of_project(db, project))
    }

    fn delete_channel(&self, id: ChannelId) -> Answer<Option<Channel>> {
        self.write(move |db| channel::delete(db, id))
    }

    fn post_message(&self, message: NewMessage) -> Answer<PostOutcome> {
        self.write(move |db| message::post(db, message))
    }

    fn messages(
        &self,
        channel: ChannelId,
        limit: u32,
        before: Option<MessageId>,
    ) -> Answer<Option<MessagePage>> {
        self.read(move |db| message::page(db, channel, limit, before))
    }

    fn greatest_message(&self) -> Answer<Option<MessageId>> {
        self.read(message::greatest)
    }
}
