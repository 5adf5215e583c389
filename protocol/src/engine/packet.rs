//! One Engine.IO packet: an ASCII digit, then text that belongs to the layer above.

use super::DecodeError;
use crate::frame::Frame;

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    /// The server's handshake.
    Open,
    /// The end of a polling session.
    Close,
    /// The server's heartbeat, and the client's `probe` during an upgrade.
    Ping,
    /// The client's answer to a heartbeat, and the server's to a `probe`.
    Pong,
    /// Carries one Socket.IO packet.
    Message,
    /// The client's last step of an upgrade.
    Upgrade,
    /// Releases a hanging poll.
    Noop,
}

impl PacketKind {
    const ALL: [Self; 7] = [
        Self::Open,
        Self::Close,
        Self::Ping,
        Self::Pong,
        Self::Message,
        Self::Upgrade,
        Self::Noop,
    ];

    /// The digit that stands for it on the wire.
    #[must_use]
    pub const fn digit(self) -> char {
        (b'0' + self as u8) as char
    }

    fn from_char(digit: char) -> Option<Self> {
        digit
            .to_digit(10)
            .and_then(|index| Self::ALL.get(index as usize).copied())
    }
}

/// One packet, its text borrowed from the message that carried it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What the packet is for.
    pub kind: PacketKind,
    /// What follows the digit; may be empty.
    pub data: &'a str,
}

impl<'a> Packet<'a> {
    /// Reads the text of one packet.
    ///
    /// # Errors
    /// When the text is empty or does not begin with a packet type.
    pub fn decode(text: &'a str) -> Result<Self, DecodeError> {
        let mut rest = text.chars();
        let first = rest.next().ok_or(DecodeError::Empty)?;
        let kind = PacketKind::from_char(first).ok_or(DecodeError::UnknownKind(first))?;
        Ok(Self {
            kind,
            data: rest.as_str(),
        })
    }

    /// Appends the packet's text to `out`.
    pub fn encode_into(&self, out: &mut String) {
        out.push(self.kind.digit());
        out.push_str(self.data);
    }
}

/// The server's heartbeat.
#[must_use]
pub const fn ping() -> Frame {
    Frame::from_static(b"\x81\x012")
}

/// The answer to the client's `2probe`.
#[must_use]
pub const fn pong_probe() -> Frame {
    Frame::from_static(b"\x81\x063probe")
}

/// Releases a hanging poll.
#[must_use]
pub const fn noop() -> Frame {
    Frame::from_static(b"\x81\x016")
}

/// Ends a polling session.
#[must_use]
pub const fn close() -> Frame {
    Frame::from_static(b"\x81\x011")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(kind: PacketKind, data: &str) -> Packet<'_> {
        Packet { kind, data }
    }

    #[test]
    fn the_packets_of_the_spec_are_read() {
        for (text, expected) in [
            (
                "0{\"sid\":\"x\"}",
                packet(PacketKind::Open, "{\"sid\":\"x\"}"),
            ),
            ("1", packet(PacketKind::Close, "")),
            ("2", packet(PacketKind::Ping, "")),
            ("2probe", packet(PacketKind::Ping, "probe")),
            ("3", packet(PacketKind::Pong, "")),
            ("3probe", packet(PacketKind::Pong, "probe")),
            ("4hello", packet(PacketKind::Message, "hello")),
            ("5", packet(PacketKind::Upgrade, "")),
            ("6", packet(PacketKind::Noop, "")),
        ] {
            assert_eq!(Packet::decode(text), Ok(expected));
        }
    }

    #[test]
    fn what_does_not_begin_with_a_type_is_refused() {
        assert_eq!(Packet::decode(""), Err(DecodeError::Empty));
        for first in ['7', '9', 'a', ' ', 'é', '४', '４', '\u{0}'] {
            assert_eq!(
                Packet::decode(&format!("{first}x")),
                Err(DecodeError::UnknownKind(first))
            );
        }
    }

    #[test]
    fn ready_made_frames_hold_the_packets_they_name() {
        for (frame, expected) in [
            (ping(), packet(PacketKind::Ping, "")),
            (pong_probe(), packet(PacketKind::Pong, "probe")),
            (noop(), packet(PacketKind::Noop, "")),
            (close(), packet(PacketKind::Close, "")),
        ] {
            let mut text = String::new();
            expected.encode_into(&mut text);
            assert_eq!(frame, Frame::from_text(&text));
        }
    }

    proptest! {
        #[test]
        fn a_packet_is_read_as_it_was_written(index in 0_usize..7, data in any::<String>()) {
            let sent = packet(PacketKind::ALL[index], &data);
            let mut text = String::new();
            sent.encode_into(&mut text);
            prop_assert_eq!(Packet::decode(&text), Ok(sent));
        }

        #[test]
        fn junk_is_an_error_or_a_packet_that_writes_the_same(text in any::<String>()) {
            if let Ok(packet) = Packet::decode(&text) {
                let mut again = String::new();
                packet.encode_into(&mut again);
                prop_assert_eq!(again, text);
            }
        }
    }
}
