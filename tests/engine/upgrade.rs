//! The upgrade from polling to a WebSocket.

use std::time::Duration;

use futures_util::FutureExt;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{POLLING, Polls, Socket, WEBSOCKET, content},
    house::{House, Person, read, soon},
};

async fn probe(house: &House, polls: &Polls) -> Result<Socket, StatusCode> {
    Socket::upgrade(house, &format!("{WEBSOCKET}&sid={}", polls.sid)).await
}

/// A polling session that has joined the project's channel.
async fn listening(house: &House, person: &Person, project: &str) -> Polls {
    let polls = house.polls().await;
    polls.connect(person).await;
    polls
        .post(format!("421{}", json!(["chat:join", project])))
        .await;
    assert!(polls.get().await.1.starts_with("431"));
    polls
}

fn message(project: &str, text: &str) -> serde_json::Value {
    json!({ "channelId": project, "content": text })
}

#[tokio::test]
async fn it_goes_in_the_order_of_the_protocol() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let project = house.project(&ada, &[]).await;
    let mut author = house.session(&ada).await;
    let polls = listening(&house, &ada, &project).await;
    let waiting = polls.poll().send();

    let mut socket = probe(&house, &polls).await.expect("it opens");
    socket.send("2probe").await;
    assert_eq!(socket.next().await, "3probe");
    let (status, body) = read(
        soon("the poll is released", waiting)
            .await
            .expect("an answer"),
    )
    .await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "6"));
    assert_eq!(polls.get().await.1, "6", "again and again");

    author
        .ask("chat:message", message(&project, "on the poll"))
        .await;
    assert_eq!(content(&polls.get().await.1), "on the poll");
    author
        .ask("chat:message", message(&project, "kept back"))
        .await;
    assert!(
        futures_util::StreamExt::next(&mut socket.stream)
            .now_or_never()
            .is_none(),
        "nothing goes on the WebSocket before the client says so"
    );
    socket.send("5").await;
    assert_eq!(content(&socket.next().await), "kept back");
    author
        .ask("chat:message", message(&project, "afterwards"))
        .await;
    assert_eq!(content(&socket.next().await), "afterwards");

    assert_eq!(
        polls.get().await,
        (
            StatusCode::BAD_REQUEST,
            r#"{"code":3,"message":"Bad request"}"#.into()
        )
    );
    assert_eq!(polls.post("3").await.0, 400);
    assert!(probe(&house, &polls).await.is_err(), "once is enough");
    author
        .ask("chat:message", message(&project, "unharmed"))
        .await;
    assert_eq!(content(&socket.next().await), "unharmed");
}

#[tokio::test]
async fn a_probe_that_fails_leaves_the_polls_as_they_were() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let polls = house.polls().await;
    polls.connect(&ada).await;
    let junk = [
        Message::text("5"),
        Message::text("2"),
        Message::text("3probe"),
        Message::text("421[\"no:such\"]"),
        Message::text(""),
        Message::binary(vec![1]),
        Message::Close(None),
    ];
    for first in junk.clone() {
        let mut socket = probe(&house, &polls).await.expect("it opens");
        socket.raw(first).await;
        socket.closed().await;
        reopened(&house, &polls).await;
    }
    for second in junk.into_iter().skip(1) {
        let mut socket = probe(&house, &polls).await.expect("it opens");
        socket.send("2probe").await;
        assert_eq!(socket.next().await, "3probe");
        socket.raw(second).await;
        socket.closed().await;
        reopened(&house, &polls).await;
    }
    polls.post("421[\"no:such\"]").await;
    let mut heard = polls.get().await.1;
    while heard == "6" {
        heard = polls.get().await.1;
    }
    assert!(heard.starts_with("431"), "{heard}");
}

/// Node answers each probe; one that came twice was once taken for nonsense.
#[tokio::test]
async fn a_client_may_probe_again_before_it_upgrades() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let polls = house.polls().await;
    let mut socket = probe(&house, &polls).await.expect("it opens");
    for _ in 0..3 {
        socket.send("2probe").await;
        assert_eq!(socket.next().await, "3probe");
    }
    socket.send("5").await;
    socket.connect(&ada).await;
}

/// A poll that came between the last release and the upgrade once waited as long as the session lived, and took the
/// session with it when its client gave it up.
#[tokio::test]
async fn a_poll_that_the_upgrade_overtakes_is_let_go() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let polls = house.polls().await;
    let mut socket = probe(&house, &polls).await.expect("it opens");
    socket.send("2probe").await;
    assert_eq!(socket.next().await, "3probe");
    assert_eq!(polls.get().await.1, "6");
    let waiting = tokio::spawn(polls.poll().send());
    assert_eq!(polls.post("3").await.1, "ok");
    socket.send("5").await;
    let answer = soon("an answer", waiting).await.expect("no panic");
    let (status, body) = read(answer.expect("an answer")).await;
    assert!(status == 400 || body == "6", "{status}: {body}");
    socket.connect(&ada).await;
}

/// Waits until a probe has failed, so that another one may begin.
async fn reopened(house: &House, polls: &Polls) {
    let opens = async {
        loop {
            if let Ok(socket) = probe(house, polls).await {
                drop(socket);
                break;
            }
            tokio::task::yield_now().await;
        }
        // That one has failed too when yet another may begin.
        while probe(house, polls).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("another probe may begin", opens).await;
    let free = async {
        while let Err(status) = probe(house, polls).await {
            assert_eq!(status, 400);
            tokio::task::yield_now().await;
        }
    };
    soon("and yet another", free).await;
}

#[tokio::test]
async fn only_one_probe_may_be_open_and_it_may_not_be_open_for_ever() {
    let house =
        House::with(|config| config.engine.upgrade_timeout = Duration::from_millis(300)).await;
    let polls = house.polls().await;
    let mut silent = probe(&house, &polls).await.expect("it opens");
    assert_eq!(
        probe(&house, &polls).await.err(),
        Some(StatusCode::BAD_REQUEST)
    );
    silent.closed().await;
    let mut half = loop {
        match probe(&house, &polls).await {
            Ok(socket) => break socket,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    half.send("2probe").await;
    assert_eq!(half.next().await, "3probe");
    half.closed().await;
    assert!(polls.is_known().await);
}

#[tokio::test]
async fn a_session_that_ends_takes_its_probe_along() {
    let house = House::new().await;
    let polls = house.polls().await;
    let mut socket = probe(&house, &polls).await.expect("it opens");
    socket.send("2probe").await;
    assert_eq!(socket.next().await, "3probe");
    assert_eq!(polls.post("1").await.1, "ok");
    socket.closed().await;
    assert!(probe(&house, &polls).await.is_err());
}

#[tokio::test]
async fn a_ping_that_is_on_its_way_over_the_old_transport_needs_no_pong() {
    let house = House::with(|config| {
        config.engine.ping_interval = Duration::from_millis(300);
        config.engine.ping_timeout = Duration::from_millis(300);
    })
    .await;
    let polls = house.polls().await;
    assert_eq!(polls.get().await.1, "2");
    let mut socket = probe(&house, &polls).await.expect("it opens");
    socket.send("2probe").await;
    assert_eq!(socket.next().await, "3probe");
    socket.send("5").await;
    for _ in 0..3 {
        assert_eq!(socket.next().await, "2");
        socket.send("3").await;
    }
}

/// The client of the protocol's text: it polls until the probe is answered, ends its poll, and upgrades.
async fn listen_through_an_upgrade(house: &House, polls: &Polls, count: usize) -> Vec<String> {
    let mut heard = Vec::new();
    let mut hear = |body: String| {
        let events = body.split('\x1e').filter(|packet| packet.starts_with("42"));
        heard.extend(events.map(content));
        heard.len()
    };
    while hear(polls.get().await.1) < count / 5 {}
    let mut socket = probe(house, polls).await.expect("it opens");
    socket.send("2probe").await;
    let answered = async { socket.next().await };
    let mut answered = Box::pin(answered);
    let pong = loop {
        let poll = polls.get();
        tokio::pin!(poll);
        tokio::select! {
            (_, body) = &mut poll => { hear(body); }
            pong = &mut answered => {
                hear(poll.await.1);
                break pong;
            }
        }
    };
    drop(answered);
    assert_eq!(pong, "3probe");
    socket.send("5").await;
    while hear(socket.next().await) < count {}
    heard
}

#[tokio::test]
async fn five_hundred_messages_amid_it_arrive_once_and_in_order() {
    const COUNT: usize = 500;
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let project = house.project(&ada, &[]).await;
    let polls = listening(&house, &ada, &project).await;
    let mut author = house.session(&ada).await;
    let writing = async {
        for number in 0..COUNT {
            author
                .ask("chat:message", message(&project, &number.to_string()))
                .await;
        }
    };
    let ((), heard) = tokio::join!(writing, listen_through_an_upgrade(&house, &polls, COUNT));
    let expected: Vec<_> = (0..COUNT).map(|number| number.to_string()).collect();
    assert_eq!(heard, expected);
    let request = house.request(Method::GET, &format!("{POLLING}&sid={}", polls.sid));
    assert_eq!(request.send().await.expect("an answer").status(), 400);
}
