//! Users: accounts as Mongoose has them, and profiles of those who are known from a token's claims, who own no email.

use collabflow_actors::store::{
    Account, NewAccount, StoreError, apply_user_patch, remember_claims,
};
use collabflow_protocol::{
    id::UserId,
    model::{User, UserPatch},
    time::Timestamp,
};
use mongodb::{
    bson::{Bson, Document, doc},
    options::{Collation, CollationStrength},
};
use tokio::time::Instant;

use super::{
    db::{Db, names},
    fields::{Fields, date, oid},
    operation::{Found, Inserted, OURS, Operation, settle},
    people,
};

/// Emails are the same whatever their case: old ones may be stored in any.
pub(super) fn any_case() -> Collation {
    Collation::builder()
        .locale("en")
        .strength(CollationStrength::Secondary)
        .build()
}

pub(super) async fn find(db: &Db, id: UserId) -> Result<Option<User>, StoreError> {
    let stored = find_stored(db, id).await?;
    Ok(stored.as_ref().and_then(people::read_own))
}

async fn find_stored(db: &Db, id: UserId) -> Result<Option<Document>, StoreError> {
    for collection in [names::USERS, names::PROFILES] {
        if let Some(stored) = db.find(collection, doc! { "_id": oid(id) }).await? {
            return Ok(Some(stored));
        }
    }
    Ok(None)
}

/// What finds a text by an index that holds texts alone.
pub(super) fn text(text: &str) -> Document {
    doc! { "$eq": text, "$type": "string" }
}

/// Of several accounts that were made with one email in different cases, the one that is stored as it was asked for.
async fn owner_of(db: &Db, email: &str) -> Result<Option<Document>, StoreError> {
    let collection = db.collection(names::USERS);
    let call = collection
        .find(doc! { "email": text(email) })
        .collation(any_case())
        .sort(doc! { "_id": 1 })
        .limit(10);
    let mut found = db.list(call).await?;
    // To the collation some letters are the same that are not.
    let email_of = |user: &Document| user.text("email").map(str::to_lowercase);
    found.retain(|user| email_of(user) == Some(email.to_lowercase()));
    let exact = found
        .iter()
        .position(|user| user.text("email") == Some(email));
    Ok((!found.is_empty()).then(|| found.swap_remove(exact.unwrap_or(0))))
}

pub(super) async fn by_email(db: &Db, email: &str) -> Result<Option<User>, StoreError> {
    if let Some(owner) = owner_of(db, email).await? {
        return Ok(people::read_own(&owner));
    }
    let collection = db.collection(names::PROFILES);
    let call = collection
        .find_one(doc! { "emailKey": email })
        .sort(doc! { "_id": 1 });
    Ok(db.read(call).await?.as_ref().and_then(people::read_own))
}

pub(super) async fn account(db: &Db, email: &str) -> Result<Option<Account>, StoreError> {
    Ok(owner_of(db, email).await?.and_then(|stored| {
        Some(Account {
            user: people::read_own(&stored)?,
            password_hash: stored.owned("password").unwrap_or_default(),
        })
    }))
}

/// The unique index refuses a second account with the email; where it could not be made, the look before does.
pub(super) async fn register(
    db: &Db,
    deadline: Instant,
    account: NewAccount,
) -> Result<Option<User>, StoreError> {
    settle!(db, deadline, operation => {
        let document = doc! {
            "_id": oid(account.id),
            "name": &account.name,
            "email": &account.email,
            "password": &account.password_hash,
            "createdAt": date(account.now),
            "updatedAt": date(account.now),
            "__v": 0,
            OURS: operation.mark(),
        };
        let owner = owner_of(db, &account.email).await?;
        if owner.is_some_and(|owner| owner.id("_id") != Some(account.id)) {
            return Ok(Some(None));
        }
        Ok(Some(match operation.insert(names::USERS, &document).await? {
            Inserted::Yes => people::read_own(&document),
            Inserted::Taken => None,
        }))
    })
}

/// Mongoose's copy of the user has the old hash: only a change of the password itself would bring it back.
pub(super) async fn replace_hash(
    db: &Db,
    deadline: Instant,
    id: UserId,
    old: &str,
    new: &str,
) -> Result<bool, StoreError> {
    settle!(db, deadline, operation => {
        let filter = doc! { "_id": oid(id), "password": old };
        match operation.read(names::USERS, filter).await? {
            // A try whose answer was lost may have been the one.
            Found::Missing => Ok(Some(operation.has_tried())),
            Found::Done(..) => Ok(Some(true)),
            Found::Fresh(before) => {
                let update = doc! { "$set": { "password": new } };
                let after = operation.update(names::USERS, &before, &["password"], update).await?;
                Ok(after.map(|_| true))
            }
        }
    })
}

/// Every connection comes here: a known user costs a look and no write.
pub(super) async fn remember(db: &Db, deadline: Instant, claims: User) -> Result<(), StoreError> {
    let id = claims.id;
    settle!(db, deadline, operation => {
        if db.find(names::USERS, doc! { "_id": oid(id) }).await?.is_some() {
            return Ok(Some(()));
        }
        let known = db.find(names::PROFILES, doc! { "_id": oid(id) }).await?;
        let renamed = known.as_ref().and_then(|known| known.flag("renamed"));
        let user = known.as_ref().and_then(people::read_own);
        let user = remember_claims(user.as_ref(), renamed.unwrap_or(false), claims.clone());
        if let Some(user) = user {
            put_profile(db, operation, &user, false).await?;
        }
        Ok(Some(()))
    })
}

/// `renames`: the user gives itself this name, and claims do not change it any more.
async fn put_profile(
    db: &Db,
    operation: &mut Operation,
    user: &User,
    renames: bool,
) -> Result<(), StoreError> {
    let key = user.email.as_ref().map(|email| email.to_lowercase());
    let mut set = doc! {
        "name": &user.name, "email": &user.email, "emailKey": key, "avatar": &user.avatar,
    };
    if renames {
        set.insert("renamed", true);
    }
    let profiles = db.collection(names::PROFILES);
    let call = profiles
        .update_one(doc! { "_id": oid(user.id) }, doc! { "$set": set })
        .upsert(true);
    operation.write(call).await.map(drop)
}

pub(super) async fn update(
    db: &Db,
    deadline: Instant,
    id: UserId,
    patch: UserPatch,
    now: Timestamp,
) -> Result<Option<User>, StoreError> {
    settle!(db, deadline, operation => {
        match operation.read(names::USERS, doc! { "_id": oid(id) }).await? {
            Found::Missing => update_profile(db, operation, id, &patch).await.map(Some),
            Found::Done(_, after) => Ok(Some(people::read_own(&after))),
            Found::Fresh(before) => {
                let known = people::read_own(&before);
                let Some(user) = known
                    .as_ref()
                    .and_then(|known| apply_user_patch(known, patch.clone()))
                else {
                    return Ok(Some(known));
                };
                let set = doc! {
                    "name": &user.name,
                    "updatedAt": date(now.max(before.changed_at())),
                };
                let update = with_maybe(set, "avatar", user.avatar.clone().map(Bson::String));
                let guards = ["name", "avatar"];
                let after = operation.update(names::USERS, &before, &guards, update).await?;
                Ok(after.map(|after| people::read_own(&after)))
            }
        }
    })
}

async fn update_profile(
    db: &Db,
    operation: &mut Operation,
    id: UserId,
    patch: &UserPatch,
) -> Result<Option<User>, StoreError> {
    let stored = db.find(names::PROFILES, doc! { "_id": oid(id) }).await?;
    let Some(before) = stored.as_ref().and_then(people::read_own) else {
        return Ok(None);
    };
    let renames = patch.name.is_some();
    let after = apply_user_patch(&before, patch.clone());
    if after.is_some() || renames {
        put_profile(db, operation, after.as_ref().unwrap_or(&before), renames).await?;
    }
    Ok(Some(after.unwrap_or(before)))
}

/// An update that sets these fields, and one more or takes it away.
pub(super) fn with_maybe(mut set: Document, name: &str, value: Option<Bson>) -> Document {
    match value {
        Some(value) => {
            set.insert(name, value);
            doc! { "$set": set }
        }
        None => doc! { "$set": set, "$unset": { name: "" } },
    }
}
