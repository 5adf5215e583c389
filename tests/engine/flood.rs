//! A connection that says too much, in whatever words, is refused and then closed; one beside it notices nothing.

use std::time::Duration;

use collabflow::config::Config;
use futures_util::{SinkExt, StreamExt, future::join_all};
use serde_json::json;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::{
    client::Socket,
    house::{House, PATIENCE, Person, soon},
};

/// 1008: a policy is violated.
const FLOOD: Option<u16> = Some(1008);

fn tight(config: &mut Config) {
    config.limits.events_per_second = 20;
    config.limits.events_burst = 40;
}

/// A flood may last for five seconds, and those on a slow machine.
async fn soon_enough<T>(end: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(3 * PATIENCE, end).await;
    ended.expect("the flood is closed")
}

/// Says the same again and again until it is closed; gives the code of the close.
async fn closed_for(house: &House, path: &str, opening: &str, words: &[Message]) -> Option<u16> {
    let mut socket = Socket::upgrade(house, path).await.expect("it opens");
    if !opening.is_empty() {
        socket.send(opening).await;
    }
    let (mut write, mut read) = socket.stream.split();
    let flood = async {
        for word in words.iter().cycle() {
            if write.send(word.clone()).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::future::pending::<()>().await;
    };
    let end = async {
        while let Some(Ok(message)) = read.next().await {
            if let Message::Close(frame) = message {
                return frame.map(|frame| frame.code.into());
            }
        }
        None
    };
    let closed = async {
        tokio::select! {
            code = end => code,
            () = flood => None,
        }
    };
    soon_enough(closed).await
}

/// Asks for answers at an unhurried pace, and gets each.
async fn calm(house: &House, person: &Person) {
    let mut socket = house.session(person).await;
    for _ in 0..60 {
        let answer = socket.try_to("no:such", json!(null)).await;
        assert_eq!(answer["error"]["code"], "not_found");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn whatever_a_flood_is_made_of_it_is_closed_alone() {
    let house = House::with(tight).await;
    let (ada, ben) = (house.person("Ada").await, house.person("Ben").await);
    let connect = format!("40{}", json!({ "token": ada.token }));
    let text = |text: &str| Message::text(text.to_owned());
    let ping = Message::Ping(Bytes::new());
    let attachments = [
        text(r#"461-1[{"_placeholder":true,"num":0}]"#),
        Message::binary("x"),
    ];
    let socket_io = crate::client::WEBSOCKET;
    let plain = format!("/ws?token={}", ada.token);
    let floods: [(&str, &str, &[Message]); 8] = [
        (socket_io, "", &[text(r#"40{"token":"bad"}"#)]),
        (socket_io, "", &[text("40/admin,")]),
        (socket_io, &connect, &[text("431[]")]),
        (socket_io, &connect, &attachments),
        (socket_io, &connect, &[text("3")]),
        (socket_io, &connect, std::slice::from_ref(&ping)),
        (&plain, "", std::slice::from_ref(&ping)),
        ("/ws", "", std::slice::from_ref(&ping)),
    ];
    let floods = floods.map(|(path, opening, words)| closed_for(&house, path, opening, words));
    let (codes, ()) = tokio::join!(join_all(floods), calm(&house, &ben));
    assert_eq!(codes, [FLOOD; 8]);
}

/// Each CONNECT opens a session, so who ends them as fast as they are opened gets no more of them for it.
#[tokio::test]
async fn who_goes_in_and_out_is_closed() {
    let house = House::with(tight).await;
    let ada = house.person("Ada").await;
    let connect = format!("40{}", json!({ "token": ada.token }));
    let mut socket = house.socket().await;
    let flood = async {
        loop {
            if socket.stream.send(connect.clone().into()).await.is_err() {
                break None;
            }
            match socket.stream.next().await {
                Some(Ok(Message::Text(text))) if text.starts_with("40") => socket.send("41").await,
                Some(Ok(Message::Text(text))) => {
                    assert!(text.contains("rate_limited"), "{text}");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Some(Ok(Message::Close(frame))) => break frame.map(|frame| frame.code.into()),
                _ => break None,
            }
        }
    };
    assert_eq!(soon_enough(flood).await, FLOOD);
}

#[tokio::test]
async fn a_flood_of_polled_packets_is_closed_too() {
    let house = House::with(tight).await;
    let polls = house.polls().await;
    polls.connect(&house.person("Ada").await).await;
    let junk = vec!["431[]"; 20].join("\x1e");
    let flood = async {
        while polls.post(junk.clone()).await.0 == 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon_enough(flood).await;
    polls.forgotten().await;
}

#[tokio::test]
async fn a_connect_past_the_limit_is_told_so_and_may_be_tried_again() {
    let house = House::with(|config| {
        config.limits.events_per_second = 5;
        config.limits.events_burst = 3;
    })
    .await;
    let ada = house.person("Ada").await;
    let mut socket = house.socket().await;
    let refused = loop {
        socket.send("40{}").await;
        let refused = socket.find("44").await;
        if refused.contains("rate_limited") {
            break refused;
        }
    };
    assert!(refused.starts_with("44{"), "{refused}");
    let connected = async {
        loop {
            socket
                .send(format!("40{}", json!({ "token": ada.token })))
                .await;
            if socket.find("4").await.starts_with("40") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    soon("there is a permit again", connected).await;
    let error = socket.try_to("no:such", json!(null)).await;
    assert_eq!(
        error["error"]["code"], "not_found",
        "events have permits of their own"
    );
}
