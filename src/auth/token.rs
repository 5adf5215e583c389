//! HS256 tokens: read as Node's `jsonwebtoken` reads them, to the second, and issued for accounts of our own.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use collabflow_actors::id::now;
use collabflow_protocol::{
    id::UserId,
    model::{Extra, User, UserBrief},
    time::Timestamp,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{self, Secret};

/// Shown of a user whose token says nothing about them.
const NAMELESS: &str = "User";

/// Reads and makes tokens.
pub struct Tokens {
    decoding: DecodingKey,
    encoding: EncodingKey,
    validation: Validation,
    require_expiry: bool,
    ttl: Duration,
    /// The warning about a token without expiry is given once.
    has_warned: AtomicBool,
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whose it is.
    pub user_id: UserId,
    /// The name it gives, if any.
    pub name: Option<String>,
    /// The email it gives, if any.
    pub email: Option<String>,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

impl From<Claims> for User {
    fn from(claims: Claims) -> Self {
        let from_email = || claims.email.as_deref()?.split('@').next();
        let name = claims
            .name
            .as_deref()
            .or_else(from_email)
            .unwrap_or(NAMELESS);
        Self {
            id: claims.user_id,
            name: name.to_owned(),
            email: claims.email,
            avatar: None,
            extra: Extra::default(),
        }
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "userId")]
    user_id: UserId,
    #[serde(default)]
    name: Value,
    #[serde(default)]
    email: Value,
    exp: Option<Value>,
    nbf: Option<Value>,
}

#[derive(Serialize)]
struct Issued<'a> {
    #[serde(rename = "userId")]
    user_id: UserId,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    iat: i64,
    exp: i64,
}

impl Tokens {
    /// With this secret, by these rules.
    #[must_use]
    pub fn new(secret: &Secret, rules: &config::Auth) -> Self {
        let secret = secret.expose().as_bytes();
        // Its defaults allow a minute of leeway, refuse any `aud` and require `exp`; times are checked here, since it
        // takes a token in the very second in which it ends.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self {
            decoding: DecodingKey::from_secret(secret),
            encoding: EncodingKey::from_secret(secret),
            validation,
            require_expiry: rules.require_expiry,
            ttl: rules.token_ttl,
            has_warned: AtomicBool::new(false),
        }
    }

    /// What the token says, if it is valid now.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let wire = jsonwebtoken::decode::<Wire>(token, &self.decoding, &self.validation)
            .ok()?
            .claims;
        let now = now();
        let expires_at = wire
            .exp
            .map(|exp| moment(&exp).ok_or(()))
            .transpose()
            .ok()?;
        let not_before = wire
            .nbf
            .map(|nbf| moment(&nbf).ok_or(()))
            .transpose()
            .ok()?;
        if expires_at.is_some_and(|end| end <= now) || not_before.is_some_and(|start| start > now) {
            return None;
        }
        if expires_at.is_none() && !self.takes_endless() {
            return None;
        }
        Some(Claims {
            user_id: wire.user_id,
            name: said(&wire.name),
            email: said(&wire.email),
            expires_at,
        })
    }

    fn takes_endless(&self) -> bool {
        if !self.require_expiry && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "tokens without an expiry are in use: a stolen one opens the door for ever; auth.require_expiry = true refuses them"
            );
        }
        !self.require_expiry
    }

    /// A token for this user, for as long as `auth.token_ttl`.
    #[must_use]
    pub fn issue(&self, user: &User) -> String {
        self.issue_for(&UserBrief::from(user), self.ttl)
    }

    /// A token that lives so long.
    #[must_use]
    pub fn issue_for(&self, user: &UserBrief, ttl: Duration) -> String {
        let iat = now().millis() / 1_000;
        let claims = Issued {
            user_id: user.id,
            name: &user.name,
            email: user.email.as_deref(),
            iat,
            exp: iat.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .expect("claims are plain JSON, and the key is HMAC's")
    }
}

/// A point in time in seconds; one beyond all years is the end of them.
fn moment(seconds: &Value) -> Option<Timestamp> {
    // What saturates is out of range.
    #[allow(clippy::cast_possible_truncation)]
    let millis = (seconds.as_f64()? * 1_000.0) as i64;
    let end = || Timestamp::parse("9999-12-31T23:59:59.999Z");
    Timestamp::from_millis(millis)
        .or_else(|error| if millis > 0 { end() } else { Err(error) })
        .ok()
}

fn said(claim: &Value) -> Option<String> {
    let text = claim.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
