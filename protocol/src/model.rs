//! The documents that clients see, and what they may write.
//!
//! Two kinds of types: documents as they are shown (references populated), which are lenient, since a stored document
//! is shown as it is; and drafts and patches, which exist only once their values have passed every rule of today.

mod channel;
mod extra;
mod member;
mod position;
mod project;
mod task;
mod task_input;
mod user;
mod workspace;

pub use channel::{Channel, ChannelDraft, Message, MessageDraft, Sender};
pub use extra::Extra;
pub use member::{Member, MemberDraft, MemberKey, Role};
pub use position::Position;
pub use project::{Project, ProjectDraft, ProjectPatch, ProjectUpdates};
pub use task::{ChangedTask, Label, Priority, Status, Subtask, Task, TaskField, TaskUpdates};
pub use task_input::{SubtaskDraft, TaskDraft, TaskPatch};
pub use user::{Credentials, Registration, User, UserBrief, UserPatch};
pub use workspace::{Workspace, WorkspaceDraft};
