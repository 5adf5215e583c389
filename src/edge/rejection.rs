//! How whatever goes wrong is answered: one table from the contract's codes to HTTP, and one shape of body.

use std::{convert::Infallible, time::Duration};

use collabflow_actors::node::Refusal;
use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    model::Task,
};
use serde::Serialize;
use warp::{
    Rejection, Reply,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{ALLOW, RETRY_AFTER},
    },
    reject::{self, Reject},
    reply::Response,
};

/// After how long to try again where nothing better is known.
const RETRY: Duration = Duration::from_secs(1);

/// Why a request is not answered with what it asked for.
#[derive(Clone, Debug)]
pub struct Failure(Box<Reason>);

#[derive(Clone, Debug)]
struct Reason {
    error: ClientError,
    /// The task as it is, in a conflict.
    task: Option<Box<Task>>,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    error: &'a ClientError,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a Task>,
}

/// The status of each code.
const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::ValidationFailed | ErrorCode::BadJson | ErrorCode::BadId => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let is_passing = matches!(error.code, ErrorCode::Unavailable | ErrorCode::RateLimited);
        let header = is_passing.then(|| retry_after(RETRY));
        Self(Box::new(Reason {
            error,
            task: None,
            header,
        }))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let task = match &refusal {
            Refusal::Conflict(task) => Some(task.clone()),
            Refusal::Error(_) => None,
        };
        let mut failure = Self::from(refusal.into_error());
        failure.0.task = task;
        failure
    }
}

impl Failure {
    /// There is no such route.
    #[must_use]
    pub fn no_route() -> Self {
        ClientError::not_found("There is nothing at this address").into()
    }

    /// The route has other methods.
    #[must_use]
    pub fn method_not_allowed(allowed: &str) -> Self {
        let message = format!("This address takes {allowed} only");
        let allow = HeaderValue::from_str(allowed).ok();
        Self::from(ClientError::new(ErrorCode::MethodNotAllowed, message))
            .with_header(allow.map(|allow| (ALLOW, allow)))
    }

    /// Too many requests; one will be taken in so long.
    #[must_use]
    pub fn rate_limited(message: &str, wait: Duration) -> Self {
        Self::from(ClientError::new(ErrorCode::RateLimited, message))
            .with_header(Some(retry_after(wait)))
    }

    fn with_header(mut self, header: Option<(HeaderName, HeaderValue)>) -> Self {
        self.0.header = header;
        self
    }

    /// The answer.
    #[must_use]
    pub fn response(&self) -> Response {
        let Reason {
            error,
            task,
            header,
        } = self.0.as_ref();
        let body = Body {
            error,
            task: task.as_deref(),
        };
        let mut response = warp::reply::json(&body).into_response();
        *response.status_mut() = status(error.code);
        if let Some((name, value)) = header.clone() {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl Reject for Failure {}

impl Reply for Failure {
    fn into_response(self) -> Response {
        self.response()
    }
}

/// Whole seconds, rounded up: whoever waits so long is not turned away again.
fn retry_after(wait: Duration) -> (HeaderName, HeaderValue) {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    (RETRY_AFTER, HeaderValue::from(seconds.max(1)))
}

/// Answers what no route has taken, and what warp itself refused.
///
/// # Errors
/// Never.
pub async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    let is = |code, message: &str| Failure::from(ClientError::new(code, message));
    let failure = if let Some(failure) = rejection.find::<Failure>() {
        failure.clone()
    } else if rejection.is_not_found() {
        Failure::no_route()
    } else if rejection.find::<reject::MethodNotAllowed>().is_some() {
        is(
            ErrorCode::MethodNotAllowed,
            "This address does not take this method",
        )
    } else if rejection.find::<reject::PayloadTooLarge>().is_some() {
        is(ErrorCode::PayloadTooLarge, "The body is too large")
    } else if rejection.find::<reject::UnsupportedMediaType>().is_some() {
        is(
            ErrorCode::UnsupportedMediaType,
            "The body must be JSON, and say so",
        )
    } else if rejection.find::<reject::InvalidHeader>().is_some()
        || rejection.find::<reject::MissingHeader>().is_some()
        || rejection.find::<reject::InvalidQuery>().is_some()
    {
        is(
            ErrorCode::ValidationFailed,
            "A header or the query cannot be read",
        )
    } else {
        tracing::error!(reason = ?rejection, "a request was refused for a reason that is not known");
        ClientError::internal().into()
    };
    Ok(failure.response())
}
