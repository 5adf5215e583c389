//! The people that documents name: accounts in `users`, and who is known from a token's claims alone.

use std::collections::{HashMap, HashSet};

use collabflow_actors::store::StoreError;
use collabflow_protocol::{
    id::UserId,
    model::{Extra, User},
};
use mongodb::bson::{Document, doc};

use super::{
    db::{Db, names},
    extra,
    fields::{Fields, oid},
};

/// What is shown of somebody in another document.
const SHOWN: [&str; 3] = ["name", "email", "avatar"];

/// Users by id; who is not there exists nowhere.
#[derive(Default)]
pub(super) struct People(HashMap<UserId, User>);

impl People {
    /// Looks all of them up, in two reads at the most.
    pub(super) async fn find(
        db: &Db,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<Self, StoreError> {
        let mut missing: HashSet<UserId> = ids.into_iter().collect();
        let mut found = HashMap::new();
        for collection in [names::USERS, names::PROFILES] {
            if missing.is_empty() {
                break;
            }
            let ids: Vec<_> = missing.iter().copied().map(oid).collect();
            let shown: Document = SHOWN
                .iter()
                .map(|name| ((*name).to_owned(), 1.into()))
                .collect();
            let users = db.collection(collection);
            let call = users.find(doc! { "_id": { "$in": ids } }).projection(shown);
            for user in db.list(call).await?.iter().filter_map(read) {
                missing.remove(&user.id);
                found.insert(user.id, user);
            }
        }
        Ok(Self(found))
    }

    /// Who this is, if anybody.
    pub(super) fn get(&self, id: Option<UserId>) -> Option<User> {
        self.0.get(&id?).cloned()
    }
}

/// A user as it sees itself, with the fields that only other programs know.
pub(super) fn read_own(document: &Document) -> Option<User> {
    const KNOWN: [&str; 9] = [
        "_id",
        "name",
        "email",
        "avatar",
        "password",
        "emailKey",
        "renamed",
        "createdAt",
        "updatedAt",
    ];
    Some(User {
        extra: extra::beside(document, &KNOWN),
        ..read(document)?
    })
}

/// A user as others see it.
pub(super) fn read(document: &Document) -> Option<User> {
    Some(User {
        id: document.id("_id")?,
        name: document.owned("name").unwrap_or_default(),
        email: document.owned("email"),
        avatar: document.owned("avatar"),
        extra: Extra::default(),
    })
}
