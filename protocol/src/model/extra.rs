//! Fields that other programs have put into a document, passed through to clients as they are.
//!
//! What must never be shown does not get in: no secret at any depth, and none of the names that a database or its
//! libraries keep for themselves. A document's own fields hide extra ones of the same name when it is written.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A field whose name contains one of these is a secret, in whatever case.
const SECRETS: [&str; 5] = ["password", "token", "secret", "salt", "hash"];

/// Other programs' fields of a document. Without any it takes no memory of its own; with some, clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra(Option<Arc<Map<String, Value>>>);

impl Extra {
    /// Those of these fields that may be shown.
    #[must_use]
    pub fn of(fields: impl IntoIterator<Item = (String, Value)>) -> Self {
        let shown: Map<_, _> = fields
            .into_iter()
            .filter(|(name, _)| !name.starts_with(['_', '$']) && !is_secret(name))
            .map(|(name, value)| (name, without_secrets(value)))
            .collect();
        Self((!shown.is_empty()).then(|| Arc::new(shown)))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_ref()?.get(name)
    }

    /// Writes them into a document that has these names of its own, whether or not it shows a value for each.
    ///
    /// # Errors
    /// The serializer's.
    pub fn beside<S: Serializer>(&self, own: &[&str], serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.iter().flat_map(|fields| fields.iter());
        serializer.collect_map(fields.filter(|(name, _)| !own.contains(&name.as_str())))
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.beside(&[], serializer)
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::of)
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRETS.iter().any(|secret| name.contains(secret))
}

/// A value without the secrets in it. Other names are kept there: subdocuments have ids that clients know.
fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| !is_secret(name))
            .map(|(name, value)| (name, without_secrets(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(without_secrets).collect(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests;
