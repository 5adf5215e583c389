//! The limits of connections.

use std::time::Duration;

use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::{POLLING, Socket, WEBSOCKET},
    house::{House, soon},
};

async fn room(house: &House) -> Socket {
    let opens = async {
        loop {
            match Socket::upgrade(house, WEBSOCKET).await {
                Ok(socket) => break socket,
                Err(status) => assert_eq!(status, 503),
            }
        }
    };
    soon("there is room", opens).await
}

#[tokio::test]
async fn a_connection_past_the_cap_is_told_so_and_one_that_leaves_makes_room() {
    let house = House::with(|config| config.limits.connections = 3).await;
    let mut inside = Vec::new();
    for _ in 0..3 {
        inside.push(house.socket().await);
    }
    for _ in 0..5 {
        let refused = Socket::upgrade(&house, WEBSOCKET).await;
        assert_eq!(refused.err().map(|status| status.as_u16()), Some(503));
    }
    let request = house
        .request(Method::GET, "/api/workspaces")
        .header("origin", "http://localhost:3000");
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "http://localhost:3000"
    );
    let body: serde_json::Value = response.json().await.expect("JSON");
    assert_eq!(body["code"], "unavailable");

    inside.pop();
    inside.push(room(&house).await);
}

#[tokio::test]
async fn sessions_that_poll_have_places_of_their_own() {
    let house = House::with(|config| config.limits.connections = 4).await;
    let first = house.polls().await;
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(house.polls().await);
    }
    // The fourth place is the request's own.
    let request = || house.request(Method::GET, POLLING).send();
    let response = request().await.expect("an answer");
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(first.post("1").await.1, "ok");
    let opens = async {
        while request().await.expect("an answer").status() == 503 {
            tokio::task::yield_now().await;
        }
    };
    soon("there is room", opens).await;
}

#[tokio::test]
async fn an_upgraded_session_keeps_one_place_until_it_ends() {
    let house = House::with(|config| config.limits.connections = 3).await;
    let polls = house.polls().await;
    let path = format!("{WEBSOCKET}&sid={}", polls.sid);
    let mut socket = Socket::upgrade(&house, &path).await.expect("it opens");
    socket.send("2probe").await;
    assert_eq!(socket.next().await, "3probe");
    socket.send("5").await;
    socket.send("40{}").await;
    socket.find("44").await;
    let (_second, _third) = (room(&house).await, room(&house).await);
    let refused = Socket::upgrade(&house, WEBSOCKET).await;
    assert_eq!(refused.err().map(|status| status.as_u16()), Some(503));
    drop(socket);
    room(&house).await;
}

#[tokio::test]
async fn a_connection_that_does_not_ask_is_closed() {
    let house =
        House::with(|config| config.limits.header_timeout = Duration::from_millis(200)).await;
    for head in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\n"] {
        let mut tcp = TcpStream::connect(house.address()).await.expect("TCP");
        tcp.write_all(head.as_bytes()).await.expect("it is sent");
        let mut answer = Vec::new();
        // What matters is that it ends; half a request may be answered by a 408 or by nothing.
        let _ = soon("the close", tcp.read_to_end(&mut answer)).await;
    }
}
