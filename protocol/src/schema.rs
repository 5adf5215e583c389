//! How the small types of the documents are described in OpenAPI; the documents themselves derive it.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

use crate::{
    error::ErrorCode,
    id::{ChannelId, MessageId, ProjectId, SubtaskId, TaskId, UserId, WorkspaceId},
    model::{Position, Priority, Status},
    time::Timestamp,
};

/// A text, and what it says.
fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
}

macro_rules! described {
    ($($name:ident: $schema:expr;)*) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }
        impl ToSchema for $name {}
    )*};
}

fn id() -> ObjectBuilder {
    text("An id of 24 hexadecimal characters").pattern(Some("^[0-9a-fA-F]{24}$"))
}

described! {
    UserId: id();
    WorkspaceId: id();
    ProjectId: id();
    TaskId: id();
    SubtaskId: id();
    ChannelId: id();
    MessageId: id();
    Timestamp: text("A time in UTC with milliseconds")
        .pattern(Some("^[+-]?[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$"));
    Position: text("A place in a column: columns are ordered by (position, _id)");
    Status: text("todo, in-progress, review or done; or what another program stored");
    Priority: text("low, medium or high; or what another program stored");
    ErrorCode: text("What went wrong, for programs")
        .enum_values(Some(ErrorCode::ALL.map(ErrorCode::as_str)));
}
