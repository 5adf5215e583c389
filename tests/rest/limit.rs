//! What is too much.

use serde_json::{Value, json};

use crate::app::{App, Person};

#[tokio::test]
async fn too_many_requests_of_one_user_are_told_to_wait() {
    let slow = |config: &mut collabflow::config::Config| {
        (
            config.limits.requests_per_second,
            config.limits.requests_burst,
        ) = (1, 3);
    };
    let app = App::with(slow).await;
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    // However slow the machine, more than one comes in each second.
    let refused = async {
        loop {
            let reply = app.get("/api/auth/me", &ada).await;
            if reply.status != 200 {
                break reply.expect(429);
            }
        }
    };
    assert_eq!(refused.await.header("retry-after"), "1");
    app.get("/api/auth/me", &ben).await.expect(200);
}

#[tokio::test]
async fn logins_are_counted_by_address_and_email() {
    let app = App::with(|config| {
        config.limits.login_per_minute = 2;
        config.trusted_proxies = vec!["0.0.0.0/0".parse().expect("a network")];
    })
    .await;
    let login = async |email: &str, from: &str| {
        let credentials = json!({ "email": email, "password": "x" });
        let headers = [("x-forwarded-for", from)];
        app.call("POST", "/api/auth/login", None, credentials, &headers)
            .await
            .status
            .as_u16()
    };
    assert_eq!(login("ada@example.com", "1.1.1.1").await, 401);
    assert_eq!(login("ADA@example.com", "1.1.1.1").await, 401);
    assert_eq!(login("ada@example.com", "1.1.1.1").await, 429);
    assert_eq!(login("ada@example.com", "2.2.2.2").await, 401);
    assert_eq!(login("bob@example.com", "1.1.1.1").await, 401);
}

/// Who tries a list of emails, or fills the store with accounts, tries as many passwords as who tries one email.
#[tokio::test]
async fn logins_and_registrations_from_one_address_are_counted_together() {
    let app = App::with(|config| {
        config.limits.auth_per_minute = 1;
        config.trusted_proxies = vec!["0.0.0.0/0".parse().expect("a network")];
    })
    .await;
    let send = async |path: &str, n: u32, from: &str| {
        let draft = json!({ "name": "N", "email": format!("n{n}@example.com"), "password": "correct horse" });
        let headers = [("x-forwarded-for", from)];
        let path = format!("/api/auth/{path}");
        app.call("POST", &path, None, draft, &headers).await
    };
    send("register", 1, "1.1.1.1").await.expect(201);
    send("login", 1, "2.2.2.2").await.expect(200);
    for (path, from) in [("login", "1.1.1.1"), ("register", "2.2.2.2")] {
        let refused = send(path, 2, from).await.expect(429);
        assert_eq!(refused.body["code"], "rate_limited");
        let wait = refused.header("retry-after").parse::<u32>();
        assert!(wait.is_ok_and(|seconds| (1..=60).contains(&seconds)));
    }
    send("register", 2, "3.3.3.3").await.expect(201);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let app = App::with(|config| config.limits.max_body = 100).await;
    let ada = app.person("Ada").await;
    let name = |length: usize| json!({ "name": "n".repeat(length) });
    app.post("/api/workspaces", &ada, name(80))
        .await
        .expect(201);
    let reply = app
        .post("/api/workspaces", &ada, name(95))
        .await
        .expect(413);
    assert_eq!(reply.body["code"], "payload_too_large");
}

#[tokio::test]
async fn a_page_of_messages_has_a_size() {
    let app = App::with(|config| config.limits.requests_burst = 1_000).await;
    let ada = app.person("Ada").await;
    let (_, project) = app.project(&ada).await;
    let path = format!("/api/channels/{project}/messages");
    for number in 0..205 {
        app.post(&path, &ada, json!({ "content": number.to_string() }))
            .await
            .expect(201);
    }
    let page = async |query: &str| {
        let body = app
            .get(&format!("{path}{query}"), &ada)
            .await
            .expect(200)
            .body;
        let text = |place: usize| {
            body["messages"][place]["content"]
                .as_str()
                .map(ToOwned::to_owned)
        };
        let count = body["messages"].as_array().map_or(0, Vec::len);
        (count, text(0), body["nextBefore"].clone())
    };
    let (count, oldest, next) = page("").await;
    assert_eq!((count, oldest.as_deref()), (50, Some("155")));
    assert_eq!(page("?limit=1000").await.0, 200);
    let before = next.as_str().expect("there is more");
    assert_eq!(
        page(&format!("?limit=200&before={before}")).await,
        (155, Some("0".into()), Value::Null)
    );
    for query in [
        "?limit=0",
        "?limit=many",
        "?before=x",
        &format!("?before={project}"),
    ] {
        app.get(&format!("{path}{query}"), &ada).await.expect(400);
    }
}

/// A stranger's token is no reason to count for somebody else.
#[tokio::test]
async fn a_bad_token_costs_nobody_a_request() {
    let app = App::with(|config| config.limits.requests_burst = 2).await;
    let ada = app.person("Ada").await;
    let forged = Person {
        id: ada.id.clone(),
        token: format!("{}x", ada.token),
    };
    for _ in 0..5 {
        app.get("/api/auth/me", &forged).await.expect(401);
    }
    app.get("/api/auth/me", &ada).await.expect(200);
}
