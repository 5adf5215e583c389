//! Deadlines of connections that no other file here tells of; the table of all is in `src/edge.rs`.

use std::time::Duration;

use collabflow::config::Config;
use serde_json::json;

use crate::{
    client::{Polls, Socket, WEBSOCKET},
    house::{House, soon},
};

fn lively(config: &mut Config) {
    config.engine.ping_interval = Duration::from_millis(200);
    config.engine.ping_timeout = Duration::from_secs(1);
    config.engine.upgrade_timeout = Duration::from_millis(200);
    config.presence.grace = Duration::from_millis(1);
}

/// Hears of the others in a project until one leaves, and answers pings meanwhile.
async fn hears_of_leaving(mut socket: Socket) -> String {
    loop {
        let text = socket.next().await;
        if text == "2" {
            socket.send("3").await;
        }
        if text.starts_with("42[\"user:left\"") {
            break text;
        }
    }
}

/// A session of Ben's that polls and is in a room falls silent, having done `last`; Ada hears that he has left.
async fn falls_silent(last: impl AsyncFnOnce(&House, &Polls)) {
    let house = House::with(lively).await;
    let (ada, ben) = (house.person("Ada").await, house.person("Ben").await);
    let project = house.project(&ada, &[&ben]).await;
    let mut watcher = house.session(&ada).await;
    watcher.ask("join:project", json!(project)).await;
    let silent = async {
        let polls = house.polls().await;
        polls.connect(&ben).await;
        let join = format!("42{}", json!(["join:project", project]));
        assert_eq!(polls.post(join).await.1, "ok");
        last(&house, &polls).await;
        polls
    };
    let leaving = soon("somebody leaves", hears_of_leaving(watcher));
    let (polls, left) = tokio::join!(silent, leaving);
    assert!(left.contains(&ben.id), "{left}");
    polls.forgotten().await;
}

#[tokio::test]
async fn a_session_that_never_polls_again_has_left() {
    falls_silent(async |_, _| {}).await;
}

#[tokio::test]
async fn a_session_whose_upgrade_is_never_finished_ends_with_its_polls() {
    falls_silent(async |house, polls| {
        let path = format!("{WEBSOCKET}&sid={}", polls.sid);
        let mut socket = Socket::upgrade(house, &path).await.expect("it opens");
        socket.send("2probe").await;
        assert_eq!(socket.next().await, "3probe");
        socket.closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_plain_websocket_without_a_token_is_closed() {
    let house =
        House::with(|config| config.limits.connect_timeout = Duration::from_millis(200)).await;
    let mut socket = Socket::upgrade(&house, "/ws").await.expect("it opens");
    let told = socket.next().await;
    assert!(told.contains("\"unauthorized\""), "{told}");
    assert_eq!(socket.closed().await, Some(4401));
}
