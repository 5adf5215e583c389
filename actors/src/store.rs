//! The `Store` trait: what the engine asks of whatever keeps its documents, and the written contract of it.
//!
//! # Contract
//! - **Atomic**: each call takes effect whole or not at all; an `Err` leaves nothing behind, except
//!   [`StoreError::Unknown`], which says that this cannot be told.
//! - **Durable**: an `Ok` of a write survives the death of the process.
//! - **Ordered**: a write takes its place when the method is *called*, not when its answer is awaited: two writes of
//!   one document take effect in the order of their calls. A read that is called after a write was answered sees it.
//! - **Repeatable**: a [`Once`] key that was seen before from that user gives the first result and writes nothing.
//!   Keys are a user's, not a project's: one that made a task in another project is refused.
//! - **Lenient**: a stored document that breaks a rule of today is read as it is, and never makes a list fail.
//!
//! Everything that is decided by a store atomically with its write (versions, places on the board, the last owner) is
//! an outcome, not an error. One suite, `store::contract`, holds every implementation to this.

mod change;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod elsewhere;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
mod types;

use collabflow_protocol::{
    error::ClientError,
    id::{ChannelId, MessageId, ProjectId, TaskId, UserId, WorkspaceId},
    model::{Channel, Project, ProjectDraft, ProjectPatch, Task, User, UserPatch, Workspace},
    time::Timestamp,
};
use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};

use crate::id::NodeId;
pub use change::{
    MemberStep, Moved, apply_move, apply_patch, apply_project_patch, apply_user_patch, is_stale,
    member_step, new_message, new_task, newly_assigned, remember_claims,
};
pub use elsewhere::{Elsewhere, Seen, Watched};
pub use types::*;

/// The answer to a call: to be awaited, or not; the call has its place in the order of writes already.
pub type Answer<T> = BoxFuture<'static, Result<T, StoreError>>;

/// Why a store could not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It is away, full or overloaded; nothing was written. Worth another try later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The connection broke after the write was sent: it may have taken effect.
    #[error("the outcome of the write is unknown: {0}")]
    Unknown(String),
    /// A fault of ours or of the data; another try will not help.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// What a client is told of it.
    #[must_use]
    pub fn for_client(&self) -> ClientError {
        match self {
            Self::Unavailable(_) | Self::Unknown(_) => ClientError::unavailable(),
            Self::Failed(_) => ClientError::internal(),
        }
    }
}

/// Where documents are kept. See the module's head for what holds for every method.
///
/// Emails are passed in lower case, and found whatever the case they were claimed in.
pub trait Store: Send + Sync + 'static {
    /// Whether the store can answer just now.
    fn ping(&self) -> Answer<()>;

    /// Adds an account; `None` where its email has one already.
    fn register(&self, account: NewAccount) -> Answer<Option<User>>;
    /// The account that owns an email in any case, with its password's hash; of several, the one stored as it is given.
    fn account(&self, email: String) -> Answer<Option<Account>>;
    /// Puts a new hash in the place of an account's old one, and says whether it did: another one than `old` stays.
    fn replace_hash(&self, user: UserId, old: String, new: String) -> Answer<bool>;
    /// A user, from the accounts or from remembered claims.
    fn user(&self, id: UserId) -> Answer<Option<User>>;
    /// The account that owns the email, else a user known from claims with it.
    fn user_by_email(&self, email: String) -> Answer<Option<User>>;
    /// Remembers a user from its token's claims, unless it has an account. Known claims are brought up to date, but one
    /// that is missing (an empty name, no email) takes nothing away, and a name that the user gave itself stays. Called
    /// at each connect: claims that say nothing new write nothing.
    fn remember(&self, user: User) -> Answer<()>;
    /// Changes what a user says of itself, account or not; `None` where there is no such user.
    fn update_user(&self, id: UserId, patch: UserPatch, now: Timestamp) -> Answer<Option<User>>;

    /// Makes a workspace with its first member, the owner.
    fn create_workspace(
        &self,
        id: WorkspaceId,
        name: String,
        owner: UserId,
        now: Timestamp,
    ) -> Answer<Workspace>;
    /// The workspaces that a user is a member of, oldest first.
    fn workspaces_of(&self, user: UserId) -> Answer<Vec<Workspace>>;
    /// A workspace.
    fn workspace(&self, id: WorkspaceId) -> Answer<Option<Workspace>>;
    /// Renames a workspace.
    fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: String,
        now: Timestamp,
    ) -> Answer<Option<Workspace>>;
    /// Deletes a workspace and everything in it; what that was is the answer.
    fn delete_workspace(&self, id: WorkspaceId) -> Answer<Option<Deleted>>;

    /// Makes a project with its first member, the creator as owner; `None` where its workspace is not there.
    fn create_project(
        &self,
        id: ProjectId,
        draft: ProjectDraft,
        creator: UserId,
        now: Timestamp,
    ) -> Answer<Option<Project>>;
    /// The projects that a user is a member of, oldest first, of one workspace or of all.
    fn projects_of(&self, user: UserId, workspace: Option<WorkspaceId>) -> Answer<Vec<Project>>;
    /// A project.
    fn project(&self, id: ProjectId) -> Answer<Option<Project>>;
    /// Changes a project; the answer has it before and after. A patch that changes nothing writes nothing.
    fn update_project(
        &self,
        id: ProjectId,
        patch: ProjectPatch,
        now: Timestamp,
    ) -> Answer<Option<(Project, Project)>>;
    /// Deletes a project and everything in it; what that was is the answer.
    fn delete_project(&self, id: ProjectId) -> Answer<Option<Deleted>>;

    /// Adds, changes or removes one membership of a workspace or project. Removing one of a workspace removes that
    /// user's memberships of the workspace's projects too, or nothing.
    fn change_member(
        &self,
        of: Membered,
        change: MemberChange,
        now: Timestamp,
    ) -> Answer<MemberOutcome>;
    /// Who may be in a room, and as what; `None` where there is no such thing.
    fn membership(&self, of: Access) -> Answer<Option<Membership>>;

    /// A project's tasks, newest first (by creation, then id).
    fn tasks(&self, project: ProjectId, query: TaskQuery) -> Answer<TaskPage>;
    /// A task.
    fn task(&self, id: TaskId) -> Answer<Option<Task>>;
    /// A task with its index in its column.
    fn placed_task(&self, id: TaskId) -> Answer<Option<(Task, u64)>>;
    /// A task that somebody announces in a project, and what of it another program has changed at most a minute ago without anybody
    /// having been told: that is claimed by this call, and no other, on whichever node, is given it again. In a store
    /// that nobody else writes, there is no such thing. A claim takes its place among the writes.
    fn announced(
        &self,
        _project: ProjectId,
        id: TaskId,
        _claim: Claim,
        _now: Timestamp,
    ) -> Answer<Announced> {
        self.placed_task(id).map_ok(Announced::known).boxed()
    }
    /// Adds a task at the top of its column. A repeat is answered first, even where the project is gone.
    fn create_task(&self, new: NewTask) -> Answer<CreateOutcome>;
    /// Changes a task's fields; a new status puts it at the end of that column.
    fn update_task(&self, change: TaskChange) -> Answer<TaskOutcome>;
    /// Moves a task to a place in a column.
    fn move_task(&self, change: TaskMove) -> Answer<TaskOutcome>;
    /// Deletes a task of a project; the answer is what it was.
    fn delete_task(&self, project: ProjectId, id: TaskId) -> Answer<Option<Task>>;

    /// Makes a channel; `None` where its project is not there.
    fn create_channel(
        &self,
        id: ChannelId,
        name: String,
        project: ProjectId,
        creator: UserId,
        now: Timestamp,
    ) -> Answer<Option<Channel>>;
    /// A channel document.
    fn channel(&self, id: ChannelId) -> Answer<Option<Channel>>;
    /// A project's channels, oldest first.
    fn channels(&self, project: ProjectId) -> Answer<Vec<Channel>>;
    /// Deletes a channel and its messages; the answer is what it was.
    fn delete_channel(&self, id: ChannelId) -> Answer<Option<Channel>>;

    /// Stores a message. Ids are the caller's, ascending in each channel.
    fn post_message(&self, message: NewMessage) -> Answer<PostOutcome>;
    /// The last `limit` messages before one, or before the end, oldest first; `None` where `before` is no message of
    /// the channel.
    fn messages(
        &self,
        channel: ChannelId,
        limit: u32,
        before: Option<MessageId>,
    ) -> Answer<Option<MessagePage>>;
    /// The greatest id of all messages: ids that are made from now on are to be greater.
    fn greatest_message(&self) -> Answer<Option<MessageId>>;

    /// Keeps the mark of a node that cannot reach the others, in place of the one before, or takes it away. A store that
    /// no nodes share need not keep any.
    fn mark_cut_off(&self, _node: NodeId, _at: Option<Timestamp>) -> Answer<()> {
        std::future::ready(Ok(())).boxed()
    }
    /// All such marks; one that is older than an hour may be missing.
    fn cut_off(&self) -> Answer<Vec<(NodeId, Timestamp)>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }
}
