//! MongoDB as the store: the collections and documents that Mongoose made, so that the Node backend and this server can
//! run on one database.
//!
//! Reads go to the pool as they come. A write takes its place in a lane of its own ([`lane`]), begins from what is
//! stored, and is tried until its outcome is known ([`operation`]). Other programs write at any time: each write names in
//! its filter what it has read, and touches only the fields that it changes. The documents have a module each; how they
//! are read leniently is in [`fields`].

mod announced;
mod channel;
mod column;
mod connect;
mod cut_off;
mod db;
mod elsewhere;
mod error;
mod extra;
mod fields;
mod gone;
mod index;
mod intent;
mod lane;
mod leave;
mod marks;
mod member;
mod message;
mod operation;
mod people;
mod project;
mod removal;
mod roster;
mod task;
mod task_change;
mod task_list;
mod task_new;
mod together;
mod user;
mod watch;
mod workspace;

use std::{
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use collabflow_actors::id::NodeId;
use collabflow_actors::store::{
    Access, Account, Announced, Answer, Claim, CreateOutcome, Deleted, MemberChange, MemberOutcome,
    Membered, Membership, MessagePage, NewAccount, NewMessage, NewTask, PostOutcome, Store,
    StoreError, TaskChange, TaskMove, TaskOutcome, TaskPage, TaskQuery,
};
use collabflow_protocol::{
    id::{ChannelId, MessageId, ObjectId, ProjectId, TaskId, UserId, WorkspaceId},
    model::{Channel, Project, ProjectDraft, ProjectPatch, Task, User, UserPatch, Workspace},
    time::Timestamp,
};
use futures_util::FutureExt;
use metrics::Histogram;
use tokio::{
    task::JoinHandle,
    time::{self, Instant},
};

use crate::telemetry::metrics::{STORE_READ, STORE_WRITE};
pub use connect::{ConnectError, Options as MongoOptions};
use db::Db;
use lane::Lanes;
pub use watch::Watch;

/// How long the end waits for the server.
const CLOSES_WITHIN: Duration = Duration::from_secs(1);

/// Documents in MongoDB.
pub struct MongoStore {
    db: Db,
    lanes: Lanes,
    /// Ends what was interrupted.
    finishing: JoinHandle<()>,
}

impl MongoStore {
    /// Finds the server, makes the indexes that are missing, and ends what a crash had interrupted.
    ///
    /// # Errors
    /// When the address makes no sense, or nobody answers within `connect_timeout`.
    pub async fn connect(options: &MongoOptions) -> Result<Self, ConnectError> {
        let connected = connect::connect(options).await?;
        let db = Db::new(connected, options.timeout);
        index::ensure(&db).await?;
        intent::finish_all(&db).await?;
        let finishing = tokio::spawn(intent::keep_finishing(db.clone()));
        Ok(Self {
            db,
            lanes: Lanes::default(),
            finishing,
        })
    }

    /// Watches what other programs change from now on.
    ///
    /// # Errors
    /// Where the deployment has no change streams.
    pub async fn watch(&self) -> Result<Watch, ConnectError> {
        if !self.db.is_replicated() {
            return Err(ConnectError::NoChangeStreams);
        }
        Ok(Watch::begin(&self.db).await?)
    }

    /// Lets go of the connections.
    pub async fn close(&self) {
        self.finishing.abort();
        // A server that is frozen is not waited for.
        let shutdown = self.db.client().clone().shutdown().immediate(true);
        if time::timeout(CLOSES_WITHIN, shutdown).await.is_err() {
            tracing::debug!("MongoDB does not answer at the end");
        }
    }

    fn read<T: Send + 'static, F: Future<Output = Result<T, StoreError>> + Send + 'static>(
        &self,
        work: impl FnOnce(Db) -> F,
    ) -> Answer<T> {
        timed(&STORE_READ, work(self.db.clone())).boxed()
    }

    /// A write that takes effect after those of its lane that were called before.
    fn write<T: Send + 'static, F: Future<Output = Result<T, StoreError>> + Send + 'static>(
        &self,
        lane: ObjectId,
        work: impl FnOnce(Db, Instant) -> F,
    ) -> Answer<T> {
        self.write_in(&[lane], work)
    }

    /// A write that takes effect after those of each of its lanes that were called before.
    fn write_in<T: Send + 'static, F: Future<Output = Result<T, StoreError>> + Send + 'static>(
        &self,
        lanes: &[ObjectId],
        work: impl FnOnce(Db, Instant) -> F,
    ) -> Answer<T> {
        let deadline = self.db.deadline();
        let work = work(self.db.clone(), deadline);
        let lanes: Vec<_> = lanes.iter().map(ObjectId::bytes).collect();
        timed(&STORE_WRITE, self.lanes.run(&lanes, deadline, work)).boxed()
    }

    /// A write that needs no order: beside all others.
    fn beside<T: Send + 'static, F: Future<Output = Result<T, StoreError>> + Send + 'static>(
        &self,
        work: impl FnOnce(Db, Instant) -> F,
    ) -> Answer<T> {
        let work = work(self.db.clone(), self.db.deadline());
        timed(&STORE_WRITE, lane::alone(work)).boxed()
    }
}

/// Measures a call from now to its answer.
fn timed<T>(
    histogram: &'static Histogram,
    answer: impl Future<Output = T>,
) -> impl Future<Output = T> {
    let since = std::time::Instant::now();
    answer.inspect(move |_| histogram.record(since.elapsed()))
}

/// Accounts with one email take turns, also where the index that forbids the second could not be made.
fn lane_of(email: &str) -> ObjectId {
    let mut hasher = DefaultHasher::new();
    email.hash(&mut hasher);
    let mut lane = [0; 12];
    lane[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    ObjectId::from_bytes(lane)
}

impl Store for MongoStore {
    fn ping(&self) -> Answer<()> {
        self.read(move |db| async move { db.ping().await })
    }

    fn register(&self, account: NewAccount) -> Answer<Option<User>> {
        self.write(lane_of(&account.email), move |db, deadline| async move {
            user::register(&db, deadline, account).await
        })
    }

    fn account(&self, email: String) -> Answer<Option<Account>> {
        self.read(move |db| async move { user::account(&db, &email).await })
    }

    fn user(&self, id: UserId) -> Answer<Option<User>> {
        self.read(move |db| async move { user::find(&db, id).await })
    }

    fn user_by_email(&self, email: String) -> Answer<Option<User>> {
        self.read(move |db| async move { user::by_email(&db, &email).await })
    }

    fn replace_hash(&self, user: UserId, old: String, new: String) -> Answer<bool> {
        self.write(user.0, move |db, deadline| async move {
            user::replace_hash(&db, deadline, user, &old, &new).await
        })
    }

    fn remember(&self, user: User) -> Answer<()> {
        self.write(user.id.0, move |db, deadline| async move {
            user::remember(&db, deadline, user).await
        })
    }

    fn update_user(&self, id: UserId, patch: UserPatch, now: Timestamp) -> Answer<Option<User>> {
        self.write(id.0, move |db, deadline| async move {
            user::update(&db, deadline, id, patch, now).await
        })
    }

    fn create_workspace(
        &self,
        id: WorkspaceId,
        name: String,
        owner: UserId,
        now: Timestamp,
    ) -> Answer<Workspace> {
        self.write(id.0, move |db, deadline| async move {
            workspace::create(&db, deadline, id, &name, owner, now).await
        })
    }

    fn workspaces_of(&self, user: UserId) -> Answer<Vec<Workspace>> {
        self.read(move |db| async move { workspace::of_user(&db, user).await })
    }

    fn workspace(&self, id: WorkspaceId) -> Answer<Option<Workspace>> {
        self.read(move |db| async move { workspace::find(&db, id).await })
    }

    fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: String,
        now: Timestamp,
    ) -> Answer<Option<Workspace>> {
        self.write(id.0, move |db, deadline| async move {
            workspace::rename(&db, deadline, id, &name, now).await
        })
    }

    fn delete_workspace(&self, id: WorkspaceId) -> Answer<Option<Deleted>> {
        self.write(id.0, move |db, deadline| async move {
            removal::workspace(&db, deadline, id).await
        })
    }

    fn create_project(
        &self,
        id: ProjectId,
        draft: ProjectDraft,
        creator: UserId,
        now: Timestamp,
    ) -> Answer<Option<Project>> {
        self.write(draft.workspace.0, move |db, deadline| async move {
            project::create(&db, deadline, id, &draft, creator, now).await
        })
    }

    fn projects_of(&self, user: UserId, workspace: Option<WorkspaceId>) -> Answer<Vec<Project>> {
        self.read(move |db| async move { project::of_user(&db, user, workspace).await })
    }

    fn project(&self, id: ProjectId) -> Answer<Option<Project>> {
        self.read(move |db| async move { project::find(&db, id).await })
    }

    fn update_project(
        &self,
        id: ProjectId,
        patch: ProjectPatch,
        now: Timestamp,
    ) -> Answer<Option<(Project, Project)>> {
        self.write(id.0, move |db, deadline| async move {
            project::update(&db, deadline, id, patch, now).await
        })
    }

    fn delete_project(&self, id: ProjectId) -> Answer<Option<Deleted>> {
        self.write(id.0, move |db, deadline| async move {
            removal::project(&db, deadline, id).await
        })
    }

    fn change_member(
        &self,
        of: Membered,
        change: MemberChange,
        now: Timestamp,
    ) -> Answer<MemberOutcome> {
        self.write(of.id(), move |db, deadline| async move {
            member::change(&db, deadline, of, change, now).await
        })
    }

    fn membership(&self, of: Access) -> Answer<Option<Membership>> {
        self.read(move |db| async move { member::membership(&db, of).await })
    }

    fn tasks(&self, project: ProjectId, query: TaskQuery) -> Answer<TaskPage> {
        self.read(move |db| async move { task_list::page(&db, project, &query).await })
    }

    fn task(&self, id: TaskId) -> Answer<Option<Task>> {
        self.read(move |db| async move { task::find(&db, id).await })
    }

    fn placed_task(&self, id: TaskId) -> Answer<Option<(Task, u64)>> {
        self.read(move |db| async move { task_list::placed(&db, id).await })
    }

    fn announced(
        &self,
        project: ProjectId,
        id: TaskId,
        claim: Claim,
        now: Timestamp,
    ) -> Answer<Announced> {
        self.write(id.0, move |db, deadline| async move {
            announced::claim(&db, deadline, (project, id), &claim, now).await
        })
    }

    fn create_task(&self, new: NewTask) -> Answer<CreateOutcome> {
        // Its place depends on the others of its column; its own changes come after it.
        self.write_in(&[new.project.0, new.id.0], move |db, deadline| async move {
            task_new::create(&db, deadline, &new).await
        })
    }

    fn update_task(&self, change: TaskChange) -> Answer<TaskOutcome> {
        let lanes = if change.patch.status.is_some() {
            vec![change.project.0, change.id.0]
        } else {
            vec![change.id.0]
        };
        self.write_in(&lanes, move |db, deadline| async move {
            task_change::update(&db, deadline, &change).await
        })
    }

    fn move_task(&self, change: TaskMove) -> Answer<TaskOutcome> {
        self.write_in(
            &[change.project.0, change.id.0],
            move |db, deadline| async move { task_change::relocate(&db, deadline, &change).await },
        )
    }

    fn delete_task(&self, project: ProjectId, id: TaskId) -> Answer<Option<Task>> {
        self.write(id.0, move |db, deadline| async move {
            task_change::delete(&db, deadline, project, id).await
        })
    }

    fn create_channel(
        &self,
        id: ChannelId,
        name: String,
        project: ProjectId,
        creator: UserId,
        now: Timestamp,
    ) -> Answer<Option<Channel>> {
        self.write(project.0, move |db, deadline| async move {
            channel::create(&db, deadline, id, &name, project, creator, now).await
        })
    }

    fn channel(&self, id: ChannelId) -> Answer<Option<Channel>> {
        self.read(move |db| async move { channel::find(&db, id).await })
    }

    fn channels(&self, project: ProjectId) -> Answer<Vec<Channel>> {
        self.read(move |db| async move { channel::of_project(&db, project).await })
    }

    fn delete_channel(&self, id: ChannelId) -> Answer<Option<Channel>> {
        self.write(id.0, move |db, deadline| async move {
            removal::channel(&db, deadline, id).await
        })
    }

    fn post_message(&self, message: NewMessage) -> Answer<PostOutcome> {
        let (sender, has_key) = (message.sender, message.draft.client_id.is_some());
        let post = |db: Db, deadline| async move { message::post(&db, deadline, message).await };
        // Of two with one key, the first that was called is the one that is stored.
        if has_key {
            self.write(sender.0, post)
        } else {
            self.beside(post)
        }
    }

    fn messages(
        &self,
        channel: ChannelId,
        limit: u32,
        before: Option<MessageId>,
    ) -> Answer<Option<MessagePage>> {
        self.read(move |db| async move { message::page(&db, channel, limit, before).await })
    }

    fn greatest_message(&self) -> Answer<Option<MessageId>> {
        self.read(move |db| async move { message::greatest(&db).await })
    }

    fn mark_cut_off(&self, node: NodeId, at: Option<Timestamp>) -> Answer<()> {
        self.read(move |db| async move { cut_off::mark(&db, node, at).await })
    }

    fn cut_off(&self) -> Answer<Vec<(NodeId, Timestamp)>> {
        self.read(move |db| async move { cut_off::all(&db).await })
    }
}
