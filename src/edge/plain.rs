//! Plain WebSocket at `/ws`, for clients without Socket.IO: one JSON object a text frame.
//!
//! A session here is what it is over Socket.IO, but for coming back: the same events, limits and presence. `dialogue`
//! says what a frame means, `connection` does it.

mod connection;
mod dialogue;

use std::sync::Arc;

use collabflow_protocol::error::{ClientError, ErrorCode};
use hyper::upgrade::OnUpgrade;
use warp::{
    Filter,
    filters::BoxedFilter,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    reply::Response,
};

use super::{
    engine::{self, Context},
    listener::Place,
    rejection::Failure,
    rest::caller,
    websocket::{self, WebSocket},
};

/// The route.
#[must_use]
pub fn routes(context: Arc<Context>) -> BoxedFilter<(Response,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path("ws")
        .and(warp::path::end())
        .and(warp::method())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<OnUpgrade>())
        .and(warp::ext::optional::<Place>())
        .map(move |method, query: String, headers, upgrade, place| {
            answer(&context, &method, &query, &headers, upgrade, place)
        })
        .boxed()
}

fn answer(
    context: &Arc<Context>,
    method: &Method,
    query: &str,
    headers: &HeaderMap,
    upgrade: Option<OnUpgrade>,
    place: Option<Place>,
) -> Response {
    if method != Method::GET {
        return Failure::method_not_allowed("GET").response();
    }
    let (Some(upgrade), Some(key)) = (upgrade, websocket::handshake_key(headers)) else {
        return not_websocket();
    };
    if !context.cors.permits_websocket(headers) {
        let message = "Pages of this origin may not connect";
        return Failure::from(ClientError::new(ErrorCode::Forbidden, message)).response();
    }
    if context.is_draining() {
        return engine::busy("draining");
    }
    let token = token(query, headers);
    let response = websocket::switching_protocols(key);
    let context = Arc::clone(context);
    tokio::spawn(async move {
        // A client that has gone meanwhile leaves nothing to be done.
        if let Ok(websocket) = WebSocket::accept(upgrade, context.settings.max_payload).await {
            // A task of its own, since this one has room for all that an opening needs.
            tokio::spawn(connection::run(context, websocket, token, place));
        }
    });
    response
}

/// The token of the address, else of the header. An empty one is none: it may still come as a frame.
fn token(query: &str, headers: &HeaderMap) -> Option<String> {
    let in_query = form_urlencoded::parse(query.as_bytes())
        .find(|(name, token)| name == "token" && !token.is_empty())
        .map(|(_, token)| token.into_owned());
    let in_header = || caller::token(headers).filter(|token| !token.is_empty());
    in_query.or_else(|| in_header().map(str::to_owned))
}

fn not_websocket() -> Response {
    let mut response = Response::new("/ws speaks WebSocket: ask for an upgrade".into());
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
