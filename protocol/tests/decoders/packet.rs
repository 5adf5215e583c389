//! The decoders of packets: what they accept they also write, and read again as the same.

use std::fmt::Write as _;

use collabflow_protocol::engine::{
    Arrival, HandshakeError, Packet as EnginePacket, Part, Query, decode_payload, encode_payload,
};
use collabflow_protocol::plain;
use collabflow_protocol::socket::{self, DEFAULT_NAMESPACE, Packet};
use serde_json::value::RawValue;

/// The text in an input; most decoders are given nothing but valid UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

pub(crate) fn engine_packet(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(packet) = EnginePacket::decode(text) else {
        return;
    };
    let mut again = String::new();
    packet.encode_into(&mut again);
    assert_eq!(again, text);
}

pub(crate) fn polling_payload(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let parts: Vec<_> = decode_payload(text).collect();
    let separators = text.bytes().filter(|&byte| byte == 0x1e).count();
    let Ok(parts) = parts.iter().cloned().collect::<Result<Vec<_>, _>>() else {
        assert!(parts.len() <= separators + 1);
        let (_, before) = parts.split_last().expect("an error is a part");
        assert!(before.iter().all(Result::is_ok), "it ends with the error");
        return;
    };
    assert_eq!(parts.len(), separators + 1);
    if parts.iter().all(|part| matches!(part, Part::Packet(_))) {
        let again = encode_payload(parts.iter().map(|part| match part {
            Part::Packet(packet) => {
                let mut text = String::new();
                packet.encode_into(&mut text);
                text
            }
            Part::Binary(_) => unreachable!("there are none"),
        }));
        assert_eq!(&again[..], bytes);
    }
}

pub(crate) fn socket_packet(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(packet) = socket::decode(text) else {
        return;
    };
    let written = write(&packet);
    let again = socket::decode(&written).expect("what was accepted is accepted again");
    assert_eq!(write(&again), written);
    assert_eq!(again.namespace(), packet.namespace());
}

/// The text of a packet, by the grammar. A binary one is written with its name alone, which is all that is kept of it.
fn write(packet: &Packet<'_>) -> String {
    let mut out = String::new();
    let (kind, attachments, ack, json) = match packet {
        Packet::Connect { payload, .. } => (0, None, None, raw(*payload)),
        Packet::Disconnect { .. } => (1, None, None, String::new()),
        Packet::Event {
            ack, name, args, ..
        } => (2, None, *ack, array(Some(name), args)),
        Packet::Ack { ack, args, .. } => (3, None, Some(*ack), array(None, args)),
        Packet::ConnectError { payload, .. } => (4, None, None, raw(*payload)),
        Packet::BinaryEvent {
            ack,
            attachments,
            name,
            ..
        } => (5, Some(*attachments), *ack, array(Some(name), &[])),
        Packet::BinaryAck {
            ack, attachments, ..
        } => (6, Some(*attachments), Some(*ack), array(None, &[])),
    };
    write!(out, "{kind}").expect("memory");
    if let Some(attachments) = attachments {
        assert!((1..=socket::ATTACHMENTS_MAX).contains(&attachments));
        write!(out, "{attachments}-").expect("memory");
    }
    let namespace = packet.namespace();
    if namespace != DEFAULT_NAMESPACE {
        write!(out, "{namespace},").expect("memory");
    }
    if let Some(ack) = ack {
        write!(out, "{ack}").expect("memory");
    }
    out + &json
}

fn raw(payload: Option<&RawValue>) -> String {
    payload.map_or_else(String::new, |json| json.get().to_owned())
}

fn array(name: Option<&str>, args: &[&RawValue]) -> String {
    assert!(args.len() <= socket::ARGUMENTS_MAX);
    let name = name.map(|name| serde_json::to_string(name).expect("text is JSON"));
    let args = args.iter().map(|json| json.get().to_owned());
    let items: Vec<String> = name.into_iter().chain(args).collect();
    format!("[{}]", items.join(","))
}

pub(crate) fn plain_message(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(message) = plain::decode(text) else {
        return;
    };
    let null = RawValue::NULL;
    let event = plain::event_raw(&message.event, message.data.unwrap_or(null));
    let again = plain::decode(std::str::from_utf8(event.as_text()).expect("text"))
        .expect("what was accepted is accepted again");
    assert_eq!(again.event, message.event);
    let data = |data: Option<&RawValue>| data.unwrap_or(null).get().to_owned();
    assert_eq!(data(again.data), data(message.data));
    if let Some(id) = message.id {
        let ack = plain::ack_raw(id, null);
        let ack = plain::decode(std::str::from_utf8(ack.as_text()).expect("text"))
            .expect("an acknowledgement has the form of a message");
        assert_eq!(ack.id.map(RawValue::get), Some(id.get()));
    }
}

pub(crate) fn request_query(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(query) = Query::parse(text) else {
        return;
    };
    assert!(query.sid.as_ref().is_none_or(|sid| !sid.is_empty()));
    for arrival in [Arrival::Request, Arrival::Upgrade] {
        let refused = query.check_arrival("POST", arrival);
        assert_eq!(refused, Err(HandshakeError::BadMethod));
    }
    // Percent-encoding is read once, so writing the parameters that were understood says the same.
    let mut again = form_urlencoded::Serializer::new(String::new());
    again.append_pair("transport", query.transport.name());
    if let Some(sid) = &query.sid {
        again.append_pair("sid", sid);
    }
    if query.check_protocol().is_ok() {
        again.append_pair("EIO", "4");
    }
    let again = Query::parse(&again.finish()).expect("a transport");
    assert_eq!((again.transport, &again.sid), (query.transport, &query.sid));
    assert_eq!(again.check_protocol(), query.check_protocol());
}
