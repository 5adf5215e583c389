//! What a client is told when something goes wrong: a code, a sentence, and the fields that were bad.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// The error codes of REST, of acknowledgements and of `error` events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A field breaks a rule; `fields` names each one.
    ValidationFailed,
    /// The body is no JSON, or not an object.
    BadJson,
    /// A path or payload has something else where an id belongs.
    BadId,
    /// No token, or a bad one.
    Unauthorized,
    /// The user may not do this.
    Forbidden,
    /// Not there, or not to be seen by this user.
    NotFound,
    /// The route has no such method.
    MethodNotAllowed,
    /// Somebody else was first.
    Conflict,
    /// A body or frame over its limit.
    PayloadTooLarge,
    /// A body that does not say it is JSON.
    UnsupportedMediaType,
    /// Too many of these in too short a time.
    RateLimited,
    /// Our fault; nothing more is told.
    Internal,
    /// A part that is needed is away; try again later.
    Unavailable,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 13] = [
        Self::ValidationFailed,
        Self::BadJson,
        Self::BadId,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The code as clients read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValidationFailed => "validation_failed",
            Self::BadJson => "bad_json",
            Self::BadId => "bad_id",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Field path (`labels.2.name`) to the reason why its value is refused.
pub type FieldErrors = BTreeMap<String, String>;

/// An error as it is shown to a client: `{message, code, fields?}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClientError {
    /// What went wrong, for people.
    pub message: String,
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// The bad fields, where fields were bad.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: FieldErrors,
}

impl ClientError {
    /// An error that is not about fields.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code,
            fields: FieldErrors::new(),
        }
    }

    /// `validation_failed`, naming each bad field.
    #[must_use]
    pub fn validation(fields: FieldErrors) -> Self {
        let named = fields
            .iter()
            .map(|(field, reason)| format!("{field} {reason}"))
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            message: format!("Validation failed: {named}"),
            code: ErrorCode::ValidationFailed,
            fields,
        }
    }

    /// `validation_failed` for one field.
    pub fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::validation(FieldErrors::from([(field.into(), reason.into())]))
    }

    /// `not_found`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// `forbidden`.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    /// `unavailable`: the part that was needed is away.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            ErrorCode::Unavailable,
            "The server cannot do this right now; try again in a moment",
        )
    }

    /// `internal`: the client learns nothing more.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(ErrorCode::Internal, "Something went wrong on the server")
    }
}
