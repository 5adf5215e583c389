//! A request as handlers see it.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use collabflow_actors::{directory::Directory, node::Caller};
use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    id::IdError,
    model::User,
    validate::Unknown,
};
use serde_json::{Map, Value};
use warp::http::HeaderMap;

use super::{Rest, caller};

/// What came in, read as far as every handler wants it read.
pub(super) struct Request {
    pub(super) rest: Arc<Rest>,
    /// The segments of the path that stand for ids.
    pub(super) params: Vec<String>,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) peer: Option<SocketAddr>,
    pub(super) body: Map<String, Value>,
}

impl Request {
    pub(super) fn directory(&self) -> &Directory {
        &self.rest.directory
    }

    /// What becomes of unknown fields.
    pub(super) fn unknown(&self) -> Unknown {
        self.rest.config.validation.unknown.into()
    }

    /// The first id of the path.
    pub(super) fn id<T: FromStr<Err = IdError>>(&self) -> Result<T, ClientError> {
        self.id_at(0)
    }

    /// The id at this place among those of the path.
    pub(super) fn id_at<T: FromStr<Err = IdError>>(&self, place: usize) -> Result<T, ClientError> {
        let text = self.params.get(place).map(String::as_str);
        parse_id(text.unwrap_or_default())
    }

    /// The id that a parameter of the query names, where it is given.
    pub(super) fn query_id<T: FromStr<Err = IdError>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, ClientError> {
        let query = self.query();
        let text = query
            .get(name)
            .map(|value| value.as_str().unwrap_or_default());
        text.map(parse_id).transpose()
    }

    /// The query's parameters as fields; an empty one is as good as absent.
    pub(super) fn query(&self) -> Map<String, Value> {
        let pairs = form_urlencoded::parse(self.query.as_bytes());
        let filled = pairs.filter(|(_, value)| !value.trim().is_empty());
        // An id may be all digits, and is longer than any number.
        let read = |value: &str| match value.trim().parse::<u64>() {
            Ok(number) if value.len() < 20 => Value::from(number),
            _ => Value::from(value),
        };
        filled
            .map(|(name, value)| (name.into_owned(), read(&value)))
            .collect()
    }

    /// Who makes a change, and who need not hear of it.
    pub(super) fn caller(&self, user: &User) -> Result<Caller, ClientError> {
        let echo = caller::echo(&self.headers, self.rest.config.rest.echo);
        Ok(Caller {
            user: Arc::new(user.into()),
            echo,
        })
    }

    /// Where it came from.
    pub(super) fn address(&self) -> IpAddr {
        caller::address(&self.headers, self.peer, &self.rest.config)
    }
}

fn parse_id<T: FromStr<Err = IdError>>(text: &str) -> Result<T, ClientError> {
    text.parse().map_err(|error: IdError| {
        ClientError::new(ErrorCode::BadId, format!("The id in the address {error}"))
    })
}
