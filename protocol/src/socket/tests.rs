//! Spec vectors, one test for each rule of the decoder, and round trips between the two halves.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;
use crate::engine;
use crate::frame::Frame;

/// A packet in a form that can be compared: type, namespace, id, name, JSON texts.
fn shown(text: &str) -> Result<String, DecodeError> {
    let texts = |args: &[&RawValue]| {
        args.iter()
            .map(|arg| arg.get().to_owned())
            .collect::<Vec<_>>()
    };
    let id = |ack: Option<u64>| ack.map_or_else(String::new, |id| id.to_string());
    Ok(match decode(text)? {
        Packet::Connect { namespace, payload } => {
            format!("connect {namespace} {:?}", payload.map(RawValue::get))
        }
        Packet::Disconnect { namespace } => format!("disconnect {namespace}"),
        Packet::Event {
            namespace,
            ack,
            name,
            args,
        } => {
            format!("event {namespace} {} {name} {:?}", id(ack), texts(&args))
        }
        Packet::Ack {
            namespace,
            ack,
            args,
        } => format!("ack {namespace} {ack} {:?}", texts(&args)),
        Packet::ConnectError { namespace, payload } => {
            format!("connect_error {namespace} {:?}", payload.map(RawValue::get))
        }
        Packet::BinaryEvent {
            namespace,
            ack,
            attachments,
            name,
        } => {
            format!("binary_event {namespace} {} {name} {attachments}", id(ack))
        }
        Packet::BinaryAck {
            namespace,
            ack,
            attachments,
        } => format!("binary_ack {namespace} {ack} {attachments}"),
    })
}

fn refused(texts: &[&str], expected: DecodeError) {
    for text in texts {
        assert_eq!(shown(text), Err(expected), "{text:.60}");
    }
}

fn text(frame: &Frame) -> &str {
    std::str::from_utf8(frame.as_text()).expect("frames are text")
}

/// The Socket.IO text inside an encoded frame.
fn inner(frame: &Frame) -> &str {
    let packet = engine::Packet::decode(text(frame)).expect("an Engine.IO packet");
    assert_eq!(packet.kind, engine::PacketKind::Message);
    packet.data
}

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("a value is JSON")
}

#[test]
fn the_packets_of_the_spec_are_read() {
    for (text, expected) in [
        ("0", "connect / None"),
        (
            r#"0{"token":"123"}"#,
            r#"connect / Some("{\"token\":\"123\"}")"#,
        ),
        ("0/admin,", "connect /admin None"),
        ("0/admin", "connect /admin None"),
        (
            r#"0/admin,{"token":"123"}"#,
            r#"connect /admin Some("{\"token\":\"123\"}")"#,
        ),
        (
            r#"0{"sid":"wZX3oN0bSVIhsaknAAAI"}"#,
            r#"connect / Some("{\"sid\":\"wZX3oN0bSVIhsaknAAAI\"}")"#,
        ),
        ("1", "disconnect /"),
        ("1/admin,", "disconnect /admin"),
        (r#"2["foo"]"#, "event /  foo []"),
        (r#"2["hello",1]"#, r#"event /  hello ["1"]"#),
        (r#"2/admin,["bar"]"#, "event /admin  bar []"),
        (r#"212["foo"]"#, "event / 12 foo []"),
        (r#"2/admin,13["bar"]"#, "event /admin 13 bar []"),
        (
            r#"2/admin,456["project:delete",123]"#,
            r#"event /admin 456 project:delete ["123"]"#,
        ),
        (r#"3456[]"#, "ack / 456 []"),
        (r#"312["bar"]"#, r#"ack / 12 ["\"bar\""]"#),
        (r#"3/admin,13["bar"]"#, r#"ack /admin 13 ["\"bar\""]"#),
        (
            r#"4{"message":"Not authorized"}"#,
            r#"connect_error / Some("{\"message\":\"Not authorized\"}")"#,
        ),
        (
            r#"4/admin,"Not authorized""#,
            r#"connect_error /admin Some("\"Not authorized\"")"#,
        ),
        (
            r#"51-["hello",{"_placeholder":true,"num":0}]"#,
            "binary_event /  hello 1",
        ),
        (
            r#"51-/admin,456["project:delete",{"_placeholder":true,"num":0}]"#,
            "binary_event /admin 456 project:delete 1",
        ),
        (
            r#"61-15["bar",{"_placeholder":true,"num":0}]"#,
            "binary_ack / 15 1",
        ),
        (
            r#"61-/admin,456[{"_placeholder":true,"num":0}]"#,
            "binary_ack /admin 456 1",
        ),
    ] {
        assert_eq!(shown(text).as_deref(), Ok(expected), "{text:.60}");
    }
}

#[test]
fn every_packet_knows_its_namespace() {
    for text in [
        "0/a,",
        "1/a,",
        "2/a,[\"e\"]",
        "3/a,1[]",
        "4/a,{}",
        "51-/a,[\"e\"]",
        "61-/a,1[]",
    ] {
        assert_eq!(decode(text).expect("a packet").namespace(), "/a");
    }
}

#[test]
fn a_packet_begins_with_a_known_type() {
    refused(&[""], DecodeError::Empty);
    refused(&["7[\"e\"]", "7"], DecodeError::UnknownKind('7'));
    refused(&["abc"], DecodeError::UnknownKind('a'));
    refused(&["é"], DecodeError::UnknownKind('é'));
    refused(&["[\"e\"]"], DecodeError::UnknownKind('['));
}

#[test]
fn a_connect_carries_an_object_or_nothing() {
    refused(
        &["0[]", "0\"x\"", "0null", "0/admin,true", "0-1"],
        DecodeError::InvalidPayload,
    );
    refused(
        &["0{", "0{\"a\"}", "0{}{}", "0{} x", "0 "],
        DecodeError::MalformedJson,
    );
}

#[test]
fn a_disconnect_carries_nothing() {
    refused(
        &["1{}", "1/admin,{}", "1 ", "1x"],
        DecodeError::InvalidPayload,
    );
}

#[test]
fn a_missing_payload_is_told_from_a_wrong_one() {
    refused(
        &[
            "2",
            "212",
            "2/admin",
            "2/admin,",
            "31",
            "3/admin,1",
            "51-",
            "61-1",
        ],
        DecodeError::MissingPayload,
    );
    refused(
        &[
            "2 ",
            "2[",
            "2[\"a\"",
            "2[\"a\",]",
            "2[\"a\" 1]",
            "2x",
            "31x",
            "51-x",
        ],
        DecodeError::MalformedJson,
    );
}

#[test]
fn an_event_is_an_array_that_begins_with_a_name() {
    refused(
        &[
            "2{}",
            "2\"e\"",
            "2null",
            "2[]",
            "2[null]",
            "2[{}]",
            "2[[\"e\"]]",
            "2[true,\"e\"]",
            "51-[]",
            "51-[{}]",
        ],
        DecodeError::InvalidPayload,
    );
}

#[test]
fn a_name_may_be_a_number_and_may_have_escapes() {
    assert_eq!(shown("2[1,2]").as_deref(), Ok(r#"event /  1 ["2"]"#));
    assert_eq!(shown("2[-1.5]").as_deref(), Ok("event /  -1.5 []"));
    assert_eq!(
        shown(r#"2["\u0074ask:\u00e9\n"]"#).as_deref(),
        Ok("event /  task:é\n []")
    );
    refused(&[r#"2["\ud800"]"#], DecodeError::InvalidPayload);
}

#[test]
fn reserved_names_are_refused_however_they_are_spelled() {
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        let escaped: String = name
            .encode_utf16()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect();
        refused(
            &[
                &format!("2[\"{name}\"]"),
                &format!("2[\"{escaped}\",1]"),
                &format!("51-[\"{name}\"]"),
            ],
            DecodeError::ReservedName,
        );
    }
    assert_eq!(
        shown(r#"2["connected"]"#).as_deref(),
        Ok("event /  connected []")
    );
    assert_eq!(
        shown(r#"2["Connect"]"#).as_deref(),
        Ok("event /  Connect []")
    );
}

#[test]
fn an_acknowledgement_has_an_id_and_an_array() {
    refused(&["3[]", "3/admin,[1]", "61-[1]"], DecodeError::MissingAckId);
    refused(
        &["31{}", "31null", "31\"x\"", "61-1{}"],
        DecodeError::InvalidPayload,
    );
}

#[test]
fn an_ack_id_fits_64_bits() {
    assert_eq!(
        shown(r#"218446744073709551615["e"]"#).as_deref(),
        Ok("event / 18446744073709551615 e []")
    );
    refused(
        &[
            r#"218446744073709551616["e"]"#,
            &format!("3{}[]", "9".repeat(1000)),
        ],
        DecodeError::AckIdTooLarge,
    );
    assert_eq!(shown(r#"2007["e"]"#).as_deref(), Ok("event / 7 e []"));
}

#[test]
fn a_binary_packet_has_one_to_ten_attachments() {
    assert_eq!(shown(r#"510-["e"]"#).as_deref(), Ok("binary_event /  e 10"));
    refused(
        &[
            "5[\"e\"]",
            "5-[\"e\"]",
            "50-[\"e\"]",
            "5000-[\"e\"]",
            "51[\"e\"]",
            "51",
            "5",
            "5a-[]",
            "51.5-[]",
            "6-1[]",
        ],
        DecodeError::Attachments,
    );
    refused(
        &["511-[\"e\"]", "5999999999999999999999-[\"e\"]", "611-1[]"],
        DecodeError::TooManyAttachments,
    );
}

#[test]
fn nothing_may_follow_the_payload() {
    refused(
        &[
            "2[\"e\"]x",
            "2[\"e\"][]",
            "2[\"e\"],",
            "31[]]",
            "4{}{}",
            "51-[\"e\"]\u{0}",
        ],
        DecodeError::MalformedJson,
    );
}

#[test]
fn a_connect_error_carries_an_object_or_a_string() {
    refused(&["4[]", "4null", "4-1"], DecodeError::InvalidPayload);
    assert_eq!(shown("4").as_deref(), Ok("connect_error / None"));
}

#[test]
fn arguments_are_bounded() {
    let list = |count: usize| format!("2[\"e\"{}]", ",0".repeat(count));
    let text = list(ARGUMENTS_MAX);
    let Ok(Packet::Event { args, .. }) = decode(&text) else {
        panic!("not an event")
    };
    assert_eq!(args.len(), ARGUMENTS_MAX);
    refused(&[&list(ARGUMENTS_MAX + 1)], DecodeError::InvalidPayload);
}

#[test]
fn arguments_and_plain_names_are_slices_of_the_message() {
    let text = String::from(r#"2["task:update",{"taskId":"x"}]"#);
    let Ok(Packet::Event { name, args, .. }) = decode(&text) else {
        panic!("not an event")
    };
    assert!(matches!(name, Cow::Borrowed("task:update")));
    assert!(
        text.as_bytes()
            .as_ptr_range()
            .contains(&args[0].get().as_ptr())
    );
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(400_000), "]".repeat(400_000));
    let text = format!("2[\"e\",{deep}]");
    let Ok(Packet::Event { args, .. }) = decode(&text) else {
        panic!("not an event")
    };
    assert_eq!(args[0].get(), deep);
    assert!(serde_json::from_str::<Value>(args[0].get()).is_err());
    refused(&[&format!("0{deep}")], DecodeError::InvalidPayload);
    let unclosed = "{\"a\":".repeat(200_000);
    refused(
        &[
            &format!("2[\"e\",{unclosed}"),
            &format!("2[{}", "[".repeat(800_000)),
        ],
        DecodeError::MalformedJson,
    );
}

#[test]
fn events_are_written_as_the_spec_prints_them() {
    let data = json!({ "title": "x" });
    assert_eq!(
        text(&event("task:create", &data).expect("JSON")),
        r#"42["task:create",{"title":"x"}]"#
    );
    assert_eq!(
        text(&event_raw("task:create", &raw(&data), None)),
        r#"42["task:create",{"title":"x"}]"#
    );
    assert_eq!(
        text(&event_raw("task:create", &raw(&data), Some("MzUPkW0"))),
        r#"42["task:create",{"title":"x"},"MzUPkW0"]"#
    );
    assert_eq!(
        text(&EventWriter::new("auth:expired", 0).finish()),
        r#"42["auth:expired"]"#
    );
    let two = EventWriter::new("e\"", 0)
        .argument(&1)
        .expect("JSON")
        .raw(&raw(&json!([])))
        .finish();
    assert_eq!(text(&two), r#"42["e\"",1,[]]"#);
}

#[test]
fn a_ready_event_is_written_in_its_exact_size() {
    let data = raw(&json!({ "title": "x".repeat(1000) }));
    for offset in [None, Some("1-2")] {
        let frame = event_raw("task:created", &data, offset);
        let bytes = frame.websocket();
        drop(frame);
        let bytes = bytes.try_into_mut().expect("the only owner");
        assert_eq!(bytes.capacity(), bytes.len());
    }
}

#[test]
fn answers_are_written_as_the_spec_prints_them() {
    assert_eq!(text(&ack(12, "ok").expect("JSON")), r#"4312["ok"]"#);
    assert_eq!(
        text(&ack_raw(0, &raw(&json!({ "ok": true })))),
        r#"430[{"ok":true}]"#
    );
    assert_eq!(
        text(&connect("wZX3oN0bSVIhsaknAAAI", None)),
        r#"40{"sid":"wZX3oN0bSVIhsaknAAAI"}"#
    );
    assert_eq!(text(&connect("a", Some("b"))), r#"40{"sid":"a","pid":"b"}"#);
    assert_eq!(
        text(&connect_error("/", "Not authorized", None)),
        r#"44{"message":"Not authorized"}"#
    );
    assert_eq!(
        text(&connect_error(
            "/",
            "Invalid or expired token",
            Some("unauthorized")
        )),
        r#"44{"message":"Invalid or expired token","data":{"code":"unauthorized"}}"#
    );
    assert_eq!(
        text(&connect_error("/admin", "Invalid namespace", None)),
        r#"44/admin,{"message":"Invalid namespace"}"#
    );
    assert_eq!(disconnect(), Frame::from_text("41"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn an_event_is_read_as_it_was_written(name in any::<String>(), value in any_json(), offset in any::<Option<String>>()) {
        prop_assume!(decode(&format!("2[{}]", json!(name))).is_ok());
        let argument = raw(&value);
        let frame = event_raw(&name, &argument, offset.as_deref());
        let Packet::Event { namespace, ack, name: read, args } = decode(inner(&frame)).expect("an event") else {
            panic!("not an event");
        };
        prop_assert_eq!((namespace, ack, &*read), ("/", None, &*name));
        prop_assert_eq!(args[0].get(), argument.get());
        let last: Option<String> = args.get(1).map(|arg| serde_json::from_str(arg.get()).expect("a string"));
        prop_assert_eq!(&last, &offset);
        if offset.is_none() {
            prop_assert_eq!(event(&name, &value).expect("JSON"), frame);
        }
    }

    #[test]
    fn an_acknowledgement_is_read_as_it_was_written(id in any::<u64>(), value in any_json()) {
        let frame = ack(id, &value).expect("JSON");
        prop_assert_eq!(&ack_raw(id, &raw(&value)), &frame);
        let Packet::Ack { ack, args, .. } = decode(inner(&frame)).expect("an ack") else { panic!("not an ack") };
        prop_assert_eq!(ack, id);
        prop_assert_eq!(args.len(), 1);
        prop_assert_eq!(args[0].get(), value.to_string());
    }

    #[test]
    fn a_namespace_and_an_id_are_read_as_they_were_written(namespace in "/[^,]{0,20}", id in any::<Option<u64>>()) {
        let id_text = id.map_or_else(String::new, |id| id.to_string());
        let text = format!("2{namespace},{id_text}[\"e\"]");
        let Packet::Event { namespace: read, ack, .. } = decode(&text).expect("an event") else { panic!("not an event") };
        prop_assert_eq!((read, ack), (namespace.as_str(), id));
    }

    #[test]
    fn refusals_are_read_as_they_were_written(namespace in "/[^,]{0,20}", message in any::<String>(), code in any::<Option<String>>()) {
        let frame = connect_error(&namespace, &message, code.as_deref());
        let Packet::ConnectError { namespace: read, payload } = decode(inner(&frame)).expect("an error") else {
            panic!("not an error");
        };
        prop_assert_eq!(read, namespace);
        let payload: Value = serde_json::from_str(payload.expect("a payload").get()).expect("JSON");
        prop_assert_eq!(&payload["message"], &json!(message));
        prop_assert_eq!(&payload["data"]["code"], &json!(code));
    }

    #[test]
    fn junk_never_panics(text in "[0-6]?([\\[\\]{}:,/\"0-9\\\\-]|\"e\"|\\[\"e\"|\\PC){0,30}") {
        let _ = decode(&text);
    }

    #[test]
    fn a_cut_packet_is_refused(value in any_json(), cut in any::<proptest::sample::Index>()) {
        let frame = event("task:update", &value).expect("JSON");
        let text = inner(&frame);
        let end = text.floor_char_boundary(cut.index(text.len()));
        prop_assert!(decode(&text[..end]).is_err());
    }

    #[test]
    fn no_text_of_ours_contains_the_separator_of_payloads(name in any::<String>(), value in any_json()) {
        let frame = event(&name, &value).expect("JSON");
        prop_assert!(!frame.as_text().contains(&0x1e));
    }
}
