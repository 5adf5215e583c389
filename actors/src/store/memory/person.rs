//! Users and accounts.

use collabflow_protocol::{
    id::UserId,
    model::{Extra, User, UserPatch},
};

use super::state::{State, StoredUser};
use crate::store::{Account, NewAccount, apply_user_patch, remember_claims};

impl State {
    pub(super) fn register(&mut self, account: NewAccount) -> Option<User> {
        if self.accounts.contains_key(&account.email) {
            return None;
        }
        let user = User {
            id: account.id,
            name: account.name,
            email: Some(account.email.clone()),
            avatar: None,
            extra: Extra::default(),
        };
        let owner = (user.id, account.password_hash);
        self.accounts.insert(account.email, owner);
        self.put_user(user.clone(), false);
        Some(user)
    }

    pub(super) fn account(&self, email: &str) -> Option<Account> {
        let (id, password_hash) = self.accounts.get(&email.to_lowercase())?;
        Some(Account {
            user: self.user(*id)?,
            password_hash: password_hash.clone(),
        })
    }

    pub(super) fn replace_hash(&mut self, user: UserId, old: &str, new: String) -> bool {
        let mut hashes = self.accounts.values_mut();
        let stored = hashes.find(|(id, hash)| *id == user && hash == old);
        stored.map(|(_, hash)| *hash = new).is_some()
    }

    pub(super) fn user_by_email(&self, email: &str) -> Option<User> {
        let claims_it = |user: &User| {
            user.email
                .as_ref()
                .is_some_and(|own| own.to_lowercase() == email)
        };
        let owner = self.accounts.get(email).and_then(|(id, _)| self.user(*id));
        owner.or_else(|| {
            self.users
                .values()
                .map(|stored| &stored.user)
                .find(|user| claims_it(user))
                .cloned()
        })
    }

    pub(super) fn remember(&mut self, claims: User) {
        if self.accounts.values().any(|(id, _)| *id == claims.id) {
            return;
        }
        let known = self.users.get(&claims.id);
        let renamed = known.is_some_and(|known| known.renamed);
        if let Some(user) = remember_claims(known.map(|known| &known.user), renamed, claims) {
            self.put_user(user, renamed);
        }
    }

    pub(super) fn update_user(&mut self, id: UserId, patch: UserPatch) -> Option<User> {
        let stored = self.users.get_mut(&id)?;
        stored.renamed |= patch.name.is_some();
        if let Some(user) = apply_user_patch(&stored.user, patch) {
            stored.user = user;
        }
        Some(stored.user.clone())
    }

    fn put_user(&mut self, user: User, renamed: bool) {
        self.users.insert(user.id, StoredUser { user, renamed });
    }
}
