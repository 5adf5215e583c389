//! What is stored. References are kept as ids and populated when a document is shown.

use std::collections::{BTreeMap, HashMap};

use collabflow_protocol::{
    id::{ChannelId, MessageId, ObjectId, ProjectId, TaskId, UserId, WorkspaceId},
    model::{
        Channel, Member, Message, Position, Priority, Project, Role, Status, Task, User, Workspace,
    },
    time::Timestamp,
};

use crate::store::{Once, StoreError, contract::Odd};

/// Everything that is stored.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) users: BTreeMap<UserId, StoredUser>,
    /// By email: whose, and the password's hash.
    pub(super) accounts: HashMap<String, (UserId, String)>,
    pub(super) workspaces: BTreeMap<WorkspaceId, Workspace>,
    pub(super) projects: BTreeMap<ProjectId, By<Project>>,
    pub(super) channels: BTreeMap<ChannelId, By<Channel>>,
    /// Of workspaces, projects and channels, in the order they came.
    pub(super) members: HashMap<ObjectId, Vec<(UserId, Role)>>,
    pub(super) tasks: BTreeMap<TaskId, StoredTask>,
    pub(super) messages: BTreeMap<(ChannelId, MessageId), By<Message>>,
    /// When a key was used, and the task as it was made.
    pub(super) once: HashMap<Once, (Timestamp, Task)>,
}

/// A user, and whether its name is its own.
#[derive(Debug)]
pub(super) struct StoredUser {
    pub(super) user: User,
    pub(super) renamed: bool,
}

/// A document, and who made it.
#[derive(Debug)]
pub(super) struct By<D> {
    pub(super) document: D,
    pub(super) by: UserId,
}

/// A task, and who it refers to.
#[derive(Debug)]
pub(super) struct StoredTask {
    pub(super) task: Task,
    pub(super) assignee: Option<UserId>,
    pub(super) creator: UserId,
}

/// The answer to a document whose id is taken: nobody makes an id twice.
pub(super) fn taken() -> StoreError {
    StoreError::Failed("there is a document of that id".into())
}

impl State {
    pub(super) fn user(&self, id: UserId) -> Option<User> {
        self.users.get(&id).map(|stored| stored.user.clone())
    }

    pub(super) fn roles(&self, parent: ObjectId) -> HashMap<UserId, Role> {
        self.members_of(parent).iter().copied().collect()
    }

    pub(super) fn is_member(&self, parent: ObjectId, user: UserId) -> bool {
        self.members_of(parent).iter().any(|(id, _)| *id == user)
    }

    fn members_of(&self, parent: ObjectId) -> &[(UserId, Role)] {
        self.members.get(&parent).map_or(&[], Vec::as_slice)
    }

    pub(super) fn shown_members(&self, parent: ObjectId) -> Vec<Member> {
        self.members_of(parent)
            .iter()
            .map(|(user, role)| Member {
                user: self.user(*user),
                role: *role,
            })
            .collect()
    }

    pub(super) fn shown_workspace(&self, workspace: &Workspace) -> Workspace {
        Workspace {
            members: self.shown_members(workspace.id.0),
            ..workspace.clone()
        }
    }

    pub(super) fn shown_project(&self, stored: &By<Project>) -> Project {
        Project {
            members: self.shown_members(stored.document.id.0),
            created_by: self.user(stored.by).map(Into::into),
            ..stored.document.clone()
        }
    }

    pub(super) fn shown_channel(&self, stored: &By<Channel>) -> Channel {
        Channel {
            created_by: self.user(stored.by).map(Into::into),
            ..stored.document.clone()
        }
    }

    pub(super) fn shown_message(&self, stored: &By<Message>) -> Message {
        Message {
            sender: self.user(stored.by),
            ..stored.document.clone()
        }
    }

    pub(super) fn shown_task(&self, stored: &StoredTask) -> Task {
        Task {
            assignee: stored.assignee.and_then(|id| self.user(id)),
            created_by: self.user(stored.creator).map(Into::into),
            ..stored.task.clone()
        }
    }

    /// Puts in what no method would make.
    pub(super) fn plant(&mut self, odd: Odd) {
        match odd {
            Odd::Channel {
                document,
                by,
                members,
            } => {
                self.members.insert(document.id.0, members);
                self.channels.insert(document.id, By { document, by });
            }
            Odd::Words {
                task,
                status,
                priority,
            } => {
                if let Some(stored) = self.tasks.get_mut(&task) {
                    stored.task.status = Status::stored(&status);
                    stored.task.priority = Priority::stored(&priority);
                }
            }
            Odd::Position { task, position } => {
                if let Some(stored) = self.tasks.get_mut(&task) {
                    stored.task.position = Position::stored(position);
                }
            }
            Odd::Role { of, user, role } => {
                let role = role.as_deref().and_then(Role::named);
                self.members
                    .entry(of.id())
                    .or_default()
                    .push((user, role.unwrap_or(Role::Member)));
            }
        }
    }
}
