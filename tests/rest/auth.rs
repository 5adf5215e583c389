//! Accounts and tokens.

use std::time::Duration;

use collabflow::config::Secret;
use collabflow_actors::{
    id::{IdSource, now},
    store::{NewAccount, Store},
};
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

async fn stored_hash(app: &App, email: &str) -> String {
    let account = app.store.account(email.into()).await.expect("an answer");
    account.expect("an account").password_hash
}

/// Ada, as the Node backend stored her.
async fn registered_by_node(app: &App, password: &str) -> String {
    let hash = bcrypt::hash(password, 4).expect("a hash");
    let account = NewAccount {
        id: IdSource::default().next(),
        name: "Ada".into(),
        email: "ada@example.com".into(),
        password_hash: hash.clone(),
        now: now(),
    };
    let user = app.store.register(account).await.expect("an answer");
    user.expect("a free email");
    hash
}

#[tokio::test]
async fn with_mongodb_an_account_gets_a_hash_that_node_reads_and_keeps_it() {
    let app = App::with(|config| config.mongodb.uri = Some(Secret::new("mongodb://a/b"))).await;
    register(&app, "ada@example.com").await.expect(201);
    let hash = stored_hash(&app, "ada@example.com").await;
    assert!(hash.starts_with("$2b$10$"), "{hash}");
    login(&app, "ada@example.com", PASSWORD).await.expect(200);
    assert_eq!(stored_hash(&app, "ada@example.com").await, hash);
    login(&app, "ada@example.com", "correct house")
        .await
        .expect(401);
}

#[tokio::test]
async fn hashes_of_node_are_upgraded_at_a_login_where_that_is_wanted() {
    let app = App::with(|config| config.auth.upgrade_hashes = true).await;
    let old = registered_by_node(&app, PASSWORD).await;
    login(&app, "ada@example.com", "correct house")
        .await
        .expect(401);
    assert_eq!(stored_hash(&app, "ada@example.com").await, old);
    login(&app, "ada@example.com", PASSWORD).await.expect(200);
    let new = stored_hash(&app, "ada@example.com").await;
    assert!(new.starts_with("$argon2id$"), "{new}");
    login(&app, "ada@example.com", PASSWORD).await.expect(200);
    assert_eq!(stored_hash(&app, "ada@example.com").await, new);
    login(&app, "ada@example.com", "correct house")
        .await
        .expect(401);
}

/// bcrypt cannot tell whether the end of it is right.
#[tokio::test]
async fn the_hash_of_a_password_that_bcrypt_saw_in_part_stays() {
    let app = App::with(|config| config.auth.upgrade_hashes = true).await;
    let password = "x".repeat(80);
    let old = registered_by_node(&app, &password).await;
    let slip = format!("{}y", &password[..79]);
    login(&app, "ada@example.com", &slip).await.expect(200);
    login(&app, "ada@example.com", &password).await.expect(200);
    assert_eq!(stored_hash(&app, "ada@example.com").await, old);
}

#[tokio::test]
async fn who_is_right_is_let_in_even_where_the_hash_cannot_be_upgraded() {
    let app = App::with(|config| config.auth.upgrade_hashes = true).await;
    let old = registered_by_node(&app, PASSWORD).await;
    let file = app.folder.path().join("collabflow.db");
    let db = rusqlite::Connection::open(file).expect("the store's file");
    let refuse =
        "CREATE TRIGGER refuse BEFORE UPDATE ON accounts BEGIN SELECT RAISE(ABORT, 'no'); END";
    db.execute_batch(refuse).expect("a trigger");
    login(&app, "ada@example.com", PASSWORD).await.expect(200);
    assert_eq!(stored_hash(&app, "ada@example.com").await, old);
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
