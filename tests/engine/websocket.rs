//! WebSockets: their opening, their frames, their end.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use crate::{
    client::{Socket, WEBSOCKET, content, masked},
    house::{House, soon},
};

#[tokio::test]
async fn an_upgrade_that_is_no_handshake_is_refused_in_plain_text() {
    let house = House::new().await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (path, message) in [
        ("/socket.io/?EIO=4&transport=pigeon", "Transport unknown"),
        (
            "/socket.io/?EIO=4&transport=websocket&sid=nobody",
            "Session ID unknown",
        ),
        (
            "/socket.io/?EIO=3&transport=websocket",
            "Unsupported protocol version",
        ),
    ] {
        let mut tcp = TcpStream::connect(house.address()).await.expect("TCP");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n");
        tcp.write_all(request.as_bytes()).await.expect("it is sent");
        let mut answer = String::new();
        soon("the whole answer", tcp.read_to_string(&mut answer))
            .await
            .expect("text, and then the end");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{message}")), "{answer}");
    }
}

#[tokio::test]
async fn what_is_sent_together_with_the_upgrade_is_not_lost() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let mut tcp = TcpStream::connect(house.address()).await.expect("TCP");
    let mut bytes = format!(
        "GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes();
    bytes.extend(masked(&format!("40{}", json!({ "token": ada.token }))));
    bytes.extend(masked(r#"421["no:such",null]"#));
    tcp.write_all(&bytes).await.expect("it is sent");
    let mut heard = Vec::new();
    let ack = async {
        while !String::from_utf8_lossy(&heard).contains(r#"431[{"ok":false"#) {
            assert_ne!(tcp.read_buf(&mut heard).await.expect("it is open"), 0);
        }
    };
    soon("the acknowledgement", ack).await;
    let heard = String::from_utf8_lossy(&heard);
    // The example of RFC 6455, section 1.3.
    assert!(heard.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{heard}");
}

#[tokio::test]
async fn pings_are_answered_in_between() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let mut socket = house.session(&ada).await;
    socket.raw(Message::Ping("are you there?".into())).await;
    socket.send(r#"421["no:such",null]"#).await;
    let pong = soon("a pong", socket.stream.next()).await;
    assert_eq!(
        pong.expect("it is open").expect("a frame"),
        Message::Pong("are you there?".into())
    );
    assert!(socket.next().await.starts_with("431"));
}

fn piece(text: &str, opcode: Data, is_final: bool) -> Message {
    Message::Frame(Frame::message(
        text.to_owned().into_bytes(),
        OpCode::Data(opcode),
        is_final,
    ))
}

#[tokio::test]
async fn a_message_in_pieces_is_one_message() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let mut socket = house.session(&ada).await;
    socket.raw(piece(r#"421["no"#, Data::Text, false)).await;
    socket.raw(Message::Ping("".into())).await;
    socket.raw(piece(":such", Data::Continue, false)).await;
    socket.raw(piece("\",null]", Data::Continue, true)).await;
    assert!(socket.next().await.contains("not_found"));
}

#[tokio::test]
async fn a_message_over_the_limit_ends_the_connection_with_1009() {
    let house = House::with(|config| config.limits.max_payload = 100_000).await;
    let ada = house.person("Ada").await;
    let project = house.project(&ada, &[]).await;
    let mut socket = house.session(&ada).await;
    let long = "x".repeat(99_900);
    let answer = socket
        .try_to(
            "chat:message",
            json!({ "channelId": project, "content": long }),
        )
        .await;
    assert_eq!(answer["error"]["code"], "validation_failed");

    let mut whole = house.session(&ada).await;
    whole.send("4".repeat(5_000_000)).await;
    assert_eq!(whole.closed().await, Some(1009));

    let mut pieces = house.session(&ada).await;
    pieces
        .raw(piece(&"4".repeat(60_000), Data::Text, false))
        .await;
    pieces
        .raw(piece(&"4".repeat(60_000), Data::Continue, true))
        .await;
    assert_eq!(pieces.closed().await, Some(1009));
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection_with_1002() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    for text in ["", "9", "2", "4", "47", "42[]", "40{}", r#"42/admin,["x"]"#] {
        let mut socket = house.session(&ada).await;
        socket.send(text).await;
        assert_eq!(socket.closed().await, Some(1002), "{text:?}");
    }
    let mut early = house.socket().await;
    early.send(r#"42["no:such"]"#).await;
    assert_eq!(early.closed().await, Some(1002));
    let mut unannounced = house.session(&ada).await;
    unannounced.raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(unannounced.closed().await, Some(1002));
    let mut no_text = house.session(&ada).await;
    no_text
        .raw(Message::Frame(Frame::message(
            vec![b'4', 0xff],
            OpCode::Data(Data::Text),
            true,
        )))
        .await;
    assert_eq!(no_text.closed().await, Some(1002));
}

#[tokio::test]
async fn bytes_that_only_look_like_a_large_frame_are_not_waited_for() {
    let house = House::new().await;
    let mut socket = house.socket().await;
    let tcp = socket.stream.get_mut();
    tcp.write_all(&[0xff, 0xff, 0xff, 0xff, 0x00, 0x01])
        .await
        .expect("it is sent");
    assert_eq!(socket.closed().await, Some(1002));
}

#[tokio::test]
async fn a_close_is_answered_by_one() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    for text in [None, Some("1")] {
        let mut socket = house.session(&ada).await;
        match text {
            Some(text) => socket.send(text).await,
            None => {
                let frame = CloseFrame {
                    code: CloseCode::Normal,
                    reason: "".into(),
                };
                socket.raw(Message::Close(Some(frame))).await;
            }
        }
        assert_eq!(socket.closed().await, Some(1000), "{text:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_server_is_told_and_no_packet_makes_clients_stay_away() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let mut socket = house.session(&ada).await;
    let (_, code) = tokio::join!(house.end(), socket.closed());
    assert_eq!(code, Some(1001));
}

#[tokio::test]
async fn many_frames_at_once_keep_their_order() {
    let house = House::new().await;
    let ada = house.person("Ada").await;
    let project = house.project(&ada, &[]).await;
    let mut author = house.session(&ada).await;
    let mut reader = house.session(&ada).await;
    for socket in [&mut author, &mut reader] {
        socket.ask("chat:join", json!(project)).await;
    }
    for number in 0..300 {
        let message = json!({ "channelId": project, "content": number.to_string() });
        let event = json!(["chat:message", message]);
        author.send(format!("42{event}")).await;
    }
    for number in 0..300 {
        assert_eq!(
            content(&reader.find("42").await),
            number.to_string(),
            "in the order in which they were sent"
        );
    }
}

/// A connection whose peer vanishes in the middle of the opening must not stay.
#[tokio::test]
async fn a_client_that_leaves_during_the_opening_frees_its_place() {
    let house = House::with(|config| config.limits.connections = 2).await;
    for _ in 0..10 {
        let mut tcp = TcpStream::connect(house.address()).await.expect("TCP");
        let request = format!(
            "GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        // It may have been turned away while the one before is still leaving.
        let _ = tcp.write_all(request.as_bytes()).await;
    }
    let entered = async {
        while Socket::upgrade(&house, WEBSOCKET).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("there is room", entered).await;
}
