//! What is refused, and how.

use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use warp::http::{Request, header};

use crate::app::App;

#[tokio::test]
async fn an_unknown_address_is_not_found() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/tasks/a/b",
        "/apis/tasks",
        "/healthz/x",
        "/favicon.ico",
    ] {
        assert_eq!(
            app.get(path, &ada).await.expect(404).body["code"],
            "not_found",
            "{path}"
        );
    }
}

#[tokio::test]
async fn another_method_is_told_which_are_taken() {
    let app = App::new().await;
    for (method, path, allow) in [
        ("PUT", "/api/tasks/x", "GET, HEAD, PATCH, DELETE"),
        ("GET", "/api/tasks", "POST"),
        ("DELETE", "/api/workspaces", "GET, HEAD, POST"),
        ("OPTIONS", "/api/auth/login", "POST"),
        ("POST", "/readyz", "GET, HEAD"),
    ] {
        let reply = app
            .call(method, path, None, Value::Null, &[])
            .await
            .expect(405);
        assert_eq!(
            (reply.header("allow"), &reply.body["code"]),
            (allow, &json!("method_not_allowed")),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_path_without_an_id_is_a_bad_id() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let (workspace, _) = app.project(&ada).await;
    let member = format!("/api/workspaces/{workspace}/members/ada");
    for (method, path) in [
        ("GET", "/api/workspaces/x"),
        ("GET", "/api/projects/64b7f3a2c9e77a001234567g"),
        ("GET", "/api/tasks/project/x"),
        ("DELETE", "/api/tasks/x"),
        ("GET", "/api/channels/x/messages"),
        ("DELETE", &member),
    ] {
        let reply = app
            .call(method, path, Some(&ada), Value::Null, &[])
            .await
            .expect(400);
        assert_eq!(reply.body["code"], "bad_id", "{path}");
    }
}

#[tokio::test]
async fn a_body_must_be_an_object_of_json_and_say_so() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    for (kind, body, code) in [
        ("text/plain", "{}", "unsupported_media_type"),
        ("application/json", "{\"name\":", "bad_json"),
        ("application/json", "[]", "bad_json"),
        ("application/json", "", "bad_json"),
        ("application/json", "{}", "validation_failed"),
    ] {
        let request = Request::post("/api/workspaces")
            .header(header::AUTHORIZATION, format!("Bearer {}", ada.token))
            .header(header::CONTENT_TYPE, kind)
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        assert_eq!(
            app.request(request).await.body["code"],
            code,
            "{kind} {body}"
        );
    }
}

#[tokio::test]
async fn unknown_fields_can_be_refused() {
    let strict = |config: &mut collabflow::config::Config| {
        config.validation.unknown = collabflow::config::UnknownFields::Reject;
    };
    for (app, status) in [(App::new().await, 201), (App::with(strict).await, 400)] {
        let ada = app.person("Ada").await;
        let draft = json!({ "name": "W", "colour": "red", "__v": 3 });
        let reply = app
            .post("/api/workspaces", &ada, draft)
            .await
            .expect(status);
        assert_eq!(reply.body["fields"].get("colour").is_some(), status == 400);
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let ready = app.get("/readyz", &ada).await.expect(200);
    assert_eq!(ready.body, json!({ "status": "ok", "store": "ok" }));
    app.store.close().await;
    let reply = app.get("/api/workspaces", &ada).await.expect(503);
    assert_eq!(
        (reply.header("retry-after"), &reply.body["code"]),
        ("1", &json!("unavailable"))
    );
    let ready = app.get("/readyz", &ada).await.expect(503);
    assert_eq!(
        ready.body,
        json!({ "status": "unavailable", "store": "unavailable" })
    );
    app.get("/healthz", &ada).await.expect(200);
}

#[tokio::test]
async fn a_fault_of_the_server_tells_nothing() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let file = rusqlite::Connection::open(app.folder.path().join("collabflow.db"))
        .expect("the store's file");
    file.execute_batch("PRAGMA foreign_keys = OFF; DROP TABLE workspaces;")
        .expect("a broken store");
    let reply = app.get("/api/workspaces", &ada).await.expect(500);
    assert_eq!(
        reply.body,
        json!({ "message": "Something went wrong on the server", "code": "internal" })
    );
}
