//! `/metrics`: the numbers, as Prometheus reads them.

use collabflow_actors::node::Node;
use collabflow_protocol::error::ClientError;
use warp::{
    Filter, Reply,
    filters::BoxedFilter,
    http::{HeaderValue, Method, header},
    reply::Response,
};

use super::rejection::Failure;
use crate::telemetry::metrics;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The route.
#[must_use]
pub fn routes(node: Node) -> BoxedFilter<(Response,)> {
    warp::path!("metrics")
        .and(warp::method())
        .map(move |method: Method| {
            if ![Method::GET, Method::HEAD].contains(&method) {
                return Failure::method_not_allowed("GET, HEAD").into_response();
            }
            metrics::render(&node).map_or_else(
                || Failure::from(ClientError::unavailable()).into_response(),
                answer,
            )
        })
        .boxed()
}

fn answer(numbers: String) -> Response {
    let mut response = Response::new(numbers.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}
