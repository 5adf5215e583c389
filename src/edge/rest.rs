//! REST: every route of the contract's section 3, by one table (`route`).
//!
//! A request goes through the same steps whatever it asks for: its route, who asks, whether that is too often, its
//! body, and then the handler. All of it runs in a task of its own, so that a client that goes away cannot stop a
//! change between its writing and its telling, and a panic ends in a 500 and nowhere else.
//!
//! The peer's address is taken from a [`SocketAddr`] among the request's extensions, where the listener puts it.

mod answer;
mod auth;
mod body;
pub(super) mod caller;
mod channel;
mod openapi;
mod project;
mod rate;
mod request;
mod route;
mod sign_in;
mod task;
mod workspace;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Buf;
use collabflow_actors::{directory::Directory, node::Node};
use collabflow_protocol::{error::ClientError, id::UserId, model::User};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use tokio::time;
use warp::{
    Filter,
    filters::BoxedFilter,
    http::{HeaderMap, Method},
    reject,
    reply::Response,
};

use self::{
    rate::RateLimit,
    request::Request,
    route::{Found, Handler},
    sign_in::SignIns,
};
use super::rejection::Failure;
use crate::{
    auth::{Auth, Passwords},
    config::Config,
};

/// For how long a request may be worked on; longer than a change of memberships waits to be in force.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// What handlers need.
pub struct Rest {
    config: Arc<Config>,
    node: Node,
    directory: Directory,
    auth: Arc<Auth>,
    passwords: Passwords,
    /// Requests of each user.
    requests: RateLimit<UserId>,
    sign_ins: SignIns,
}

type Answer = Result<Response, Failure>;
type Body = BoxStream<'static, Result<bytes::Bytes, warp::Error>>;

/// A request before anybody has looked at it.
struct Incoming {
    method: Method,
    /// Below the prefix, without the first slash.
    path: String,
    query: String,
    headers: HeaderMap,
    peer: Option<SocketAddr>,
    body: Body,
}

impl Rest {
    /// Over this node.
    #[must_use]
    pub fn new(node: Node, auth: Arc<Auth>, config: Arc<Config>) -> Arc<Self> {
        let limits = &config.limits;
        Arc::new(Self {
            directory: Directory::new(node.clone()),
            passwords: Passwords::new(config.password_scheme()),
            requests: RateLimit::new(limits.requests_per_second.into(), limits.requests_burst),
            sign_ins: SignIns::new(limits),
            node,
            auth,
            config,
        })
    }

    /// Every route below the prefix; what is not below it is left to other filters.
    #[must_use]
    pub fn routes(self: Arc<Self>) -> BoxedFilter<(Response,)> {
        let prefix = self.config.api.prefix.clone();
        let path = warp::path::full().and_then(move |path: warp::path::FullPath| {
            let below = path
                .as_str()
                .strip_prefix(&prefix)
                .and_then(|path| path.strip_prefix('/'))
                .map(ToOwned::to_owned);
            async { below.ok_or_else(reject::not_found) }
        });
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        let body = warp::body::stream().map(boxed);
        path.and(warp::method())
            .and(query)
            .and(warp::header::headers_cloned())
            .and(warp::ext::optional::<SocketAddr>())
            .and(body)
            .then(move |path, method, query, headers, peer, body| {
                let incoming = Incoming {
                    method,
                    path,
                    query,
                    headers,
                    peer,
                    body,
                };
                contained(Arc::clone(&self).handle(incoming))
            })
            .boxed()
    }

    async fn handle(self: Arc<Self>, incoming: Incoming) -> Answer {
        let Incoming {
            method,
            path,
            query,
            headers,
            peer,
            body,
        } = incoming;
        let (handler, params) = match route::find(&method, &path) {
            Found::Handler(handler, params) => (handler, params),
            Found::OtherMethods(allowed) => return Err(Failure::method_not_allowed(&allowed)),
            Found::Nothing => return Err(Failure::no_route()),
        };
        let user = match handler {
            Handler::Open(_) => None,
            Handler::User(_) => Some(self.known_user(&headers).await?),
        };
        let body = if body::is_expected(&method) {
            body::read(&headers, body, self.config.limits.max_body).await?
        } else {
            serde_json::Map::new()
        };
        let request = Request {
            rest: self,
            params,
            query,
            headers,
            peer,
            body,
        };
        match (handler, user) {
            (Handler::User(handler), Some(user)) => in_time(handler(request, user)).await,
            (Handler::Open(handler), _) => in_time(handler(request)).await,
            (Handler::User(_), None) => Err(ClientError::internal().into()),
        }
    }

    async fn known_user(&self, headers: &HeaderMap) -> Result<User, Failure> {
        let identity = self.auth.identify(caller::token(headers)).await;
        let user = identity.map_err(ClientError::from)?.user;
        self.requests
            .take(user.id)
            .map_err(|wait| Failure::rate_limited("Too many requests", wait))?;
        Ok(user)
    }
}

/// Runs a request in a task of its own, and answers whatever becomes of it.
async fn contained(handling: impl Future<Output = Answer> + Send + 'static) -> Response {
    // The panic itself has been printed where it happened.
    let answer = tokio::spawn(handling).await.unwrap_or_else(|error| {
        tracing::error!(reason = %error, "a request handler broke");
        Err(ClientError::internal().into())
    });
    answer.unwrap_or_else(|failure| failure.response())
}

/// Who waits too long for a store that is away is told to come back; the handler goes on, and tells what it changes.
async fn in_time(handling: impl Future<Output = Answer> + Send + 'static) -> Answer {
    match time::timeout(ANSWERED_WITHIN, tokio::spawn(handling)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Ok(Err(_)) => Err(ClientError::internal().into()),
        Err(_) => Err(ClientError::unavailable().into()),
    }
}

fn boxed<B: Buf + 'static>(
    body: impl futures_util::Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> Body {
    body.map_ok(|mut part| part.copy_to_bytes(part.remaining()))
        .boxed()
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use warp::http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_panic_ends_in_a_500_and_nowhere_else() {
        let response = contained(async { panic!("a test breaks this handler") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    /// It may have written already: whoever must hear of it still has to.
    #[tokio::test]
    async fn a_request_goes_on_when_its_client_has_gone() {
        let ((go, gone), (done, heard)) = (oneshot::channel::<()>(), oneshot::channel());
        let mut handling = Box::pin(contained(async move {
            let _ = gone.await;
            let _ = done.send(());
            Err(Failure::no_route())
        }));
        assert!(futures_util::poll!(handling.as_mut()).is_pending());
        drop(handling);
        drop(go);
        assert_eq!(heard.await, Ok(()));
    }
}
