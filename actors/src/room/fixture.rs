//! Users and sessions for the tests of a room's parts.

use std::sync::Arc;

use collabflow_protocol::{
    id::{ObjectId, UserId},
    model::UserBrief,
};

/// User number `n`.
pub(crate) fn user(n: u8) -> Arc<UserBrief> {
    let id = UserId(ObjectId::from_bytes([n; 12]));
    Arc::new(UserBrief {
        id,
        name: format!("User {n}"),
        email: Some(format!("user{n}@example.com")),
    })
}
