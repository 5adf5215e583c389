//! Users: those with an account, and those remembered from a token's claims, who own no email.

use collabflow_actors::store::{Account, NewAccount, apply_user_patch, remember_claims};
use collabflow_protocol::{
    id::UserId,
    model::{Extra, User, UserPatch},
};
use rusqlite::{Connection, Result, named_params, params};

use super::row::{Columns, exists, one, run};

macro_rules! select_user {
    ($rest:literal) => {
        concat!("SELECT u.id, u.name, u.email, u.avatar FROM ", $rest)
    };
}

fn read(columns: &mut Columns<'_>) -> Result<User> {
    Ok(User {
        id: columns.id()?,
        name: columns.value()?,
        email: columns.value()?,
        avatar: columns.value()?,
        extra: Extra::default(),
    })
}

pub(super) fn find(db: &Connection, id: UserId) -> Result<Option<User>> {
    let sql = select_user!("users u WHERE u.id = ?1");
    one(db, sql, [id.0.bytes()], read)
}

pub(super) fn by_email(db: &Connection, email: &str) -> Result<Option<User>> {
    let sql = select_user!("accounts a JOIN users u ON u.id = a.user WHERE a.email = ?1");
    if let Some(owner) = one(db, sql, [email], read)? {
        return Ok(Some(owner));
    }
    let sql = select_user!("users u WHERE u.email_key = ?1 ORDER BY u.id LIMIT 1");
    one(db, sql, [email], read)
}

pub(super) fn account(db: &Connection, email: &str) -> Result<Option<Account>> {
    let sql = "SELECT u.id, u.name, u.email, u.avatar, a.password_hash
        FROM accounts a JOIN users u ON u.id = a.user WHERE a.email = ?1";
    one(db, sql, [email.to_lowercase()], |columns| {
        Ok(Account {
            user: read(columns)?,
            password_hash: columns.value()?,
        })
    })
}

pub(super) fn register(db: &Connection, account: NewAccount) -> Result<Option<User>> {
    let NewAccount {
        id,
        name,
        email,
        password_hash,
        now,
    } = account;
    let user = User {
        id,
        name,
        email: Some(email.clone()),
        avatar: None,
        extra: Extra::default(),
    };
    let sql =
        "INSERT INTO accounts (email, user, password_hash, created_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (email) DO NOTHING";
    let params = params![email, id.0.bytes(), password_hash, now.millis()];
    if run(db, sql, params)? == 0 {
        return Ok(None);
    }
    put(db, &user, false)?;
    Ok(Some(user))
}

pub(super) fn replace_hash(db: &Connection, user: UserId, old: &str, new: &str) -> Result<bool> {
    let sql = "UPDATE accounts SET password_hash = ?3 WHERE user = ?1 AND password_hash = ?2";
    Ok(run(db, sql, params![user.0.bytes(), old, new])? > 0)
}

/// Every connection comes here: a known user costs a look and no write.
pub(super) fn remember(db: &Connection, claims: User) -> Result<()> {
    let id = claims.id.0.bytes();
    if exists(db, "SELECT 1 FROM accounts WHERE user = ?1", [id])? {
        return Ok(());
    }
    let known = find(db, claims.id)?;
    let renamed = exists(db, "SELECT 1 FROM users WHERE id = ?1 AND renamed", [id])?;
    match remember_claims(known.as_ref(), renamed, claims) {
        Some(user) => put(db, &user, renamed),
        None => Ok(()),
    }
}

pub(super) fn update(db: &Connection, id: UserId, patch: UserPatch) -> Result<Option<User>> {
    let Some(before) = find(db, id)? else {
        return Ok(None);
    };
    let renames = patch.name.is_some();
    let after = apply_user_patch(&before, patch);
    if after.is_some() || renames {
        put(db, after.as_ref().unwrap_or(&before), renames)?;
    }
    Ok(Some(after.unwrap_or(before)))
}

/// `renamed`: the user gave itself this name, and claims do not change it any more.
fn put(db: &Connection, user: &User, renamed: bool) -> Result<()> {
    let sql = "INSERT INTO users (id, name, email, email_key, avatar, renamed)
        VALUES (:id, :name, :email, :email_key, :avatar, :renamed)
        ON CONFLICT (id) DO UPDATE SET name = :name, email = :email, email_key = :email_key,
            avatar = :avatar, renamed = renamed OR :renamed";
    let params = named_params! {
        ":id": user.id.0.bytes(),
        ":name": user.name,
        ":email": user.email,
        ":email_key": user.email.as_ref().map(|email| email.to_lowercase()),
        ":avatar": user.avatar,
        ":renamed": renamed,
    };
    run(db, sql, params).map(drop)
}
