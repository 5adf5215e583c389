//! Request bodies: JSON objects of a limited size.

use std::time::Duration;

use bytes::BytesMut;
use collabflow_protocol::error::{ClientError, ErrorCode};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use tokio::time;
use warp::http::{
    HeaderMap, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
};

use super::Body;

/// A body takes no longer than this to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// So many times the limit is read, and thrown away, before the answer: a client that is cut off while it still sends
/// may never see why.
const PATIENCE: usize = 8;

/// Whether a request of this method has a body that is of use.
pub(super) fn is_expected(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PATCH
}

/// Reads the object in a body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    max: usize,
) -> Result<Map<String, Value>, ClientError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if headers.contains_key(EXPECT) && announced.is_some_and(|length: usize| length > max) {
        return Err(too_large(max));
    }
    let bytes = time::timeout(ARRIVAL_MAX, collect(body, max))
        .await
        .unwrap_or_else(|_| {
            Err(ClientError::new(
                ErrorCode::BadJson,
                "The body did not arrive in time",
            ))
        })?;
    if !says_json(headers) {
        let message = "The body must be JSON, with the header Content-Type: application/json";
        return Err(ClientError::new(ErrorCode::UnsupportedMediaType, message));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ClientError::new(
            ErrorCode::BadJson,
            "The body must be a JSON object",
        )),
        Err(error) => {
            let message = format!("The body is not JSON: {error}");
            Err(ClientError::new(ErrorCode::BadJson, message))
        }
    }
}

async fn collect(mut body: Body, max: usize) -> Result<BytesMut, ClientError> {
    let mut bytes = BytesMut::new();
    let mut length = 0_usize;
    while let Some(part) = body.next().await {
        let broken = |_| ClientError::new(ErrorCode::BadJson, "The body broke off");
        let part = part.map_err(broken)?;
        length = length.saturating_add(part.len());
        if length <= max {
            bytes.extend_from_slice(&part);
        } else if length > max.saturating_mul(PATIENCE) {
            break;
        }
    }
    if length <= max {
        Ok(bytes)
    } else {
        Err(too_large(max))
    }
}

fn too_large(max: usize) -> ClientError {
    ClientError::new(
        ErrorCode::PayloadTooLarge,
        format!("The body may have {max} bytes at most"),
    )
}

/// `application/json`, or another type that is written as JSON.
fn says_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;
    use warp::http::HeaderValue;

    use super::*;

    async fn read_parts(kind: &'static str, parts: &[&'static str]) -> Result<Value, ErrorCode> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Ok(Bytes::from_static(part.as_bytes())))
            .collect();
        let read = read(&headers, stream::iter(parts).boxed(), 16).await;
        read.map(Value::Object).map_err(|error| error.code)
    }

    #[tokio::test]
    async fn an_object_is_read_from_its_parts() {
        let object = Ok(serde_json::json!({ "a": 1 }));
        assert_eq!(
            read_parts("application/json; charset=utf-8", &["{\"a\"", ":1}"]).await,
            object
        );
        assert_eq!(
            read_parts("Application/Merge-Patch+JSON", &["{\"a\":1}"]).await,
            object
        );
    }

    #[tokio::test]
    async fn a_body_that_is_no_object_of_json_is_refused() {
        for body in ["", "[]", "null", "{\"a\":", "{}{}"] {
            assert_eq!(
                read_parts("application/json", &[body]).await,
                Err(ErrorCode::BadJson),
                "{body}"
            );
        }
        for kind in ["", "text/plain", "application/x-www-form-urlencoded"] {
            assert_eq!(
                read_parts(kind, &["{}"]).await,
                Err(ErrorCode::UnsupportedMediaType),
                "{kind}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_is_not_waited_for_for_ever() {
        let begun = stream::iter([Ok(Bytes::from_static(b"{"))]);
        let body = begun.chain(stream::pending()).boxed();
        let start = time::Instant::now();
        let read = read(&HeaderMap::new(), body, 16).await;
        assert_eq!(read.map_err(|error| error.code), Err(ErrorCode::BadJson));
        assert!((ARRIVAL_MAX..2 * ARRIVAL_MAX).contains(&start.elapsed()));
    }

    /// Its parts need not say how long it will be.
    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let parts = ["{\"a\":\"12345", "67890\"}"];
        assert_eq!(
            read_parts("application/json", &parts).await,
            Err(ErrorCode::PayloadTooLarge)
        );
        assert!(
            read_parts("application/json", &["{\"a\":\"123456", "78\"}"])
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_body_without_end_is_not_read_for_ever() {
        let headers = HeaderMap::new();
        let endless = stream::repeat_with(|| Ok(Bytes::from_static(b"12345678"))).boxed();
        let error = read(&headers, endless, 16)
            .await
            .expect_err("it is too large");
        assert_eq!(error.code, ErrorCode::PayloadTooLarge);
    }
}
