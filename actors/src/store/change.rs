//! How documents change: the rules that every store applies inside its own atomic write.
//!
//! Each is a plain function from what is stored to what is to be stored, so that no two stores can differ in a rule.

mod member;
mod task;

use collabflow_protocol::{
    model::{Extra, Message, Project, ProjectPatch, User, UserPatch},
    time::Timestamp,
};

use super::NewMessage;

pub use member::{MemberStep, member_step};
pub use task::{Moved, apply_move, apply_patch, is_stale, new_task, newly_assigned};

/// A user after what it says of itself, or `None` where that changes nothing.
#[must_use]
pub fn apply_user_patch(before: &User, patch: UserPatch) -> Option<User> {
    let mut after = before.clone();
    set(&mut after.name, patch.name);
    set(&mut after.avatar, patch.avatar);
    (after != *before).then_some(after)
}

/// A user without an account after its token's claims, or `None` where they say nothing new.
///
/// Claims tell name and email. One that is missing takes nothing away, and a name that the user gave itself (`renamed`)
/// stays.
#[must_use]
pub fn remember_claims(known: Option<&User>, renamed: bool, claims: User) -> Option<User> {
    let Some(known) = known else {
        return Some(User {
            avatar: None,
            extra: Extra::default(),
            ..claims
        });
    };
    let mut after = known.clone();
    if !renamed && !claims.name.is_empty() {
        after.name = claims.name;
    }
    if claims.email.is_some() {
        after.email = claims.email;
    }
    (after != *known).then_some(after)
}

/// A project after a patch, or `None` where that changes nothing.
#[must_use]
pub fn apply_project_patch(
    before: &Project,
    patch: ProjectPatch,
    now: Timestamp,
) -> Option<Project> {
    let mut after = before.clone();
    set(&mut after.name, patch.name);
    set(&mut after.description, patch.description);
    (after != *before).then(|| Project {
        updated_at: now.max(before.updated_at),
        ..after
    })
}

/// The message that a draft becomes; `sender` is populated.
#[must_use]
pub fn new_message(new: NewMessage, sender: Option<User>) -> Message {
    Message {
        id: new.id,
        channel: new.channel,
        sender: sender.map(User::populated),
        content: new.draft.content,
        client_id: new.draft.client_id,
        created_at: new.now,
        updated_at: new.now,
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

#[cfg(test)]
mod tests;
