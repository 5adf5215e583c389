//! The origins that may call, written as browsers send them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::value;

/// An origin in the form of the header: lower case, no default port, no trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct AllowedOrigin(String);

impl AllowedOrigin {
    /// Reads `scheme://host[:port]`; a trailing slash is forgiven.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let text = text.strip_suffix('/').unwrap_or(&text);
        let (scheme, authority) = text.split_once("://")?;
        let default_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => "",
        };
        let host = match default_port {
            "" => authority,
            port => authority.strip_suffix(port).unwrap_or(authority),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
        let is_origin = scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && !host.is_empty()
            && host.chars().all(is_plain);
        is_origin.then(|| Self(format!("{scheme}://{host}")))
    }

    /// As browsers send it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AllowedOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const ACCEPTED: &str =
            "origins of pages, such as \"http://localhost:3000\" or \"https://app.example.com\"";
        value::read(deserializer, ACCEPTED, Self::parse)
    }
}
