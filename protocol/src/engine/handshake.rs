//! The first packet of a session: its id, and the server's times and limits.

use std::time::Duration;

use serde::Serialize;
use serde::Serializer;

use super::{PacketKind, Transport};
use crate::frame::{Frame, FrameWriter};

/// What an `open` packet tells the client; written with the keys in the order Node has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake<'a> {
    /// The secret id of the transport session, not the public socket id.
    pub sid: &'a str,
    /// The transports the client may change to; see [`Transport::upgrades`].
    pub upgrades: &'a [Transport],
    /// How long after a pong the next ping is sent.
    #[serde(serialize_with = "milliseconds")]
    pub ping_interval: Duration,
    /// How long a pong may take.
    #[serde(serialize_with = "milliseconds")]
    pub ping_timeout: Duration,
    /// The largest frame or polling body, in bytes.
    pub max_payload: usize,
}

impl Handshake<'_> {
    /// The `open` packet.
    #[must_use]
    pub fn encode(&self) -> Frame {
        let mut writer = FrameWriter::with_capacity(128 + self.sid.len());
        writer.push_str(PacketKind::Open.digit().encode_utf8(&mut [0; 4]));
        writer
            .push_json(self)
            .expect("strings and numbers are JSON");
        writer.finish()
    }
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(transport: Transport) -> Frame {
        Handshake {
            sid: "lv_VI97HAXpY6yYWAAAC",
            upgrades: transport.upgrades(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 1_000_000,
        }
        .encode()
    }

    #[test]
    fn a_polling_session_is_opened_as_the_spec_prints_it() {
        let expected = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        assert_eq!(handshake(Transport::Polling), Frame::from_text(expected));
    }

    #[test]
    fn a_websocket_has_nothing_to_upgrade_to() {
        let expected = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        assert_eq!(handshake(Transport::Websocket), Frame::from_text(expected));
    }
}
