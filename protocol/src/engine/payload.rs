//! The body of a polling request: packets joined by the record separator.
//!
//! There is no escaping: a packet must not contain the separator, and JSON text never does (it escapes control
//! characters). Binary is a part of its own, `b` and base64, without a packet type.

use std::iter::FusedIterator;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::{DecodeError, Packet};

/// Stands between two packets.
const SEPARATOR: u8 = 0x1e;
/// Begins a binary part.
const BINARY: char = 'b';
/// Standard base64; padding is written by every known client, but nothing depends on it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One part of a payload. A text message of a WebSocket is one part too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// A packet of text.
    Packet(Packet<'a>),
    /// A binary message.
    Binary(Vec<u8>),
}

impl<'a> Part<'a> {
    /// Reads one part.
    ///
    /// # Errors
    /// When the text is neither a packet nor base64 behind a `b`.
    pub fn decode(text: &'a str) -> Result<Self, DecodeError> {
        match text.strip_prefix(BINARY) {
            Some(encoded) => BASE64
                .decode(encoded)
                .map(Self::Binary)
                .map_err(|_| DecodeError::Base64),
            None => Packet::decode(text).map(Self::Packet),
        }
    }
}

/// The parts of a payload, in order; ends after the first error.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        let part = match text.split_once(char::from(SEPARATOR)) {
            Some((first, rest)) => {
                self.rest = Some(rest);
                first
            }
            None => text,
        };
        let decoded = Part::decode(part);
        if decoded.is_err() {
            self.rest = None;
        }
        Some(decoded)
    }
}

impl FusedIterator for Parts<'_> {}

/// Reads the body of a POST. An empty body is one empty packet, thus an error.
#[must_use]
pub fn decode_payload(body: &str) -> Parts<'_> {
    Parts { rest: Some(body) }
}

/// Joins the texts of encoded packets into the body of an answer, in one allocation of its exact size.
pub fn encode_payload<I>(packets: I) -> Bytes
where
    I: IntoIterator<Item: AsRef<[u8]>, IntoIter: Clone>,
{
    let packets = packets.into_iter();
    let size: usize = packets
        .clone()
        .map(|packet| packet.as_ref().len() + 1)
        .sum();
    let mut body = Vec::with_capacity(size.saturating_sub(1));
    for (index, packet) in packets.enumerate() {
        if index > 0 {
            body.push(SEPARATOR);
        }
        body.extend_from_slice(packet.as_ref());
    }
    Bytes::from(body)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::engine::PacketKind;

    fn message(data: &str) -> Result<Part<'_>, DecodeError> {
        Ok(Part::Packet(Packet {
            kind: PacketKind::Message,
            data,
        }))
    }

    fn parts(body: &str) -> Vec<Result<Part<'_>, DecodeError>> {
        decode_payload(body).collect()
    }

    #[test]
    fn the_payloads_of_the_spec_are_read() {
        let ping = Ok(Part::Packet(Packet {
            kind: PacketKind::Ping,
            data: "",
        }));
        assert_eq!(
            parts("4hello\x1e2\x1e4world"),
            [message("hello"), ping, message("world")]
        );
        let binary = Ok(Part::Binary(vec![1, 2, 3, 4]));
        assert_eq!(
            parts("4hello\x1ebAQIDBA=="),
            [message("hello"), binary.clone()]
        );
        assert_eq!(parts("bAQIDBA"), [binary]);
        assert_eq!(parts("b"), [Ok(Part::Binary(vec![]))]);
    }

    #[test]
    fn an_empty_part_is_an_error_wherever_it_stands() {
        assert_eq!(parts(""), [Err(DecodeError::Empty)]);
        assert_eq!(parts("\x1e4x"), [Err(DecodeError::Empty)]);
        assert_eq!(parts("4x\x1e"), [message("x"), Err(DecodeError::Empty)]);
        assert_eq!(
            parts("4x\x1e\x1e4y"),
            [message("x"), Err(DecodeError::Empty)]
        );
    }

    #[test]
    fn nothing_is_read_behind_an_error() {
        assert_eq!(parts("abc\x1e4x"), [Err(DecodeError::UnknownKind('a'))]);
        assert_eq!(
            parts("4x\x1eb*\x1e4y"),
            [message("x"), Err(DecodeError::Base64)]
        );
    }

    #[test]
    fn a_payload_is_written_in_its_exact_size() {
        let body = encode_payload(["4hello", "2", "4world"]);
        assert_eq!(&body[..], b"4hello\x1e2\x1e4world");
        assert_eq!(
            body.try_into_mut().map(|body| body.capacity()),
            Ok("4hello_2_4world".len())
        );
        assert_eq!(encode_payload(["6"]), "6");
        assert_eq!(encode_payload([] as [&str; 0]), "");
    }

    proptest! {
        #[test]
        fn a_payload_is_read_as_it_was_written(
            texts in proptest::collection::vec("[^\x1e]{0,40}", 1..20),
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut packets: Vec<String> = texts.iter().map(|text| format!("4{text}")).collect();
            packets.push(format!("b{}", STANDARD.encode(&bytes)));
            let body = encode_payload(&packets);
            let body = std::str::from_utf8(&body).expect("text in, text out");
            let mut expected: Vec<_> = texts.iter().map(|text| message(text)).collect();
            expected.push(Ok(Part::Binary(bytes)));
            prop_assert_eq!(parts(body), expected);
        }

        #[test]
        fn junk_never_panics_and_errs_at_most_once(body in "[0-9b\x1eA-Z=+/\\PC]{0,60}") {
            let parts = parts(&body);
            prop_assert!(!parts.is_empty());
            prop_assert!(parts[..parts.len() - 1].iter().all(Result::is_ok));
        }
    }
}
