use proptest::prelude::*;
use serde::Serializer;
use serde::ser::{Error as _, SerializeSeq as _};

use super::*;

/// Reads one frame the way RFC 6455 tells a receiver to: first byte, masked or not, payload, and nothing behind it.
fn read(frame: &[u8]) -> (u8, Vec<u8>) {
    let (length, start) = match frame[1] {
        127 => (
            u64::from_be_bytes(frame[2..10].try_into().expect("8 bytes")),
            10,
        ),
        126 => (
            u64::from(u16::from_be_bytes(frame[2..4].try_into().expect("2 bytes"))),
            4,
        ),
        short => (u64::from(short), 2),
    };
    let payload = frame[start..].to_vec();
    assert_eq!(payload.len() as u64, length);
    (frame[0], payload)
}

#[test]
fn the_examples_of_the_rfc_are_written_as_printed() {
    assert_eq!(Frame::from_text("Hello").as_websocket(), b"\x81\x05Hello");
    assert_eq!(&ping(b"Hello")[..], b"\x89\x05Hello");
    assert_eq!(&pong(b"Hello")[..], b"\x8a\x05Hello");
}

#[test]
fn a_length_takes_its_shortest_form() {
    for (text_bytes, header) in [
        (0, &[0x81, 0][..]),
        (125, &[0x81, 125]),
        (126, &[0x81, 126, 0, 126]),
        (65_535, &[0x81, 126, 0xff, 0xff]),
        (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let frame = Frame::from_text(&"x".repeat(text_bytes));
        assert_eq!(&frame.as_websocket()[..header.len()], header);
        assert_eq!(frame.as_websocket().len(), header.len() + text_bytes);
        assert_eq!(frame.len(), text_bytes);
        assert_eq!(frame.text().len(), text_bytes);
    }
}

#[test]
fn text_and_clones_share_the_one_allocation() {
    let frame = Frame::from_text("42[\"task:created\"]");
    let (whole, clone) = (frame.websocket(), frame.clone());
    assert_eq!(clone.as_websocket().as_ptr(), frame.as_websocket().as_ptr());
    assert_eq!(whole.as_ptr(), frame.as_websocket().as_ptr());
    assert_eq!(frame.text().as_ptr(), frame.as_websocket()[2..].as_ptr());
}

#[test]
fn a_close_frame_carries_code_and_reason() {
    assert_eq!(&close(1009, "too big")[..], b"\x88\x09\x03\xf1too big");
    assert_eq!(&close(1000, "")[..], b"\x88\x02\x03\xe8");
}

#[test]
fn a_long_close_reason_is_cut_between_characters() {
    let frame = close(1008, &"€".repeat(100));
    let (_, payload) = read(&frame);
    assert_eq!(payload.len(), 2 + 123);
    assert_eq!(
        std::str::from_utf8(&payload[2..]),
        Ok("€".repeat(41).as_str())
    );
    let (_, payload) = read(&close(1008, &"é".repeat(100)));
    assert_eq!(payload.len(), 2 + 122);
}

#[test]
fn a_long_ping_is_cut_to_what_a_control_frame_holds() {
    assert_eq!(read(&ping(&[7; 300])), (0x89, vec![7; 125]));
}

/// Writes half of itself and then fails.
struct Broken;

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element("half")?;
        Err(S::Error::custom("broken"))
    }
}

#[test]
fn a_value_that_fails_leaves_nothing_behind() {
    let mut writer = FrameWriter::with_capacity(0);
    writer.push_str("43");
    writer
        .push_json(&Broken)
        .expect_err("broken by construction");
    writer.push_json(&[1]).expect("numbers are JSON");
    assert_eq!(writer.finish().as_text(), b"43[1]");
}

proptest! {
    #[test]
    fn a_receiver_reads_what_was_written(text in "\\PC{0,200}", times in 1_usize..600) {
        let text = text.repeat(times);
        let frame = Frame::from_text(&text);
        prop_assert_eq!(read(frame.as_websocket()), (0x81, text.clone().into_bytes()));
        prop_assert_eq!(frame.as_text(), text.as_bytes());
        prop_assert_eq!(&frame.text()[..], text.as_bytes());
        prop_assert_eq!(frame.is_empty(), text.is_empty());
    }

    #[test]
    fn control_frames_stay_within_their_bound(code in 1000_u16..5000, reason in "\\PC*", payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (first, content) = read(&close(code, &reason));
        prop_assert_eq!(first, 0x88);
        prop_assert!(content.len() <= CONTROL_BYTES_MAX);
        prop_assert_eq!(&content[..2], &code.to_be_bytes());
        prop_assert!(reason.as_bytes().starts_with(&content[2..]));
        prop_assert!(std::str::from_utf8(&content[2..]).is_ok());
        let (first, content) = read(&pong(&payload));
        prop_assert_eq!(first, 0x8a);
        prop_assert!(content.len() <= CONTROL_BYTES_MAX && payload.starts_with(&content));
    }
}
