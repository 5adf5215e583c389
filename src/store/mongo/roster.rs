//! The list `members` of workspaces, projects and, where another program made it, of channels: `[{user, role}]`.

use std::collections::HashMap;

use collabflow_protocol::{
    id::UserId,
    model::{Member, Role},
};
use mongodb::bson::{Bson, Document, doc, oid::ObjectId};

use super::{
    fields::{Fields, as_id, oid},
    people::People,
};

/// Its name in each document.
pub(super) const MEMBERS: &str = "members";

/// The members in the order they came, each once with the role that may most; an entry that names nobody is none. A
/// workspace without a list is its owner's.
pub(super) fn listed(group: &Document) -> Vec<(UserId, Role)> {
    let list = group.list(MEMBERS);
    if list.is_empty() {
        return group
            .id("owner")
            .map(|owner| (owner, Role::Owner))
            .into_iter()
            .collect();
    }
    let mut members = Vec::with_capacity(list.len());
    let mut places = HashMap::new();
    for (user, role) in list
        .iter()
        .filter_map(|entry| Some((user_of(entry)?, role_of(entry))))
    {
        let place = *places.entry(user).or_insert(members.len());
        match members.get_mut(place) {
            Some((_, best)) => *best = role.max(*best),
            None => members.push((user, role)),
        }
    }
    members
}

/// Each member's role.
pub(super) fn roles(group: &Document) -> HashMap<UserId, Role> {
    listed(group).into_iter().collect()
}

/// The members as they are shown.
pub(super) fn shown(group: &Document, people: &People) -> Vec<Member> {
    listed(group)
        .into_iter()
        .map(|(user, role)| Member {
            user: people.get(Some(user)),
            role,
        })
        .collect()
}

/// A filter for what a user is a member of.
pub(super) fn has_member(user: UserId) -> Document {
    doc! { "members.user": oid(user) }
}

/// A list with the user in this role; everything else in it stays.
pub(super) fn with(group: &Document, user: UserId, role: Role) -> Vec<Bson> {
    let mut list = stored(group);
    let mut is_there = false;
    for entry in list.iter_mut().filter(|entry| user_of(entry) == Some(user)) {
        is_there = true;
        match entry {
            Bson::Document(entry) => drop(entry.insert("role", role.as_str())),
            entry => *entry = new_entry(user, role),
        }
    }
    if !is_there {
        list.push(new_entry(user, role));
    }
    list
}

/// A list without the user.
pub(super) fn without(group: &Document, user: UserId) -> Vec<Bson> {
    let mut list = stored(group);
    list.retain(|entry| user_of(entry) != Some(user));
    list
}

/// The list as it is stored, or as it would be.
fn stored(group: &Document) -> Vec<Bson> {
    let list = group.list(MEMBERS);
    if list.is_empty() {
        return listed(group)
            .into_iter()
            .map(|(user, role)| new_entry(user, role))
            .collect();
    }
    list.to_vec()
}

/// Mongoose gives each entry an id.
pub(super) fn new_entry(user: UserId, role: Role) -> Bson {
    doc! { "user": oid(user), "role": role.as_str(), "_id": ObjectId::new() }.into()
}

fn user_of(entry: &Bson) -> Option<UserId> {
    match entry {
        Bson::Document(entry) => entry.id("user"),
        other => as_id(other),
    }
}

/// A role that is missing or not known counts as `member`.
fn role_of(entry: &Bson) -> Role {
    let role = entry.as_document().and_then(|entry| entry.text("role"));
    role.and_then(Role::named).unwrap_or(Role::Member)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes([n; 12])
    }

    fn user(n: u8) -> UserId {
        as_id(&id(n).into()).expect("an id")
    }

    #[test]
    fn odd_entries_are_members_where_they_name_somebody() {
        let group = doc! { "members": [
            { "user": id(1) }, { "user": id(2), "role": "superhero" }, { "role": "owner" }, id(3), "x", null,
            { "user": id(4), "role": "viewer" }, { "user": id(4), "role": "admin" },
        ] };
        let roles = roles(&group);
        assert_eq!(roles.len(), 4);
        assert_eq!(roles[&user(3)], Role::Member);
        assert_eq!(roles[&user(4)], Role::Admin);
        assert!(super::roles(&doc! { "members": "none" }).is_empty());
    }

    #[test]
    fn a_workspace_without_a_list_is_its_owners() {
        let group = doc! { "owner": id(1) };
        assert_eq!(listed(&group), [(user(1), Role::Owner)]);
        assert_eq!(with(&group, user(2), Role::Viewer).len(), 2);
        let left = doc! { "owner": id(1), "members": [{ "user": id(2), "role": "owner" }] };
        assert_eq!(listed(&left), [(user(2), Role::Owner)]);
    }

    #[test]
    fn a_change_of_role_keeps_what_else_an_entry_has() {
        let group = doc! { "members": [{ "user": id(1), "role": "member", "since": 2024 }, { "odd": true }] };
        let list = with(&group, user(1), Role::Admin);
        let expected = doc! { "user": id(1), "role": "admin", "since": 2024 };
        assert_eq!(list, [expected.into(), doc! { "odd": true }.into()]);
        assert_eq!(without(&group, user(1)), [doc! { "odd": true }.into()]);
    }
}
