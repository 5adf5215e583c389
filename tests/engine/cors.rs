//! Pages of other origins.

use reqwest::{Method, Response};

use crate::{
    client::{POLLING, Socket, WEBSOCKET, request},
    house::House,
};

const PAGE: &str = "http://localhost:3000";
const STRANGER: &str = "https://evil.example.org";

async fn ask(house: &House, method: Method, path: &str, origin: &str) -> Response {
    let request = house.request(method, path).header("origin", origin);
    request.send().await.expect("an answer")
}

fn allowed(response: &Response) -> Option<&str> {
    let value = response.headers().get("access-control-allow-origin")?;
    assert_eq!(
        response.headers()["access-control-allow-credentials"],
        "true"
    );
    value.to_str().ok()
}

#[tokio::test]
async fn every_answer_says_whether_its_page_may_read_it() {
    let house = House::new().await;
    for (path, status) in [
        ("/api/workspaces", 401),
        ("/api/no/such/route", 404),
        ("/socket.io/?EIO=4", 400),
        (POLLING, 200),
    ] {
        let response = ask(&house, Method::GET, path, PAGE).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(allowed(&response), Some(PAGE), "{path}");
        assert_eq!(
            response.headers()["access-control-expose-headers"],
            "ETag, Retry-After, X-Next-Cursor"
        );
        let response = ask(&house, Method::GET, path, STRANGER).await;
        assert_eq!(allowed(&response), None, "{path}");
        assert_eq!(
            response.headers()["vary"],
            "Origin",
            "caches must not mix them up"
        );
    }
    let own = format!("http://{}", house.address());
    let response = ask(&house, Method::GET, POLLING, &own).await;
    assert_eq!(allowed(&response), Some(own.as_str()));
}

#[tokio::test]
async fn a_preflight_is_answered_before_anything_else_is_looked_at() {
    let house = House::new().await;
    for path in ["/api/tasks/nonsense", "/api/no/such/route", POLLING] {
        let request = house
            .request(Method::OPTIONS, path)
            .header("origin", PAGE)
            .header("access-control-request-method", "PATCH")
            .header(
                "access-control-request-headers",
                "authorization,x-socket-id",
            );
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 204, "{path}");
        assert_eq!(allowed(&response), Some(PAGE));
        let headers = response.headers();
        assert_eq!(
            headers["access-control-allow-methods"],
            "GET, POST, PATCH, DELETE"
        );
        assert_eq!(
            headers["access-control-allow-headers"],
            "Authorization, Content-Type, If-Match, Idempotency-Key, X-Socket-Id"
        );
    }
}

async fn upgrade(house: &House, origin: &str) -> Result<Socket, u16> {
    let mut request = request(house, WEBSOCKET);
    let origin = origin.parse().expect("a header's value");
    request.headers_mut().insert("origin", origin);
    Socket::request(house, request)
        .await
        .map_err(|status| status.as_u16())
}

#[tokio::test]
async fn a_websocket_of_a_strange_page_is_refused_unless_that_is_not_looked_at() {
    let house = House::new().await;
    assert!(upgrade(&house, PAGE).await.is_ok());
    assert!(
        upgrade(&house, &format!("http://{}", house.address()))
            .await
            .is_ok()
    );
    for origin in [
        STRANGER,
        "http://localhost:3001",
        "null",
        "http://localhost:3000.evil.org",
    ] {
        assert_eq!(upgrade(&house, origin).await.err(), Some(400), "{origin}");
    }
    let lax = House::with(|config| config.cors.check_websocket = false).await;
    assert!(upgrade(&lax, STRANGER).await.is_ok());
}
