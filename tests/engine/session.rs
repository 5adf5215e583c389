//! The Socket.IO layer over either transport: CONNECT, namespaces, attachments, leaving and coming back.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{client::content, house::House};

#[tokio::test]
async fn a_session_has_a_public_id_and_a_secret_one() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let first = house.socket().await.connect(&ada).await;
    let second = house.polls().await.connect(&ada).await;
    let mut ids: Vec<_> = [&first["sid"], &first["pid"], &second["sid"], &second["pid"]]
        .map(Value::to_string)
        .into();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn a_refused_connect_says_why_and_leaves_the_connection_open_for_another() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let mut socket = house.socket().await;
    for (auth, message) in [
        ("", "Authentication required"),
        ("{}", "Authentication required"),
        (r#"{"token":""}"#, "Authentication required"),
        (r#"{"token":null}"#, "Authentication required"),
        (r#"{"token":7}"#, "Invalid or expired token"),
        (r#"{"token":"nonsense"}"#, "Invalid or expired token"),
    ] {
        socket.send(format!("40{auth}")).await;
        let refusal: Value = serde_json::from_str(&socket.find("44").await[2..]).expect("JSON");
        assert_eq!(
            refusal,
            json!({ "message": message, "data": { "code": "unauthorized" } }),
            "{auth}"
        );
    }
    socket.connect(&ada).await;
}

#[tokio::test]
async fn other_namespaces_are_refused_and_the_connection_stays() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let mut socket = house.session(&ada).await;
    socket.send("40/admin,{}").await;
    assert_eq!(
        socket.next().await,
        r#"44/admin,{"message":"Invalid namespace"}"#
    );
    assert_eq!(
        socket.try_to("no:such", Value::Null).await["error"]["code"],
        "not_found"
    );
}

#[tokio::test]
async fn attachments_are_refused_and_what_follows_them_is_heard() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let mut socket = house.session(&ada).await;
    for (header, answer) in [
        (
            r#"451-9["chat:message",{"_placeholder":true,"num":0}]"#,
            "439[{\"ok\":false",
        ),
        (
            r#"451-["chat:message",{"_placeholder":true,"num":0}]"#,
            "42[\"error\",{\"event\":\"chat:message\"",
        ),
    ] {
        socket.send(header).await;
        socket.raw(Message::binary(vec![1, 2, 3])).await;
        let heard = socket.next().await;
        assert!(heard.starts_with(answer), "{heard}");
        assert!(heard.contains("validation_failed"), "{heard}");
    }
    // `b` stands before an attachment's base64 in a poll.
    let polls = house.polls().await;
    polls.connect(&ada).await;
    let body = format!(
        "{}\x1ebAQID\x1e421[\"no:such\"]",
        r#"451-9["x",{"_placeholder":true,"num":0}]"#
    );
    assert_eq!(polls.post(body).await.1, "ok");
    let mut heard = polls.packets().await;
    while heard.len() < 2 {
        heard.extend(polls.packets().await);
    }
    assert!(
        heard[0].starts_with("439") && heard[1].starts_with("431"),
        "{heard:?}"
    );
}

#[tokio::test]
async fn who_disconnects_has_left_at_once_and_may_connect_again() {
    let house = House::with(|config| config.presence.grace = Duration::from_secs(600)).await;
    let (ada, ben) = (house.person("Ada").await, house.person("Ben").await);
    let project = house.project(&ada, &[&ben]).await;
    let mut watcher = house.session(&ada).await;
    watcher.ask("join:project", json!(project)).await;
    let mut socket = house.session(&ben).await;
    socket.ask("join:project", json!(project)).await;
    watcher.find("42[\"user:joined\"").await;
    socket.send("41").await;
    watcher.find("42[\"user:left\"").await;
    socket.connect(&ben).await;
    socket.ask("join:project", json!(project)).await;
    watcher.find("42[\"user:joined\"").await;
}

#[tokio::test]
async fn who_is_dropped_has_not_left_and_is_told_on_return_what_was_missed() {
    let house = House::with(|config| config.presence.grace = Duration::from_secs(600)).await;
    let (ada, ben) = (house.person("Ada").await, house.person("Ben").await);
    let project = house.project(&ada, &[&ben]).await;
    let mut watcher = house.session(&ada).await;
    let mut socket = house.socket().await;
    let pid = socket.connect(&ben).await["pid"].clone();
    for one in [&mut watcher, &mut socket] {
        one.ask("chat:join", json!(project)).await;
        one.ask("join:project", json!(project)).await;
    }
    watcher.find("42[\"user:joined\"").await;
    drop(socket);
    let say = |text: &str| json!({ "channelId": project, "content": text });
    for text in ["one", "two"] {
        watcher.ask("chat:message", say(text)).await;
    }
    let mut back = house.socket().await;
    back.connect_with(json!({ "token": ben.token, "pid": pid }))
        .await;
    let mut heard = Vec::new();
    for _ in 0..2 {
        heard.push(content(&back.find("42[\"chat:newMessage\"").await));
    }
    assert_eq!(heard, ["one", "two"]);
    // Silence: what comes next is the marker, and nobody has come or gone.
    watcher
        .send(format!("42{}", json!(["chat:message", say("marker")])))
        .await;
    assert_eq!(content(&back.find("42[\"chat").await), "marker");
    loop {
        let text = watcher.next().await;
        assert!(!text.contains("user:"), "{text}");
        if text.contains("marker") {
            break;
        }
    }
}

#[tokio::test]
async fn what_a_poll_was_answered_counts_as_heard_by_who_is_back_at_once() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let project = house.project(&ada, &[]).await;
    let mut author = house.session(&ada).await;
    author.ask("chat:join", json!(project)).await;
    let polls = house.polls().await;
    let pid = polls.connect(&ada).await["pid"].clone();
    polls
        .post(format!("421{}", json!(["chat:join", project])))
        .await;
    assert!(polls.get().await.1.starts_with("431"));
    let say = |text: &str| json!({ "channelId": project, "content": text });
    author.ask("chat:message", say("heard")).await;
    assert_eq!(content(&polls.get().await.1), "heard");
    author.ask("chat:message", say("unheard")).await;
    let mut back = house.socket().await;
    back.connect_with(json!({ "token": ada.token, "pid": pid }))
        .await;
    assert_eq!(content(&back.find("42[\"chat").await), "unheard");
    author.ask("chat:message", say("marker")).await;
    assert_eq!(content(&back.find("42[\"chat").await), "marker");
}
