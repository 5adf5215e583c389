//! `/auth`: accounts and what users say of themselves.

use collabflow_actors::{id::now, store::NewAccount};
use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    id::UserId,
    model::{Credentials, Registration, User, UserPatch},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, Rest, answer, request::Request};
use crate::auth::{Busy, is_upgradable};

/// What somebody gets who has shown a right password.
#[derive(Serialize, ToSchema)]
pub(super) struct Welcome<'a> {
    token: String,
    user: &'a User,
}

pub(super) async fn register(request: Request) -> Answer {
    let rest = &request.rest;
    if !rest.config.auth.registration {
        return Err(ClientError::forbidden("Registration is closed").into());
    }
    let Registration {
        name,
        email,
        password,
    } = Registration::parse(&request.body, request.unknown())?;
    rest.sign_ins.register(request.address())?;
    let taken = || ClientError::new(ErrorCode::Conflict, "This email already has an account");
    let store = rest.node.store();
    if store
        .account(email.clone())
        .await
        .map_err(ClientError::from)?
        .is_some()
    {
        return Err(taken().into());
    }
    let password_hash = rest.passwords.hash(password).await.map_err(busy)?;
    let account = NewAccount {
        id: rest.node.ids().next(),
        name,
        email,
        password_hash,
        now: now(),
    };
    let user = store
        .register(account)
        .await
        .map_err(ClientError::from)?
        .ok_or_else(taken)?;
    Ok(answer::created(&welcome(rest, &user)))
}

pub(super) async fn login(request: Request) -> Answer {
    let rest = &request.rest;
    let Credentials { email, password } = Credentials::parse(&request.body, request.unknown())?;
    rest.sign_ins
        .log_in(request.address(), &email.to_lowercase())?;
    let account = rest
        .node
        .store()
        .account(email)
        .await
        .map_err(ClientError::from)?;
    let (user, hash) = account
        .map(|account| (account.user, account.password_hash))
        .unzip();
    let verified = rest.passwords.verify(password.clone(), hash.clone());
    let is_right = verified.await.map_err(busy)?;
    let Some((user, hash)) = user.zip(hash).filter(|_| is_right) else {
        return Err(ClientError::new(ErrorCode::Unauthorized, "Invalid email or password").into());
    };
    if rest.config.auth.upgrade_hashes && is_upgradable(&password, &hash) {
        upgrade_hash(rest, user.id, password, hash).await;
    }
    Ok(answer::ok(&welcome(rest, &user)))
}

/// The user is in already: where this fails, the next login tries again.
async fn upgrade_hash(rest: &Rest, user: UserId, password: String, old: String) {
    let new = match rest.passwords.hash(password).await {
        Ok(new) => new,
        Err(reason) => {
            tracing::info!(%user, %reason, "a bcrypt hash was not replaced");
            return;
        }
    };
    match rest.node.store().replace_hash(user, old, new).await {
        Ok(true) => tracing::debug!(%user, "a bcrypt hash was replaced by an argon2id one"),
        // Another login did it, or the password was changed.
        Ok(false) => {}
        Err(reason) => tracing::warn!(%user, %reason, "a bcrypt hash was not replaced"),
    }
}

pub(super) async fn me(_: Request, user: User) -> Answer {
    Ok(answer::ok(&user))
}

pub(super) async fn update_me(request: Request, user: User) -> Answer {
    let patch = UserPatch::parse(&request.body, request.unknown())?;
    let node = &request.rest.node;
    let updated = node.store().update_user(user.id, patch, now()).await;
    let updated = updated
        .map_err(ClientError::from)?
        .ok_or_else(|| ClientError::not_found("User not found"))?;
    node.user_changed((&updated).into());
    Ok(answer::ok(&updated))
}

fn welcome<'a>(rest: &Rest, user: &'a User) -> Welcome<'a> {
    Welcome {
        token: rest.auth.issue(user),
        user,
    }
}

fn busy(_: Busy) -> ClientError {
    ClientError::unavailable()
}
