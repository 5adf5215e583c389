//! Readers who do not read: they are closed, and nobody else notices.

use std::time::Duration;

use collabflow::config::Config;
use serde_json::json;
use tokio::net::TcpSocket;

use crate::{
    client::{Socket, WEBSOCKET, request},
    house::{House, PATIENCE, Person, soon},
};

/// More than the system holds for a connection, in tasks of 20 kB.
const TASKS: usize = 400;

/// A session whose socket takes little and which has joined the project, but is not read any more.
async fn stuck(house: &House, person: &Person, project: &str) -> Socket {
    let tcp = TcpSocket::new_v4().expect("a socket");
    tcp.set_recv_buffer_size(4_096).expect("a small buffer");
    let tcp = tcp.connect(house.address()).await.expect("TCP");
    let mut socket = Socket::over(tcp, request(house, WEBSOCKET))
        .await
        .expect("it opens");
    socket.find("0{").await;
    socket.connect(person).await;
    socket.ask("join:project", json!(project)).await;
    socket
}

/// Fills everything that the system holds for a connection, `batch` tasks at a time; the healthy one hears each.
async fn flood(author: &mut Socket, healthy: &mut Socket, project: &str, batch: usize) {
    let description = "x".repeat(20_000);
    for start in (0..TASKS).step_by(batch) {
        let numbers = start..TASKS.min(start + batch);
        for number in numbers.clone() {
            let task = json!({ "title": number.to_string(), "description": description });
            let event = json!(["task:create", { "projectId": project, "task": task }]);
            author.send(format!("42{event}")).await;
        }
        for number in numbers {
            assert_created(healthy, number).await;
        }
    }
}

async fn assert_created(socket: &mut Socket, number: usize) {
    let told = socket.find("42[\"task:created\"").await;
    assert!(told.contains(&format!(r#""title":"{number}""#)), "{number}");
}

async fn a_stuck_reader_is_closed(change: impl FnOnce(&mut Config), batch: usize) {
    let house = House::with(change).await;
    let (ada, ben) = (house.person("Ada").await, house.person("Ben").await);
    let project = house.project(&ada, &[&ben]).await;
    let mut author = house.session(&ada).await;
    let mut healthy = house.session(&ada).await;
    for socket in [&mut author, &mut healthy] {
        socket.ask("join:project", json!(project)).await;
    }
    let mut stuck = stuck(&house, &ben, &project).await;
    flood(&mut author, &mut healthy, &project, batch).await;
    // Nothing more is told to it, and yet it is out of the room before it reads of its end.
    let polling = async {
        loop {
            let answer = author.ask("join:project", json!(project)).await;
            if answer["users"].as_array().map(Vec::len) == Some(1) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("who is stuck has left", polling).await;
    stuck.closed().await;
    healthy.ask("leave:project", json!(project)).await;
}

#[tokio::test]
async fn one_that_leaves_too_much_waiting_is_closed_and_nobody_waits_for_it() {
    let tight = |config: &mut Config| {
        config.limits.outbox_bytes = 100_000;
        config.limits.outbox_stall = 10 * PATIENCE;
        config.presence.grace = Duration::ZERO;
    };
    a_stuck_reader_is_closed(tight, 2).await;
}

#[tokio::test]
async fn one_that_takes_nothing_for_too_long_is_closed_though_little_waits() {
    let tight = |config: &mut Config| {
        config.limits.outbox_bytes = 100_000_000;
        config.limits.outbox_stall = Duration::from_secs(3);
        config.presence.grace = Duration::ZERO;
    };
    a_stuck_reader_is_closed(tight, TASKS).await;
}

#[tokio::test]
async fn one_that_reads_late_gets_everything_in_order() {
    let house = House::with(|config| config.limits.outbox_bytes = 100_000_000).await;
    let (ada, ben) = (house.person("Ada").await, house.person("Ben").await);
    let project = house.project(&ada, &[&ben]).await;
    let mut author = house.session(&ada).await;
    let mut healthy = house.session(&ada).await;
    healthy.ask("join:project", json!(project)).await;
    let mut late = stuck(&house, &ben, &project).await;
    flood(&mut author, &mut healthy, &project, TASKS).await;
    for number in 0..TASKS {
        assert_created(&mut late, number).await;
    }
}
