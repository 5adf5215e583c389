//! Passwords: argon2id hashes, and bcrypt ones that the Node backend can read too.
//!
//! A hash costs tens of milliseconds (and argon2id 19 MiB) on purpose, so only a few are worked on at once, on threads of their
//! own; who has to wait too long is told to come back. To look up an email that has no account costs the same.

use std::{sync::Arc, thread, time::Duration};

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::Error};
use tokio::{sync::Semaphore, task, time};

const WAIT_MAX: Duration = Duration::from_secs(5);
/// What the Node backend gives bcrypt.
const BCRYPT_COST: u32 = 10;
/// A hash of a greater cost would keep everybody else from logging in for minutes, or for days.
const BCRYPT_COST_MAX: u32 = 16;
/// Of a longer password, bcrypt never sees the rest.
const BCRYPT_BYTES_MAX: usize = 72;

/// Which hashes are made for new passwords. Those of every kind are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The better one.
    Argon2id,
    /// The one that the Node backend reads.
    Bcrypt,
}

impl Scheme {
    /// The hash of no password, with the parameters of those that are made: to refuse it takes as long.
    const fn nobody(self) -> &'static str {
        match self {
            Self::Argon2id => {
                "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGF0IGFsbCE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            }
            Self::Bcrypt => "$2b$10$.....................................................",
        }
    }

    fn hash(self, password: &str) -> String {
        match self {
            Self::Argon2id => Argon2::default()
                .hash_password(password.as_bytes())
                .expect("any text can be hashed, and the system has randomness")
                .to_string(),
            Self::Bcrypt => bcrypt::hash(password, BCRYPT_COST)
                .expect("the cost is allowed, and the system has randomness"),
        }
    }
}

/// Hashes and verifies, a few at once.
pub struct Passwords {
    scheme: Scheme,
    places: Arc<Semaphore>,
}

/// Too many are at it: come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

impl Passwords {
    /// That makes hashes of this kind.
    #[must_use]
    pub fn new(scheme: Scheme) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        // Half of them, so that a flood of logins leaves room for everybody else.
        let places = Arc::new(Semaphore::new((cores / 2).max(1)));
        Self { scheme, places }
    }

    /// A new hash.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn hash(&self, password: String) -> Result<String, Busy> {
        let scheme = self.scheme;
        self.work(move || scheme.hash(&password)).await
    }

    /// Whether a password is the one of this hash. Without a hash, or with one that cannot be read, it takes as long as
    /// a usual one does, and is not.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Busy> {
        let scheme = self.scheme;
        self.work(move || {
            let is_right = hash.and_then(|hash| verify(&password, &hash));
            is_right.unwrap_or_else(|| {
                verify(&password, scheme.nobody());
                false
            })
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = time::timeout(WAIT_MAX, Arc::clone(&self.places).acquire_owned()).await;
        let place = place
            .map_err(|_| Busy)?
            .expect("the semaphore is never closed");
        let working = task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        Ok(working
            .await
            .expect("hashing does not panic, and is never aborted"))
    }
}

/// Whether a hash is a bcrypt one that can give way to an argon2id one of the password that was just found right. It
/// cannot where bcrypt did not see all of the password: a slip in the rest would be made the rule.
#[must_use]
pub fn is_upgradable(password: &str, hash: &str) -> bool {
    is_bcrypt(hash) && password.len() <= BCRYPT_BYTES_MAX
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|prefix| hash.starts_with(prefix))
}

fn is_too_costly(hash: &str) -> bool {
    let parts = hash.parse::<bcrypt::HashParts>();
    parts.is_ok_and(|parts| parts.get_cost() > BCRYPT_COST_MAX)
}

/// `None` where the hash cannot be read, or would take too long to try.
fn verify(password: &str, hash: &str) -> Option<bool> {
    if is_bcrypt(hash) {
        if is_too_costly(hash) {
            tracing::warn!(
                "a bcrypt hash of a cost over {BCRYPT_COST_MAX} is not tried: its user cannot log in"
            );
            return None;
        }
        return bcrypt::verify(password, hash).ok();
    }
    let hash = PasswordHash::new(hash).ok()?;
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Some(true),
        Err(Error::PasswordInvalid) => Some(false),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
