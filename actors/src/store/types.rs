//! What goes into a store's calls and what comes out of them.

use std::{collections::HashMap, time::Duration};

use collabflow_protocol::{
    id::{ChannelId, MessageId, ObjectId, ProjectId, SubtaskId, TaskId, UserId, WorkspaceId},
    model::{
        Message, MessageDraft, Project, Role, Status, Task, TaskDraft, TaskField, TaskPatch, User,
        Workspace,
    },
    time::Timestamp,
};

/// A new account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its id.
    pub id: UserId,
    /// 1–100 characters.
    pub name: String,
    /// Lower case.
    pub email: String,
    /// The password's hash, in PHC or bcrypt form.
    pub password_hash: String,
    /// When.
    pub now: Timestamp,
}

/// An account with its secret.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who.
    pub user: User,
    /// The password's hash, in PHC or bcrypt form.
    pub password_hash: String,
}

/// What has members of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Membered {
    /// A workspace.
    Workspace(WorkspaceId),
    /// A project.
    Project(ProjectId),
}

impl Membered {
    /// Its id, of whichever kind.
    #[must_use]
    pub const fn id(self) -> ObjectId {
        match self {
            Self::Workspace(id) => id.0,
            Self::Project(id) => id.0,
        }
    }
}

/// A change of one membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Adds the user; or gives a member this role. Without a role: `member` if new, else nothing changes.
    Put(UserId, Option<Role>),
    /// Removes the user.
    Remove(UserId),
}

/// What became of a change of memberships.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberOutcome {
    /// It is done, in this workspace.
    Workspace {
        /// As it is now.
        after: Box<Workspace>,
        /// The projects of the workspace that the user was removed from.
        left: Vec<ProjectId>,
    },
    /// It is done, in this project, as it is now.
    Project(Box<Project>),
    /// There is no such thing, or the user to remove is no member of it.
    NotFound,
    /// It would take away the last owner; of this project (id and name), if not of the thing itself.
    LastOwner(Option<(ProjectId, String)>),
}

/// What one may want to get into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A project.
    Project(ProjectId),
    /// A workspace.
    Workspace(WorkspaceId),
    /// A channel: its document's own members, else its project's, else its workspace's; without a document, the
    /// project or workspace that has this id.
    Channel(ChannelId),
}

/// Who may be in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Each member's role.
    pub roles: HashMap<UserId, Role>,
    /// The workspace that the thing belongs to, or is.
    pub workspace: Option<WorkspaceId>,
}

/// Everything that was deleted together with a workspace or a project. Their own channels, which have no documents, are
/// not named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// The projects.
    pub projects: Vec<ProjectId>,
    /// The channels, with the project that each belonged to.
    pub channels: Vec<(ChannelId, Option<ProjectId>)>,
}

/// Which tasks of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Of this column alone.
    pub status: Option<Status>,
    /// Of this assignee alone.
    pub assignee: Option<UserId>,
    /// At most so many; `None` is all.
    pub limit: Option<u32>,
    /// After this one in the order of the list.
    pub after: Option<TaskCursor>,
}

/// A place in the newest-first list; it stays valid when the task there is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskCursor {
    /// The task's creation.
    pub created_at: Timestamp,
    /// Its id.
    pub id: TaskId,
}

/// A part of a task list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskPage {
    /// Newest first.
    pub tasks: Vec<Task>,
    /// Where to go on, where there is more.
    pub next: Option<TaskCursor>,
}

/// How long a [`Once`] key is known.
pub const ONCE_WINDOW: Duration = Duration::from_hours(24);

/// A key by which a repeated request is known, for [`ONCE_WINDOW`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Once {
    /// Whose.
    pub user: UserId,
    /// Which kind of key: a REST header's and an event's `clientId` do not meet.
    pub kind: OnceKind,
    /// 1–64 characters.
    pub key: String,
}

/// Where a [`Once`] key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnceKind {
    /// The header `Idempotency-Key`.
    Header,
    /// The `clientId` of `task:create`.
    ClientId,
}

/// A new task.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// Where it belongs.
    pub project: ProjectId,
    /// Its fields.
    pub draft: TaskDraft,
    /// Ids for its subtasks, as many as the draft has.
    pub subtask_ids: Vec<SubtaskId>,
    /// Who makes it.
    pub creator: UserId,
    /// By what a repeat is known.
    pub once: Option<Once>,
    /// When.
    pub now: Timestamp,
    /// For the tail of its position.
    pub random: u32,
}

/// What became of a new task.
#[derive(Clone, Debug, PartialEq)]
pub enum CreateOutcome {
    /// It is stored.
    Created(Box<Task>),
    /// Its key was seen before: this is the task of then, as it is now, or as it was made where it is gone.
    Repeated(Box<Task>),
    /// Its key was seen before, for a task of another project: who may see this one need not see that.
    KeyTaken,
    /// There is no such project.
    NoProject,
    /// The assignee is no member of the project.
    NotMember,
}

/// A change of a task's fields.
#[derive(Clone, Debug)]
pub struct TaskChange {
    /// The project it must be in.
    pub project: ProjectId,
    /// Which task.
    pub id: TaskId,
    /// What to change.
    pub patch: TaskPatch,
    /// Ids for subtasks that have none, as many as the patch has subtasks.
    pub subtask_ids: Vec<ObjectId>,
    /// The version it must have.
    pub expected: Option<u64>,
    /// Where it changes nothing, it may announce what another program has stored: see [`TaskOutcome::News`].
    pub announces: bool,
    /// When.
    pub now: Timestamp,
    /// For the tail of its position.
    pub random: u32,
}

/// A task's way to another place.
#[derive(Clone, Debug)]
pub struct TaskMove {
    /// The project it must be in.
    pub project: ProjectId,
    /// Which task.
    pub id: TaskId,
    /// The column it goes to.
    pub to: Status,
    /// Its index there, counted without itself; past the end, or `None`, is the end.
    pub index: Option<u64>,
    /// The version it must have.
    pub expected: Option<u64>,
    /// As in [`TaskChange`].
    pub announces: bool,
    /// When.
    pub now: Timestamp,
    /// For the tail of its position.
    pub random: u32,
}

/// What became of a change of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOutcome {
    /// It is stored.
    Changed {
        /// As it was.
        before: Box<Task>,
        /// As it is now.
        after: Box<Task>,
        /// Its index in its column now.
        index: u64,
        /// The version that it had by the last change that was made here: another program's has none of its own, and
        /// shows as a later one in `before`.
        base: u64,
    },
    /// It was so already; nothing was written.
    Unchanged(Box<Task>),
    /// It was so already, by another program and for at most a minute, and nobody has been told: that is claimed by this
    /// call, as [`super::Store::announced`] does.
    News {
        /// As it is now.
        task: Box<Task>,
        /// Its index in its column.
        index: u64,
        /// The fields that are to be told now.
        news: Vec<TaskField>,
    },
    /// It has another version than the expected one.
    Conflict(Box<Task>),
    /// There is no such task in that project.
    NotFound,
    /// The new assignee is no member of the project.
    NotMember,
}

/// What an announcement says has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// These fields of a task.
    Fields(Vec<TaskField>),
    /// Nobody says so, but the database: whatever has changed, however long ago.
    Seen,
    /// The task is gone.
    Deleted,
}

/// What is stored of an announced task.
#[derive(Clone, Debug, PartialEq)]
pub enum Announced {
    /// It is there.
    Stored {
        /// As it is now.
        task: Box<Task>,
        /// Its index in its column.
        index: u64,
        /// The fields that are to be told now: another program has changed them.
        news: Vec<TaskField>,
    },
    /// It is not there.
    Gone {
        /// Whether that is to be told now.
        is_news: bool,
    },
}

impl Announced {
    /// What a store has that nobody else writes.
    #[must_use]
    pub fn known(found: Option<(Task, u64)>) -> Self {
        match found {
            Some((task, index)) => Self::Stored {
                task: Box::new(task),
                index,
                news: Vec::new(),
            },
            None => Self::Gone { is_news: false },
        }
    }
}

/// A new message.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its id.
    pub id: MessageId,
    /// Where.
    pub channel: ChannelId,
    /// Who.
    pub sender: UserId,
    /// What. A `client_id` seen before from this sender in this channel makes it a repeat.
    pub draft: MessageDraft,
    /// When.
    pub now: Timestamp,
}

/// What became of a new message.
#[derive(Clone, Debug, PartialEq)]
pub enum PostOutcome {
    /// It is stored.
    Posted(Box<Message>),
    /// Its `client_id` was seen before: this is the message of then.
    Repeated(Box<Message>),
}

/// A part of a channel's history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessagePage {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
}
