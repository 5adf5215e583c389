//! What is wrong with the configuration, as one line for whoever wrote it.

use figment::error::{Actual, Kind};

/// One line that names the key, the value (never a secret's) and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(super) fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }

    /// From what reading found: `name` is the key as the user wrote it.
    pub(super) fn of(kind: &Kind, name: &str, is_secret: bool) -> Self {
        match kind {
            Kind::UnknownField(_, known) => Self(format!(
                "{name}: there is no such key; known here are {}",
                known.join(", ")
            )),
            Kind::MissingField(field) => Self(format!("{name}: {field} is missing")),
            Kind::InvalidType(value, accepted) | Kind::InvalidValue(value, accepted) => {
                Self::value(name, &shown(value, is_secret), &in_words(accepted))
            }
            Kind::UnknownVariant(value, known) => {
                let known: Vec<_> = known.iter().map(|word| format!("{word:?}")).collect();
                Self::value(name, &format!("{value:?}"), &known.join(" or "))
            }
            _ if is_secret => Self(format!("{name}: this value is not accepted")),
            other => Self(format!("{name}: {other}")),
        }
    }

    pub(super) fn value(name: &str, value: &str, accepted: &str) -> Self {
        Self(format!(
            "{name}: {value} is not accepted, it must be {accepted}"
        ))
    }
}

fn shown(value: &Actual, is_secret: bool) -> String {
    match value {
        _ if is_secret => "this value".into(),
        Actual::Str(text) => format!("{text:?}"),
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Seq => "a list".into(),
        Actual::Map => "a table".into(),
        other => other.to_string(),
    }
}

/// serde's names of types, in the words of the file.
fn in_words(accepted: &str) -> String {
    match accepted {
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a string" => "text".into(),
        struct_name if struct_name.starts_with("struct ") => "a table of keys".into(),
        words => words.into(),
    }
}
