//! Answers that say yes.

use serde::Serialize;
use serde_json::json;
use warp::{Reply, http::StatusCode, reply::Response};

/// 200 with this.
pub(super) fn ok(body: &impl Serialize) -> Response {
    warp::reply::json(body).into_response()
}

/// 201 with this.
pub(super) fn created(body: &impl Serialize) -> Response {
    let mut response = ok(body);
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// 200 with a sentence.
pub(super) fn done(message: &str) -> Response {
    ok(&json!({ "message": message }))
}
