//! Which pages may call: CORS on every answer, errors and preflights included, and the origin of WebSocket upgrades.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use warp::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    reply::Response,
};

use crate::config::AllowedOrigin;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PATCH, DELETE");
const HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, If-Match, Idempotency-Key, X-Socket-Id");
const EXPOSED: HeaderValue = HeaderValue::from_static("ETag, Retry-After, X-Next-Cursor");
/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins that may call.
#[derive(Clone, Debug)]
pub struct Cors {
    allowed: Vec<AllowedOrigin>,
    check_websocket: bool,
    refusals: Arc<Mutex<Refusals>>,
}

impl Cors {
    /// Pages of these origins, and of the server's own.
    #[must_use]
    pub fn new(allowed: Vec<AllowedOrigin>, check_websocket: bool) -> Self {
        Self {
            allowed,
            check_websocket,
            refusals: Arc::default(),
        }
    }

    /// The request's origin, if it has one that may call.
    fn permitted<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let value = headers.get(header::ORIGIN)?;
        let origin = AllowedOrigin::parse(value.to_str().ok()?)?;
        (self.allowed.contains(&origin) || is_same_host(&origin, headers)).then_some(value)
    }

    /// Whether a WebSocket may be opened: without an `Origin` always, no browser being at work.
    #[must_use]
    pub fn permits_websocket(&self, headers: &HeaderMap) -> bool {
        if !self.check_websocket || !headers.contains_key(header::ORIGIN) {
            return true;
        }
        let is_permitted = self.permitted(headers).is_some();
        if !is_permitted {
            self.log_refusal(headers);
        }
        is_permitted
    }

    /// The answer to a preflight, if the request is one.
    #[must_use]
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let is_preflight = method == Method::OPTIONS
            && headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight {
            return None;
        }
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.permitted(headers).is_some() {
            let answer = response.headers_mut();
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        self.mark(headers, &mut response);
        Some(response)
    }

    /// Lets the page that asked read the answer, if its origin may call.
    pub fn mark(&self, request: &HeaderMap, response: &mut Response) {
        let answer = response.headers_mut();
        answer.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.permitted(request) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        } else if request.contains_key(header::ORIGIN) {
            self.log_refusal(request);
        }
    }

    fn log_refusal(&self, headers: &HeaderMap) {
        let origin = headers
            .get(header::ORIGIN)
            .and_then(|origin| origin.to_str().ok())
            .map_or("(not text)", |origin| {
                &origin[..origin.len().min(ORIGIN_LENGTH_MAX)]
            });
        if self.refusals.lock().is_news(origin, Instant::now()) {
            tracing::warn!(
                origin,
                "a page of this origin is refused; CLIENT_URL (cors.origins) would allow it"
            );
        }
    }
}

/// Whether the origin is the server's own: the same host and port, by the scheme that the page uses.
fn is_same_host(origin: &AllowedOrigin, headers: &HeaderMap) -> bool {
    let Some(host) = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
    else {
        return false;
    };
    ["http", "https"]
        .iter()
        .any(|scheme| AllowedOrigin::parse(&format!("{scheme}://{host}")).as_ref() == Some(origin))
}

/// Origins whose refusal was logged lately: one is logged once a minute, and strangers do not fill the log.
#[derive(Debug, Default)]
struct Refusals {
    since: Option<Instant>,
    origins: Vec<String>,
}

const REFUSALS_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
const REFUSALS_MAX: usize = 20;
/// Characters of an origin that are logged.
const ORIGIN_LENGTH_MAX: usize = 300;

impl Refusals {
    /// Whether to log this one.
    fn is_news(&mut self, origin: &str, now: Instant) -> bool {
        let is_recent = |since| now - since < REFUSALS_FORGOTTEN_AFTER;
        if !self.since.is_some_and(is_recent) {
            self.since = Some(now);
            self.origins.clear();
        }
        let is_news =
            self.origins.len() < REFUSALS_MAX && !self.origins.iter().any(|one| one == origin);
        if is_news {
            self.origins.push(origin.to_owned());
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        let allowed = ["http://localhost:3000/", "https://app.example.com"];
        Cors::new(
            allowed
                .iter()
                .filter_map(|origin| AllowedOrigin::parse(origin))
                .collect(),
            true,
        )
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.parse().expect("a name"),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn allowed_origins_and_the_servers_own_may_open_websockets() {
        for (origin, host, may) in [
            ("http://localhost:3000", "localhost:5000", true),
            ("https://app.example.com", "api.example.com", true),
            ("http://api.example.com:5000", "api.example.com:5000", true),
            ("https://evil.example.com", "api.example.com", false),
            ("http://localhost:3001", "localhost:5000", false),
            ("null", "localhost:5000", false),
        ] {
            assert_eq!(
                cors().permits_websocket(&headers(&[("origin", origin), ("host", host)])),
                may,
                "{origin}"
            );
        }
        assert!(cors().permits_websocket(&headers(&[("host", "localhost:5000")])));
    }

    #[test]
    fn a_preflight_names_what_is_allowed_to_those_who_may_call() {
        let asked = |origin| {
            headers(&[
                ("origin", origin),
                ("access-control-request-method", "PATCH"),
            ])
        };
        let answer = cors()
            .preflight(&Method::OPTIONS, &asked("http://localhost:3000"))
            .expect("a preflight");
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(
            answer.headers()["access-control-allow-origin"],
            "http://localhost:3000"
        );
        assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
        assert!(
            answer.headers()["access-control-allow-headers"]
                .to_str()
                .expect("text")
                .contains("X-Socket-Id")
        );
        let answer = cors()
            .preflight(&Method::OPTIONS, &asked("http://evil.example.com"))
            .expect("a preflight");
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
        assert!(
            cors()
                .preflight(&Method::GET, &asked("http://localhost:3000"))
                .is_none()
        );
    }

    #[test]
    fn a_refusal_is_news_once_a_minute_and_strangers_do_not_fill_the_log() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        assert!(refusals.is_news("https://a.example.com", now));
        assert!(!refusals.is_news("https://a.example.com", now));
        let strangers = 0..100;
        let news =
            strangers.filter(|one| refusals.is_news(&format!("https://{one}.example.com"), now));
        assert_eq!(news.count(), REFUSALS_MAX - 1);
        assert!(refusals.is_news("https://a.example.com", now + REFUSALS_FORGOTTEN_AFTER));
    }
}
