//! Long-polling.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::{POLLING, Polls, content},
    house::{House, read, soon},
};

#[tokio::test]
async fn a_session_opens_with_what_the_client_must_know() {
    let house = House::new().await;
    let request = house.request(Method::GET, &format!("{POLLING}&t=abc&b64=1"));
    let response = request.send().await.expect("an answer");
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; charset=UTF-8"
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
    let of_balancers = response.headers()["x-engine-sid"].clone();
    let (status, body) = read(response).await;
    assert_eq!((status, &body[..1]), (StatusCode::OK, "0"));
    let handshake: Value = serde_json::from_str(&body[1..]).expect("JSON");
    assert_eq!(
        handshake,
        json!({
            "sid": of_balancers.to_str().expect("an id"),
            "upgrades": ["websocket"],
            "pingInterval": 25_000,
            "pingTimeout": 20_000,
            "maxPayload": 1_000_000,
        })
    );
    assert_ne!(house.polls().await.sid, house.polls().await.sid);
}

#[tokio::test]
async fn a_bad_request_is_refused_in_the_words_of_nodes_server() {
    let house = House::new().await;
    let socket = house.socket().await;
    let sid = house.polls().await.sid;
    for (method, query, code, message) in [
        ("GET", "EIO=4".to_owned(), 0, "Transport unknown"),
        (
            "GET",
            "EIO=4&transport=pigeon".into(),
            0,
            "Transport unknown",
        ),
        (
            "GET",
            "EIO=4&transport=polling&sid=nobody".into(),
            1,
            "Session ID unknown",
        ),
        (
            "POST",
            "EIO=4&transport=polling&sid=nobody".into(),
            1,
            "Session ID unknown",
        ),
        (
            "POST",
            "EIO=4&transport=polling".into(),
            2,
            "Bad handshake method",
        ),
        ("GET", "EIO=4&transport=websocket".into(), 3, "Bad request"),
        (
            "GET",
            format!("EIO=4&transport=websocket&sid={sid}"),
            3,
            "Bad request",
        ),
        (
            "PUT",
            format!("EIO=4&transport=polling&sid={sid}"),
            3,
            "Bad request",
        ),
        (
            "GET",
            "EIO=3&transport=polling".into(),
            5,
            "Unsupported protocol version",
        ),
        (
            "GET",
            "transport=polling".into(),
            5,
            "Unsupported protocol version",
        ),
    ] {
        let method = method.parse().expect("a method");
        let request = house.request(method, &format!("/socket.io/?{query}"));
        let (status, body) = read(request.send().await.expect("an answer")).await;
        assert_eq!(status, 400, "{query}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body, json!({ "code": code, "message": message }), "{query}");
    }
    drop(socket);
}

#[tokio::test]
async fn a_session_on_a_websocket_takes_no_polls() {
    let house = House::new().await;
    let mut socket = crate::client::Socket::upgrade(&house, crate::client::WEBSOCKET)
        .await
        .expect("it opens");
    let open = socket.next().await;
    let handshake: Value = serde_json::from_str(&open[1..]).expect("JSON");
    assert_eq!(handshake["upgrades"], json!([]));
    let sid = handshake["sid"].as_str().expect("an id");
    let request = house.request(Method::GET, &format!("{POLLING}&sid={sid}"));
    let (status, body) = read(request.send().await.expect("an answer")).await;
    assert_eq!(status, 400);
    assert_eq!(body, r#"{"code":3,"message":"Bad request"}"#);
}

#[tokio::test]
async fn a_poll_waits_until_there_is_something_and_takes_all_of_it() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let polls = house.polls().await;
    let (reply, posted) = tokio::join!(
        polls.packets(),
        polls.post(format!("40{}", json!({ "token": ada.token })))
    );
    assert_eq!(posted, (StatusCode::OK, "ok".into()));
    assert!(reply[0].starts_with("40{"), "{reply:?}");
    let project = house.project(&ada, &[]).await;
    let join = json!(["chat:join", project]);
    let typing = json!(["no:such", null]);
    polls
        .post(format!("421{join}\x1e422{typing}\x1e423{typing}"))
        .await;
    let mut acks = Vec::new();
    while acks.len() < 3 {
        acks.extend(polls.packets().await);
    }
    let ids: Vec<_> = acks.iter().map(|ack| &ack[..3]).collect();
    assert_eq!(ids, ["431", "432", "433"]);
}

#[tokio::test]
async fn an_answer_holds_no_more_than_a_payload_may() {
    let house = House::with(|config| config.limits.max_payload = 1_000).await;
    let ada = house.person("Ada").await;
    let project = house.project(&ada, &[]).await;
    let polls = house.polls().await;
    polls.connect(&ada).await;
    let mut author = house.session(&ada).await;
    author.ask("chat:join", json!(project)).await;
    polls
        .post(format!("421{}", json!(["chat:join", project])))
        .await;
    assert!(polls.get().await.1.starts_with("431"));
    for number in 0..6 {
        let text =
            json!({ "channelId": project, "content": format!("{number}{}", "x".repeat(120)) });
        author.ask("chat:message", text).await;
    }
    let mut heard = Vec::new();
    while heard.len() < 6 {
        let packets = polls.packets().await;
        let bytes: usize = packets.iter().map(|packet| packet.len() + 1).sum();
        assert!(packets.len() > 1 && bytes - 1 <= 1_000, "{bytes} bytes");
        heard.extend(packets.iter().map(|packet| content(packet)[..1].to_owned()));
    }
    assert_eq!(heard, ["0", "1", "2", "3", "4", "5"]);
}

/// Often, since what ends a session is a task of its own, which may come late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_poll_at_once_ends_the_session_there_and_then() {
    let house = House::new().await;
    for _ in 0..50 {
        let polls = house.polls().await;
        let (first, second) = tokio::join!(polls.get(), polls.get());
        let mut statuses = [first.0, second.0];
        statuses.sort();
        assert_eq!(statuses, [200, 400]);
        let told = [first.1, second.1];
        assert!(told.contains(&"1".into()), "the other is told");
        assert_eq!(
            polls.get().await.1,
            r#"{"code":1,"message":"Session ID unknown"}"#
        );
    }
}

/// Begins a POST and stops in the middle of its body.
async fn half_a_post(house: &House, polls: &Polls) -> TcpStream {
    let mut tcp = TcpStream::connect(house.address()).await.expect("TCP");
    let head = format!(
        "POST {POLLING}&sid={} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n3",
        polls.sid
    );
    tcp.write_all(head.as_bytes()).await.expect("it is sent");
    tcp
}

async fn answer(mut tcp: TcpStream) -> String {
    let mut bytes = vec![0; 4_096];
    let count = soon("an answer", tcp.read(&mut bytes)).await;
    String::from_utf8_lossy(&bytes[..count.expect("an answer")]).into_owned()
}

#[tokio::test]
async fn a_second_post_at_once_ends_the_session() {
    let house = House::new().await;
    let polls = house.polls().await;
    let first = half_a_post(&house, &polls).await;
    // The first is known to be there once a second one is refused.
    let refused = async { while polls.is_known().await {} };
    soon("a post is refused", refused).await;
    assert!(answer(first).await.starts_with("HTTP/1.1 400"));
    assert_eq!(polls.get().await.0, 400);
}

#[tokio::test]
async fn a_body_that_never_arrives_does_not_keep_the_session_alive() {
    let house = House::with(|config| {
        config.engine.ping_interval = Duration::from_millis(50);
        config.engine.ping_timeout = Duration::from_millis(150);
    })
    .await;
    let polls = house.polls().await;
    let post = half_a_post(&house, &polls).await;
    assert!(answer(post).await.starts_with("HTTP/1.1 400"));
    assert_eq!(polls.get().await.0, 400);
}

#[tokio::test]
async fn what_is_no_payload_ends_the_session() {
    let house = House::new().await;
    for body in ["", "junk", "4\x1e\x1e", "b!!!", "2", "9", "42[\"x\"]"] {
        let polls = house.polls().await;
        assert_eq!(polls.post(body).await.0, 400, "{body:?}");
        assert_eq!(polls.get().await.0, 400, "{body:?}");
    }
    let polls = house.polls().await;
    assert_eq!(polls.post(&b"4\xff\xfe"[..]).await.0, 400);
    assert_eq!(polls.get().await.0, 400);
    let polls = house.polls().await;
    let (status, _) = polls.post_as("application/octet-stream", "40").await;
    assert_eq!(status, 400);
    assert_eq!(polls.get().await.0, 400);
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_and_ends_the_session() {
    let house = House::with(|config| config.limits.max_payload = 1_000).await;
    let polls = house.polls().await;
    assert_eq!(polls.post(format!("3{}", "x".repeat(999))).await.0, 200);
    for bytes in [1_001, 7_000] {
        let polls = house.polls().await;
        assert_eq!(polls.post("4".repeat(bytes)).await.0, 413, "{bytes} bytes");
        assert_eq!(polls.get().await.0, 400);
    }
}

#[tokio::test]
async fn a_body_that_goes_on_and_on_is_not_read_to_its_end() {
    let house = House::with(|config| config.limits.max_payload = 1_000).await;
    let polls = house.polls().await;
    let mut tcp = TcpStream::connect(house.address()).await.expect("TCP");
    let head = format!(
        "POST {POLLING}&sid={} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000000\r\n\r\n",
        polls.sid
    );
    tcp.write_all(head.as_bytes()).await.expect("it is sent");
    let endless = async { while tcp.write_all(&[b'4'; 10_000]).await.is_ok() {} };
    soon("the connection is closed", endless).await;
    polls.forgotten().await;
}

#[tokio::test]
async fn a_post_that_does_not_arrive_holds_up_the_end_of_no_session() {
    let house = House::with(|config| {
        config.engine.ping_interval = Duration::from_millis(100);
        config.engine.ping_timeout = Duration::from_millis(300);
    })
    .await;
    let polls = house.polls().await;
    let mut tcp = TcpStream::connect(house.address()).await.expect("TCP");
    let head = format!(
        "POST {POLLING}&sid={} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n3",
        polls.sid
    );
    tcp.write_all(head.as_bytes()).await.expect("it is sent");
    let mut answer = [0; 12];
    soon("the answer", tcp.read_exact(&mut answer))
        .await
        .expect("one comes");
    assert_eq!(&answer, b"HTTP/1.1 400");
    assert_eq!(polls.get().await.0, 400, "the session is gone");
}

/// A poll may come after the close, and is one of no session then; so more than one try is allowed.
#[tokio::test]
async fn a_client_that_closes_has_its_poll_released_by_a_noop() {
    let house = House::new().await;
    for _ in 0..20 {
        let polls = house.polls().await;
        let waiting = tokio::spawn(polls.poll().send());
        assert!(polls.is_known().await);
        assert_eq!(polls.post("1").await, (StatusCode::OK, "ok".into()));
        let waited = soon("the poll ends", waiting).await.expect("no panic");
        let (status, body) = read(waited.expect("an answer")).await;
        assert_eq!(polls.get().await.0, 400);
        if status == 200 {
            assert_eq!(body, "6");
            return;
        }
    }
    panic!("no poll was ever released");
}

#[tokio::test]
async fn a_client_that_gives_its_poll_up_is_gone() {
    let house = House::new().await;
    let polls = house.polls().await;
    let waiting = tokio::time::timeout(Duration::from_millis(100), polls.poll().send());
    assert!(waiting.await.is_err(), "there is nothing to be told");
    polls.forgotten().await;
}

#[tokio::test]
async fn the_end_of_the_server_releases_polls() {
    let house = House::new().await;
    let polls = house.polls().await;
    let waiting = tokio::spawn(polls.poll().send());
    assert!(polls.is_known().await);
    // Both ways to see the end are good: to be told, or not to be let in any more.
    house.end().await;
    if let Ok(response) = waiting.await.expect("no panic") {
        let (status, body) = read(response).await;
        assert!(body == "1" || status == 400, "{status} {body}");
    }
}
