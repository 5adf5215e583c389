//! Passwords: argon2id hashes of ours, and bcrypt ones of the Node backend.
//!
//! A hash costs tens of milliseconds and 19 MiB on purpose, so only a few are worked on at once, on threads of their
//! own; who has to wait too long is told to come back. To look up an email that has no account costs the same.

use std::{sync::Arc, thread, time::Duration};

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use tokio::{sync::Semaphore, task, time};

/// The hash of no password, with the parameters of ours.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGF0IGFsbCE$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Hashes and verifies, a few at once.
pub struct Passwords {
    places: Arc<Semaphore>,
}

/// Too many are at it: come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

impl Default for Passwords {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        // Half of them, so that a flood of logins leaves room for everybody else.
        Self {
            places: Arc::new(Semaphore::new((cores / 2).max(1))),
        }
    }
}

impl Passwords {
    /// A new hash, in PHC form.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn hash(&self, password: String) -> Result<String, Busy> {
        self.work(move || hash(&password)).await
    }

    /// Whether a password is the one of this hash; without a hash it takes as long, and is not.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Busy> {
        self.work(move || {
            let is_right = verify(&password, hash.as_deref().unwrap_or(NOBODY));
            is_right && hash.is_some()
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

fn hash(password: &str) -> String {
    Argon2::default()
        .hash_password(password.as_bytes())
        .expect("any text can be hashed, and the system has randomness")
        .to_string()
}

fn verify(password: &str, hash: &str) -> bool {
    if ["$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|prefix| hash.starts_with(prefix))
    {
        return bcrypt::verify(password, hash).unwrap_or(false);
    }
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use argon2::Params;

    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash("correct horse".into())
            .await
            .expect("a place");
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        assert_eq!(
            passwords
                .verify("correct horse".into(), Some(hash.clone()))
                .await,
            Ok(true)
        );
        assert_eq!(
            passwords.verify("correct house".into(), Some(hash)).await,
            Ok(false)
        );
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(hash("correct horse"), hash("correct horse"));
    }

    /// The Node backend stored these; `$2a$`, `$2b$` and `$2y$` are one algorithm.
    #[test]
    fn hashes_of_bcrypt_are_accepted() {
        let hash = bcrypt::hash("correct horse", 4).expect("a hash");
        for prefix in ["$2a$", "$2b$", "$2y$"] {
            let hash = hash.replacen("$2b$", prefix, 1);
            assert!(verify("correct horse", &hash), "{hash}");
            assert!(!verify("correct house", &hash), "{hash}");
        }
    }

    #[tokio::test]
    async fn without_a_hash_no_password_is_right() {
        let passwords = Passwords::default();
        assert_eq!(passwords.verify(String::new(), None).await, Ok(false));
        assert!(!verify("", "no hash at all"));
        assert!(!verify("", "$2b$short"));
    }

    /// Else the time of a login would tell whether the email has an account.
    #[test]
    fn the_hash_of_nobody_costs_what_ours_cost() {
        let nobody = PasswordHash::new(NOBODY).expect("a PHC string");
        let ours = hash("x");
        let ours = PasswordHash::new(&ours).expect("a PHC string");
        let cost = |hash: &PasswordHash| {
            let params = Params::try_from(hash).expect("argon2's parameters");
            (params.m_cost(), params.t_cost(), params.p_cost())
        };
        assert_eq!(nobody.algorithm, ours.algorithm);
        assert_eq!(nobody.version, ours.version);
        assert_eq!(cost(&nobody), cost(&ours));
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_is_told_to_come_back() {
        let passwords = Passwords {
            places: Arc::new(Semaphore::new(0)),
        };
        assert_eq!(passwords.hash("x".into()).await, Err(Busy));
    }
}
