//! Who somebody is: tokens, passwords, and the users behind them. Knows nothing of HTTP or Socket.IO.

mod password;
mod token;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use collabflow_actors::store::{Store, StoreError, remember_claims};
use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    id::UserId,
    model::{User, UserBrief},
    time::Timestamp,
};

use crate::config::{Config, MadeSecret, Secret};

pub use password::{Busy, Passwords, Scheme, is_upgradable};
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

    /// Who has this token. Names come from the store; who is not there is remembered from the claims. Where that cannot
    /// be written just now, the user is who it was, and the next request tries again.
    ///
    /// # Errors
    /// Without a token, with a bad one, or when the store cannot be read.
    pub async fn identify(&self, token: Option<&str>) -> Result<Identity, AuthError> {
        let claims = self.verify(token)?;
        let expires_at = claims.expires_at;
        let claimed = User::from(claims);
        let known = self.store.user(claimed.id).await?;
        let user = match self.remember(&claimed, known.as_ref()).await {
            Ok(true) => self.store.user(claimed.id).await?,
            Ok(false) => known,
            Err(error) => {
                tracing::warn!(user = %claimed.id, %error, "a token's claims cannot be remembered");
                known
            }
        };
        let user = user.unwrap_or(claimed);
        Ok(Identity { user, expires_at })
    }

    /// Who wants to begin a session: what it shows of its user, and how long its token lives.
    ///
    /// # Errors
    /// As [`Self::identify`], in the words of the contract.
    pub async fn admit(&self, token: Option<&str>) -> Result<Admission, ClientError> {
        let Identity { user, expires_at } = match self.identify(token).await {
            // A stock client does not come back from a refusal: one that has a valid token is let in by its claims.
            Err(AuthError::Store(StoreError::Unavailable(reason))) => {
                tracing::warn!(%reason, "the store cannot say who connects: taken from the token");
                let claims = self.verify(token)?;
                let expires_at = claims.expires_at;
                let user = claims.into();
                Identity { user, expires_at }
            }
            identity => identity?,
        };
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

    /// Whether the store was told something. Claims that say nothing new are kept from it: they need no writer.
    async fn remember(&self, claimed: &User, known: Option<&User>) -> Result<bool, StoreError> {
        let is_told = self.lock().get(&claimed.id) == Some(claimed);
        if is_told || remember_claims(known, false, claimed.clone()).is_none() {
            return Ok(false);
        }
        self.store.remember(claimed.clone()).await?;
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(claimed.id, claimed.clone());
        Ok(true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UserId, User>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use collabflow_actors::store::memory::{Calls, MemoryStore};
    use collabflow_protocol::model::Extra;

    use super::*;

    /// A store that is locked or read-only is still read.
    #[tokio::test]
    async fn who_cannot_be_remembered_is_let_in() {
        let store = Arc::new(MemoryStore::new());
        let tokens = || Tokens::new(&Secret::new("a secret"), &Config::defaults().auth);
        let auth = || Auth::new(tokens(), Arc::clone(&store) as _);
        let user = |name: &str| User {
            id: "64b7f3a2c9e77a0012345678"
                .parse()
                .map(UserId)
                .expect("an id"),
            name: name.into(),
            email: None,
            avatar: None,
            extra: Extra::default(),
        };
        let error = StoreError::Unavailable("locked".into());
        store.fail_with(Calls::Writes, error.clone());
        let identify = async |name: &str| {
            let auth = auth();
            let token = auth.issue(&user(name));
            auth.identify(Some(&token))
                .await
                .map(|identity| identity.user)
        };
        assert_eq!(identify("Ada").await.expect("the claims"), user("Ada"));
        store.mend();
        assert_eq!(identify("Ada").await.expect("remembered"), user("Ada"));
        let writes = store.writes();
        store.fail_with(Calls::Writes, error);
        assert_eq!(identify("Ada").await.expect("known"), user("Ada"));
        assert_eq!(
            store.writes(),
            writes,
            "claims that say nothing new need no writer"
        );
        assert_eq!(identify("Eve").await.expect("known"), user("Ada"));
    }
}
