//! Accounts and tokens.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{App, Person};

const PASSWORD: &str = "correct horse";

async fn register(app: &App, email: &str) -> crate::app::Reply {
    let draft = json!({ "name": " Ada ", "email": email, "password": PASSWORD });
    app.call("POST", "/api/auth/register", None, draft, &[])
        .await
}

async fn login(app: &App, email: &str, password: &str) -> crate::app::Reply {
    let credentials = json!({ "email": email, "password": password });
    app.call("POST", "/api/auth/login", None, credentials, &[])
        .await
}

#[tokio::test]
async fn an_account_logs_in_by_its_email_in_any_case() {
    let app = App::new().await;
    let made = register(&app, "Ada@Example.com").await.expect(201);
    let user =
        json!({ "_id": made.body["user"]["_id"], "name": "Ada", "email": "ada@example.com" });
    assert_eq!(made.body["user"], user);
    let back = login(&app, "ADA@example.com", PASSWORD).await.expect(200);
    assert_eq!(back.body["user"], user);
    let person = Person {
        id: String::new(),
        token: back.text("token"),
    };
    assert_eq!(
        app.get("/api/auth/me", &person).await.expect(200).body,
        user
    );
}

#[tokio::test]
async fn an_email_has_one_account() {
    let app = App::new().await;
    register(&app, "ada@example.com").await.expect(201);
    let reply = register(&app, "ADA@example.com").await.expect(409);
    assert_eq!(reply.body["code"], "conflict");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_email_are_told_alike() {
    let app = App::new().await;
    register(&app, "ada@example.com").await.expect(201);
    let wrong = login(&app, "ada@example.com", "correct house")
        .await
        .expect(401);
    let unknown = login(&app, "bob@example.com", PASSWORD).await.expect(401);
    assert_eq!(wrong.body, unknown.body);
    assert_eq!(
        wrong.body,
        json!({ "message": "Invalid email or password", "code": "unauthorized" })
    );
}

#[tokio::test]
async fn every_bad_field_of_a_registration_is_named() {
    let app = App::new().await;
    let draft = json!({ "name": "", "email": "ada", "password": "short" });
    let reply = app
        .call("POST", "/api/auth/register", None, draft, &[])
        .await
        .expect(400);
    let fields: Vec<_> = reply.body["fields"]
        .as_object()
        .expect("fields")
        .keys()
        .cloned()
        .collect();
    assert_eq!(fields, ["email", "name", "password"]);
}

#[tokio::test]
async fn registration_can_be_closed() {
    let app = App::with(|config| config.auth.registration = false).await;
    register(&app, "ada@example.com").await.expect(403);
}

#[tokio::test]
async fn users_change_their_name_and_picture() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let patch = json!({ "name": "Ada L.", "avatar": "https://example.com/a.png" });
    let changed = app.patch("/api/auth/me", &ada, patch).await.expect(200);
    // The token still says the old name: the store's counts.
    assert_eq!(app.get("/api/auth/me", &ada).await.body, changed.body);
    assert_eq!(
        (
            changed.text("name").as_str(),
            changed.text("avatar").as_str()
        ),
        ("Ada L.", "https://example.com/a.png")
    );
    let cleared = app
        .patch("/api/auth/me", &ada, json!({ "avatar": null }))
        .await
        .expect(200);
    assert_eq!(cleared.body.get("avatar"), None);
}

#[tokio::test]
async fn without_a_token_or_with_a_bad_one_nothing_is_shown() {
    let app = App::new().await;
    let call = |headers: &'static [(&str, &str)]| {
        app.call("GET", "/api/workspaces", None, Value::Null, headers)
    };
    for (headers, message) in [
        (&[][..], "Authentication required"),
        (&[("authorization", "Bearer ")], "Authentication required"),
        (
            &[("authorization", "Basic YTpi")],
            "Authentication required",
        ),
        (
            &[("authorization", "Bearer a.b.c")],
            "Invalid or expired token",
        ),
    ] {
        let reply = call(headers).await.expect(401);
        assert_eq!(
            reply.body,
            json!({ "message": message, "code": "unauthorized" })
        );
    }
}

#[tokio::test]
async fn tokens_of_this_server_end_after_the_set_time() {
    let app = App::with(|config| config.auth.token_ttl = Duration::from_secs(1_000)).await;
    let token = register(&app, "ada@example.com")
        .await
        .expect(201)
        .text("token");
    let claims = base64::Engine::decode(
        &base64::prelude::BASE64_URL_SAFE_NO_PAD,
        token.split('.').nth(1).expect("three parts"),
    );
    let claims: Value = serde_json::from_slice(&claims.expect("base64")).expect("JSON");
    assert_eq!(
        claims["exp"]
            .as_i64()
            .zip(claims["iat"].as_i64())
            .map(|(exp, iat)| exp - iat),
        Some(1_000)
    );
}
