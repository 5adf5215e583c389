//! `If-Match`: a change is made only to the version that its author has seen.

use collabflow_protocol::error::ClientError;
use warp::http::{HeaderMap, header::IF_MATCH};

/// No task ever has this version: it conflicts with all.
const NEVER: u64 = u64::MAX;

/// What a request says of versions.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// Any will do.
    Any,
    /// One of these tags, without the `W/` of weak ones.
    Tags(Vec<String>),
}

/// The tag of a version.
pub(super) fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

impl IfMatch {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, ClientError> {
        let mut tags = Vec::new();
        for line in headers.get_all(IF_MATCH) {
            for part in line.to_str().unwrap_or("?").split(',').map(str::trim) {
                match part {
                    "*" => return Ok(Self::Any),
                    _ if is_tag(strong(part)) => tags.push(strong(part).to_owned()),
                    _ => {
                        return Err(ClientError::field(
                            "If-Match",
                            "must be \"*\" or a version in quotes, as ETag gives it",
                        ));
                    }
                }
            }
        }
        Ok(if headers.contains_key(IF_MATCH) {
            Self::Tags(tags)
        } else {
            Self::Any
        })
    }

    /// The version to expect of a task that has this one now.
    ///
    /// A weak tag is as good as a strong one: proxies that compress an answer weaken its tag.
    pub(super) fn expected(&self, now: u64) -> Option<u64> {
        match self {
            Self::Any => None,
            Self::Tags(tags) if tags.contains(&tag(now)) => Some(now),
            Self::Tags(_) => Some(NEVER),
        }
    }
}

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn is_tag(text: &str) -> bool {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.contains('"'))
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    fn expected(value: &'static str, now: u64) -> Option<Option<u64>> {
        let headers = HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(value))]);
        IfMatch::read(&headers)
            .ok()
            .map(|if_match| if_match.expected(now))
    }

    #[test]
    fn the_version_of_its_tag_is_expected() {
        assert_eq!(expected("\"3\"", 3), Some(Some(3)));
        assert_eq!(expected("\"2\", \"3\"", 3), Some(Some(3)));
        assert_eq!(expected("\"2\"", 3), Some(Some(NEVER)));
        assert_eq!(expected("\"abc\"", 3), Some(Some(NEVER)));
        assert_eq!(expected("W/\"3\"", 3), Some(Some(3)));
        assert_eq!(expected("W/\"2\"", 3), Some(Some(NEVER)));
    }

    #[test]
    fn a_star_or_nothing_expects_nothing() {
        assert_eq!(expected("*", 3), Some(None));
        assert_eq!(
            IfMatch::read(&HeaderMap::new()).map(|any| any.expected(3)),
            Ok(None)
        );
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for value in ["3", "\"3", "", "\"3\" \"4\""] {
            assert_eq!(expected(value, 3), None, "{value}");
        }
    }
}
