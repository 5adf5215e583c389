//! Users, as others see them and as they describe themselves.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::Extra;
use crate::{
    error::ClientError,
    id::UserId,
    validate::{Fields, Unknown},
};

/// A user with everything that is shown of one: `{_id,name,email,avatar?}`, and to itself what other programs have stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct User {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: UserId,
    /// The name to show.
    pub name: String,
    /// Its email; users known from claims may have none.
    pub email: Option<String>,
    /// URL of a picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub avatar: Option<String>,
    /// What other programs have stored of it.
    #[serde(flatten, serialize_with = "User::write_extra")]
    #[cfg_attr(feature = "schema", schema(value_type = std::collections::BTreeMap<String, Value>))]
    pub extra: Extra,
}

impl User {
    /// The names of its own fields.
    const NAMES: &[&str] = &["_id", "name", "email", "avatar"];

    /// Writes what other programs have stored of a user; its own fields hide theirs.
    ///
    /// # Errors
    /// The serializer's.
    pub fn write_extra<S: Serializer>(extra: &Extra, serializer: S) -> Result<S::Ok, S::Error> {
        extra.beside(Self::NAMES, serializer)
    }

    /// The user as others see it, wherever a document names it.
    #[must_use]
    pub fn populated(self) -> Self {
        Self {
            extra: Extra::default(),
            ..self
        }
    }
}

/// A user as events name one: `{_id,name,email}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UserBrief {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: UserId,
    /// The name to show.
    pub name: String,
    /// Its email; users known from claims may have none.
    pub email: Option<String>,
}

impl From<User> for UserBrief {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            name: user.name,
            email: user.email,
        }
    }
}

impl From<&User> for UserBrief {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            name: user.name.clone(),
            email: user.email.clone(),
        }
    }
}

/// What `POST /api/auth/register` takes.
#[derive(Clone, Debug)]
pub struct Registration {
    /// 1–100 characters.
    pub name: String,
    /// Lower case, at most 254 characters.
    pub email: String,
    /// 8–128 characters, as typed.
    pub password: String,
}

/// What `POST /api/auth/login` takes.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// As typed: old accounts may differ in nothing but the case of their emails.
    pub email: String,
    /// As typed.
    pub password: String,
}

/// What `PATCH /api/auth/me` takes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// A new name.
    pub name: Option<String>,
    /// A new picture, or none any more.
    pub avatar: Option<Option<String>>,
}

impl Registration {
    /// Reads a request's body.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let name = fields.required_text("name", 1..=100);
        let email = fields.required_email("email");
        let password = fields.required_password("password", 8..=128);
        fields.finish(unknown)?;
        Ok(Self {
            name,
            email,
            password,
        })
    }
}

impl Credentials {
    /// Reads a request's body. A password of any length is tried: limits bind what is written.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let email = fields.required_text("email", 1..=254);
        let password = fields.required_password("password", 0..=usize::MAX);
        fields.finish(unknown)?;
        Ok(Self { email, password })
    }
}

impl UserPatch {
    /// Reads a request's body.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn parse(body: &Map<String, Value>, unknown: Unknown) -> Result<Self, ClientError> {
        let mut fields = Fields::new(body);
        let name = fields.text("name", 1..=100);
        let avatar = fields.clearable_text("avatar", 2_048);
        fields.finish(unknown)?;
        Ok(Self { name, avatar })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_email_is_lower_case_and_one_to_log_in_with_stays_as_typed() {
        let body =
            json!({ "name": "Ada", "email": " Ada@X.Example ", "password": "correct horse" });
        let body = body.as_object().expect("an object");
        let new = Registration::parse(body, Unknown::Ignore).expect("valid");
        assert_eq!(new.email, "ada@x.example");
        let known = Credentials::parse(body, Unknown::Ignore).expect("valid");
        assert_eq!(known.email, "Ada@X.Example");
    }
}
