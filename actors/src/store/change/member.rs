//! What a change of memberships comes to; the last owner stays.

use std::collections::HashMap;

use collabflow_protocol::{id::UserId, model::Role};

use crate::store::MemberChange;

/// What a store has to do for a change of memberships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberStep {
    /// Add the user, or change its role to this one.
    Put(UserId, Role),
    /// Remove the user.
    Remove(UserId),
    /// Nothing: it is so already.
    Nothing,
    /// Refuse: the user to remove is no member.
    NotMember,
    /// Refuse: nobody would own it any more.
    LastOwner,
}

/// Decides what a change comes to where these are the members.
#[must_use]
pub fn member_step(members: &HashMap<UserId, Role>, change: MemberChange) -> MemberStep {
    let (user, wanted) = match change {
        MemberChange::Put(user, role) => (user, Some(role)),
        MemberChange::Remove(user) => (user, None),
    };
    let next = match (members.get(&user), wanted) {
        (None, None) => return MemberStep::NotMember,
        (None, Some(role)) => return MemberStep::Put(user, role.unwrap_or(Role::Member)),
        (Some(_), Some(None)) => return MemberStep::Nothing,
        (Some(role), Some(Some(next))) if *role == next => return MemberStep::Nothing,
        (Some(_), Some(Some(next))) => Some(next),
        (Some(_), None) => None,
    };
    let is_last_owner = members[&user] == Role::Owner
        && !members
            .iter()
            .any(|(other, role)| *other != user && *role == Role::Owner);
    match next {
        _ if is_last_owner => MemberStep::LastOwner,
        Some(role) => MemberStep::Put(user, role),
        None => MemberStep::Remove(user),
    }
}
