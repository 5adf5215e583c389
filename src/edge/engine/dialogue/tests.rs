use super::*;

fn take(dialogue: &mut Dialogue, text: &str) -> Result<Step, CloseReason> {
    let packet = engine::Packet::decode(text).expect("a packet");
    dialogue.take(packet, Unknown::Ignore)
}

fn connected() -> Dialogue {
    let mut dialogue = Dialogue::default();
    dialogue.connected();
    dialogue
}

fn event(step: Result<Step, CloseReason>) -> Inbound {
    match step {
        Ok(Step::Event(inbound)) => *inbound,
        other => panic!("no event: {other:?}"),
    }
}

fn is_broken(step: &Result<Step, CloseReason>) -> bool {
    matches!(step, Err(CloseReason::ProtocolError))
}

#[test]
fn a_connect_says_its_token_and_whose_place_it_wants() {
    for (payload, token, pid) in [
        ("", None, None),
        ("{}", None, None),
        (r#"{"token":null}"#, None, None),
        (
            r#"{"token":"t","pid":"p","offset":1}"#,
            Some("t"),
            Some("p"),
        ),
        (r#"{"token":{"userId":1},"pid":7}"#, Some("not text"), None),
    ] {
        match take(&mut Dialogue::default(), &format!("40{payload}")) {
            Ok(Step::Connect(connect)) => {
                assert_eq!((connect.token(), connect.pid()), (token, pid), "{payload}");
            }
            other => panic!("{payload}: {other:?}"),
        }
    }
}

#[test]
fn recovery_is_asked_for_by_true_alone_and_an_offset_is_text() {
    for (payload, asks, offset) in [
        ("{}", false, None),
        (r#"{"recovery":true,"offset":"7"}"#, true, Some("7")),
        (r#"{"recovery":"true","offset":7}"#, false, None),
        (r#"{"recovery":1,"offset":null}"#, false, None),
    ] {
        match take(&mut Dialogue::default(), &format!("40{payload}")) {
            Ok(Step::Connect(connect)) => {
                let read = (connect.asks_recovery(), connect.offset());
                assert_eq!(read, (asks, offset), "{payload}");
            }
            other => panic!("{payload}: {other:?}"),
        }
    }
}

#[test]
fn nothing_but_a_connect_is_taken_before_a_connect_is_granted() {
    for text in [
        "41",
        r#"42["chat:join",1]"#,
        "431[]",
        r#"451-["x"]"#,
        "461-1[]",
    ] {
        assert!(is_broken(&take(&mut Dialogue::default(), text)), "{text}");
    }
    let mut refused = Dialogue::default();
    assert!(matches!(take(&mut refused, "40"), Ok(Step::Connect(_))));
    assert!(matches!(take(&mut refused, "40"), Ok(Step::Connect(_))));
}

#[test]
fn a_second_connect_is_an_error_but_one_after_a_disconnect_is_not() {
    let mut dialogue = connected();
    assert!(matches!(take(&mut dialogue, "41"), Ok(Step::Disconnect)));
    assert!(matches!(take(&mut dialogue, "40"), Ok(Step::Connect(_))));
    assert!(is_broken(&take(&mut connected(), "40")));
}

#[test]
fn other_namespaces_can_only_be_asked_for() {
    for mut dialogue in [Dialogue::default(), connected()] {
        match take(&mut dialogue, "40/admin,{}") {
            Ok(Step::InvalidNamespace(namespace)) => assert_eq!(namespace, "/admin"),
            other => panic!("{other:?}"),
        }
        assert!(is_broken(&take(&mut dialogue, r#"42/admin,["x"]"#)));
        assert!(is_broken(&take(&mut dialogue, "41/admin,")));
    }
}

#[test]
fn an_event_comes_with_its_name_its_ack_and_what_is_wrong_with_it() {
    let inbound = event(take(&mut connected(), r#"427["no:such",{}]"#));
    assert_eq!(inbound.name, "no:such");
    assert!(matches!(inbound.ack, Some(AckId::Number(7))));
    let error = inbound.event.expect_err("there is no such event");
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[test]
fn attachments_are_refused_and_passed_over_and_nothing_may_come_between() {
    let text = r#"452-7["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let mut dialogue = connected();
    let inbound = event(take(&mut dialogue, text));
    assert!(matches!(inbound.ack, Some(AckId::Number(7))));
    let error = inbound.event.expect_err("binary is refused");
    assert_eq!(error.code, ErrorCode::ValidationFailed);
    assert_eq!(dialogue.take_binary(), Ok(()));
    assert!(
        matches!(take(&mut dialogue, "3"), Ok(Step::Pong)),
        "heartbeats go below"
    );
    assert_eq!(dialogue.take_binary(), Ok(()));
    assert_eq!(dialogue.take_binary(), Err(CloseReason::ProtocolError));

    let mut interrupted = connected();
    event(take(&mut interrupted, text));
    assert!(is_broken(&take(&mut interrupted, r#"42["x"]"#)));
}

#[test]
fn packets_that_only_the_server_sends_end_the_connection() {
    for text in ["0{}", "2", "2probe", "5", "6"] {
        assert!(is_broken(&take(&mut connected(), text)), "{text}");
    }
    assert!(matches!(
        take(&mut connected(), "1"),
        Err(CloseReason::PeerClosed)
    ));
}
