//! Heartbeats, and what their absence means.

use std::time::{Duration, Instant};

use collabflow::config::Config;
use serde_json::json;

use crate::{
    client::content,
    house::{House, soon},
};

const INTERVAL: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_millis(300);

fn lively(config: &mut Config) {
    config.engine.ping_interval = INTERVAL;
    config.engine.ping_timeout = TIMEOUT;
}

#[tokio::test]
async fn a_ping_comes_an_interval_after_each_pong() {
    let house = House::with(lively).await;
    let mut socket = house.socket().await;
    for _ in 0..5 {
        let since = Instant::now();
        assert_eq!(socket.next().await, "2");
        assert!(since.elapsed() >= INTERVAL.mul_f32(0.9));
        socket.send("3").await;
    }
    let polls = house.polls().await;
    for _ in 0..5 {
        assert_eq!(polls.get().await.1, "2");
        assert_eq!(polls.post("3").await.1, "ok");
    }
}

#[tokio::test]
async fn only_pongs_are_a_sign_of_life() {
    let house = House::with(lively).await;
    let ada = house.person("Ada").await;
    let mut socket = house.session(&ada).await;
    socket.find("2").await;
    let chatter = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if futures_util::SinkExt::send(&mut socket.stream, "42[\"no:such\"]".into())
                .await
                .is_err()
            {
                break;
            }
        }
    };
    soon("the connection is closed", chatter).await;
}

#[tokio::test]
async fn a_silent_session_ends_over_either_transport() {
    let house = House::with(lively).await;
    let mut socket = house.socket().await;
    assert_eq!(socket.next().await, "2");
    assert_eq!(socket.closed().await, Some(1000));
    let polls = house.polls().await;
    assert_eq!(polls.get().await.1, "2");
    // The poll that waits at the end is told; one that comes later is of no session.
    let (status, body) = polls.get().await;
    assert!(body == "1" || status == 400, "{status} {body}");
    assert_eq!(polls.get().await.0, 400);
}

#[tokio::test]
async fn a_connection_that_joins_no_namespace_is_closed() {
    let house =
        House::with(|config| config.limits.connect_timeout = Duration::from_millis(200)).await;
    let ada = house.person("Ada").await;
    let polls = house.polls().await;
    let mut refused = house.socket().await;
    refused.send("40{}").await;
    refused.find("44").await;
    let mut joined = house.session(&ada).await;
    assert_eq!(refused.closed().await, Some(1000));
    polls.forgotten().await;
    let error = joined.try_to("no:such", json!(null)).await;
    assert_eq!(error["error"]["code"], "not_found", "who has joined stays");
}

#[tokio::test]
async fn a_connection_whose_session_has_ended_is_closed_unless_another_begins() {
    let house =
        House::with(|config| config.limits.connect_timeout = Duration::from_millis(500)).await;
    let ada = house.person("Ada").await;
    let mut left = house.session(&ada).await;
    let mut back = house.session(&ada).await;
    left.send("41").await;
    back.send("41").await;
    back.connect(&ada).await;
    assert_eq!(left.closed().await, Some(1000));
    tokio::time::sleep(Duration::from_millis(600)).await;
    let error = back.try_to("no:such", json!(null)).await;
    assert_eq!(error["error"]["code"], "not_found", "who is back stays");
}

#[tokio::test]
async fn what_was_told_to_a_connection_that_fell_silent_is_told_on_return() {
    let house = House::with(|config| {
        lively(config);
        config.engine.ping_timeout = Duration::from_secs(1);
    })
    .await;
    let ada = house.person("Ada").await;
    let project = house.project(&ada, &[]).await;
    let mut socket = house.socket().await;
    let pid = socket.connect(&ada).await["pid"].clone();
    socket.ask("chat:join", json!(project)).await;
    let say = |text: &str| {
        format!(
            "42{}",
            json!(["chat:message", { "channelId": project, "content": text }])
        )
    };

    socket.send(say("before the ping")).await;
    assert_eq!(content(&socket.find("42").await), "before the ping");
    socket.find("2").await;
    socket.send(say("after the ping")).await;
    assert_eq!(
        content(&socket.find("42").await),
        "after the ping",
        "and no pong"
    );
    assert_eq!(socket.closed().await, Some(1000));

    let mut back = house.socket().await;
    back.connect_with(json!({ "token": ada.token, "pid": pid }))
        .await;
    assert_eq!(content(&back.find("42[\"chat").await), "after the ping");
}

#[tokio::test]
async fn what_the_last_poll_of_a_silent_connection_was_answered_is_told_on_return() {
    let house = House::with(|config| {
        config.engine.ping_interval = Duration::from_secs(2);
        config.engine.ping_timeout = Duration::from_secs(1);
    })
    .await;
    let ada = house.person("Ada").await;
    let project = json!(house.project(&ada, &[]).await);
    let polls = house.polls().await;
    let pid = polls.connect(&ada).await["pid"].clone();
    polls
        .post(format!("421{}", json!(["chat:join", project])))
        .await;
    assert!(polls.get().await.1.starts_with("431"));
    let say = json!(["chat:message", { "channelId": project, "content": "answered" }]);
    polls.post(format!("42{say}")).await;
    assert_eq!(content(&polls.get().await.1), "answered");

    // Its posts go on, which says nothing of what it has read.
    let typing = json!(["chat:typing", { "channelId": project, "isTyping": false }]);
    let silence = async {
        while polls.post(format!("42{typing}")).await.0 == 200 {
            tokio::time::sleep(INTERVAL).await;
        }
    };
    soon("the end of the silence", silence).await;
    let mut back = house.socket().await;
    back.connect_with(json!({ "token": ada.token, "pid": pid }))
        .await;
    assert_eq!(content(&back.find("42[\"chat").await), "answered");
}
