//! What requests carry, as clients write it. Nothing is read by these types: the documents' own readers forgive more.

use collabflow_protocol::{
    id::{ProjectId, SubtaskId, UserId, WorkspaceId},
    model::{Label, Role},
    time::Timestamp,
};
use utoipa::ToSchema;

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(ToSchema)]
        #[schema(rename_all = "camelCase")]
        #[allow(dead_code)] // It is described, not made.
        pub(super) struct $name { $($(#[$attr])* $field: $type,)* }
    )*};
}

bodies! {
    /// A new account.
    RegistrationBody {
        #[schema(min_length = 1, max_length = 100)]
        name: String,
        #[schema(max_length = 254)]
        email: String,
        #[schema(min_length = 8, max_length = 128)]
        password: String,
    }
    /// An account's email and password.
    CredentialsBody {
        email: String,
        password: String,
    }
    /// What users say of themselves.
    UserBody {
        #[schema(min_length = 1, max_length = 100)]
        name: Option<String>,
        /// A URL; `null` or empty for none.
        #[schema(max_length = 2048)]
        avatar: Option<String>,
    }
    /// A workspace.
    WorkspaceBody {
        #[schema(min_length = 1, max_length = 100)]
        name: String,
    }
    /// Whom to add, by id or by email, and as what.
    MemberBody {
        user_id: Option<UserId>,
        #[schema(max_length = 254)]
        email: Option<String>,
        role: Option<Role>,
    }
    /// A new project.
    ProjectBody {
        #[schema(min_length = 1, max_length = 100)]
        name: String,
        #[schema(max_length = 2000)]
        description: Option<String>,
        workspace_id: WorkspaceId,
    }
    /// The changed fields of a project.
    ProjectPatchBody {
        #[schema(min_length = 1, max_length = 100)]
        name: Option<String>,
        #[schema(max_length = 2000)]
        description: Option<String>,
    }
    /// A step of a task; without an id it gets one.
    SubtaskBody {
        #[schema(rename = "_id")]
        id: Option<SubtaskId>,
        #[schema(min_length = 1, max_length = 200)]
        title: String,
        completed: Option<bool>,
    }
    /// A new task; `null` and an empty text mean none.
    TaskBody {
        #[schema(min_length = 1, max_length = 200)]
        title: String,
        project_id: ProjectId,
        #[schema(max_length = 20000)]
        description: Option<String>,
        status: Option<Column>,
        priority: Option<Weight>,
        assignee: Option<UserId>,
        due_date: Option<Timestamp>,
        #[schema(max_items = 50)]
        labels: Option<Vec<Label>>,
        #[schema(max_items = 200)]
        subtasks: Option<Vec<SubtaskBody>>,
    }
    /// The changed fields of a task; `null` and an empty text clear what can be cleared.
    TaskPatchBody {
        #[schema(min_length = 1, max_length = 200)]
        title: Option<String>,
        #[schema(max_length = 20000)]
        description: Option<String>,
        status: Option<Column>,
        priority: Option<Weight>,
        assignee: Option<UserId>,
        due_date: Option<Timestamp>,
        #[schema(max_items = 50)]
        labels: Option<Vec<Label>>,
        #[schema(max_items = 200)]
        subtasks: Option<Vec<SubtaskBody>>,
    }
    /// Where a task goes; without an index to the end.
    MoveBody {
        to_status: Column,
        new_index: Option<u64>,
        expected_version: Option<u64>,
    }
    /// A new channel.
    ChannelBody {
        #[schema(min_length = 1, max_length = 100)]
        name: String,
        project_id: ProjectId,
    }
    /// A message; a `clientId` seen before from this sender answers the first one.
    MessageBody {
        #[schema(min_length = 1, max_length = 4000)]
        content: String,
        #[schema(min_length = 1, max_length = 64)]
        client_id: Option<String>,
    }
}

/// The columns that a task may be put into.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[allow(dead_code)] // As above.
pub(super) enum Column {
    Todo,
    InProgress,
    Review,
    Done,
}

/// The priorities that a task may be given.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[allow(dead_code)] // As above.
pub(super) enum Weight {
    Low,
    Medium,
    High,
}
