//! Who somebody is: tokens, passwords, and the users behind them. Knows nothing of HTTP or Socket.IO.

mod password;
mod token;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use collabflow_actors::store::{Store, StoreError};
use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    id::UserId,
    model::{User, UserBrief},
    time::Timestamp,
};

use crate::config::{Config, MadeSecret, Secret};

pub use password::{Busy, Passwords};
pub use token::{Claims, Tokens};

/// Claims that were remembered lately; more than these are forgotten all at once, which only costs the store a look.
const REMEMBERED_MAX: usize = 100_000;

/// The secret of the tokens: the configured one, else the one that is kept in the data folder. The log says what
/// should be known of it.
///
/// # Errors
/// When the data folder cannot be read or written.
pub fn secret(config: &Config) -> anyhow::Result<Secret> {
    if let Some(secret) = &config.auth.secret {
        if secret.is_weak() {
            tracing::warn!("JWT_SECRET is shorter than 32 bytes: it could be guessed");
        }
        return Ok(secret.clone());
    }
    let made = MadeSecret::keep_in(&config.data.dir).with_context(|| {
        format!(
            "cannot keep a token secret in {}",
            config.data.dir.display()
        )
    })?;
    let path = made.path.display();
    if made.is_new {
        tracing::info!(%path, "JWT_SECRET is not set: made a secret of this server's own");
    } else {
        tracing::info!(%path, "JWT_SECRET is not set: using the secret that was made for this server");
    }
    Ok(made.secret)
}

/// Knows users by their tokens.
pub struct Auth {
    tokens: Tokens,
    store: Arc<dyn Store>,
    /// What the store was told of users by this process, so that it is not told again with each request.
    remembered: Mutex<HashMap<UserId, User>>,
}

/// Somebody who has proven who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub user: User,
    /// When the token ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// Somebody who may begin a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// What the session shows of its user.
    pub user: UserBrief,
    /// When the token ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// Why somebody is not let in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuthError {
    /// There is no token.
    #[error("authentication required")]
    Missing,
    /// The token is not one of ours, or its time is over.
    #[error("invalid or expired token")]
    Invalid,
    /// The store could not say who it is.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AuthError> for ClientError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Missing => Self::new(ErrorCode::Unauthorized, "Authentication required"),
            AuthError::Invalid => Self::new(ErrorCode::Unauthorized, "Invalid or expired token"),
            AuthError::Store(error) => error.into(),
        }
    }
}

impl Auth {
    /// Over this store.
    #[must_use]
    pub fn new(tokens: Tokens, store: Arc<dyn Store>) -> Self {
        Self {
            tokens,
            store,
            remembered: Mutex::default(),
        }
    }

    /// Who has this token. Names come from the store; who is not there is remembered from the claims.
    ///
    /// # Errors
    /// Without a token, with a bad one, or when the store fails.
    pub async fn identify(&self, token: Option<&str>) -> Result<Identity, AuthError> {
        let claims = self.verify(token)?;
        let expires_at = claims.expires_at;
        let claimed = User::from(claims);
        self.remember(&claimed).await?;
        let user = self.store.user(claimed.id).await?.unwrap_or(claimed);
        Ok(Identity { user, expires_at })
    }

    /// Who wants to begin a session: what it shows of its user, and how long its token lives.
    ///
    /// # Errors
    /// As [`Self::identify`], in the words of the contract.
    pub async fn admit(&self, token: Option<&str>) -> Result<Admission, ClientError> {
        let Identity { user, expires_at } = self.identify(token).await?;
        Ok(Admission {
            user: user.into(),
            expires_at,
        })
    }

    /// When the fresh token ends, if it does, by which this user's session is to go on.
    ///
    /// # Errors
    /// `unauthorized` where there is none, it is a bad one, or somebody else's.
    pub fn renew(
        &self,
        token: Option<&str>,
        user: UserId,
    ) -> Result<Option<Timestamp>, ClientError> {
        let claims = self.verify(token)?;
        if claims.user_id != user {
            let message = "The token is another user's";
            return Err(ClientError::new(ErrorCode::Unauthorized, message));
        }
        Ok(claims.expires_at)
    }

    fn verify(&self, token: Option<&str>) -> Result<Claims, AuthError> {
        let token = token
            .filter(|token| !token.is_empty())
            .ok_or(AuthError::Missing)?;
        self.tokens.verify(token).ok_or(AuthError::Invalid)
    }

    /// A new token for this user.
    #[must_use]
    pub fn issue(&self, user: &User) -> String {
        self.tokens.issue(user)
    }

    async fn remember(&self, claimed: &User) -> Result<(), StoreError> {
        let is_known = self.lock().get(&claimed.id) == Some(claimed);
        if is_known {
            return Ok(());
        }
        self.store.remember(claimed.clone()).await?;
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(claimed.id, claimed.clone());
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UserId, User>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
