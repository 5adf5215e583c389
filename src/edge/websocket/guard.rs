//! Refuses what is no frame of a client by its first bytes.
//!
//! tungstenite judges a frame when all of it is there, so bytes that only look like the beginning of a large one would
//! keep a connection waiting. This watches the headers go by, and holds none of the data.

/// A header is two bytes, up to eight of length, and four of mask.
const HEADER_BYTES_MAX: usize = 14;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
/// What announces a length of two and of eight bytes.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// Bytes that no client's frame has at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoFrame;

/// Where in the stream of frames the connection is.
#[derive(Debug, Default)]
pub(super) struct Guard {
    header: [u8; HEADER_BYTES_MAX],
    /// Bytes of the header that are there.
    known: usize,
    /// Bytes of payload still to come.
    payload_left: u64,
}

impl Guard {
    /// Looks at the next bytes of the stream.
    pub(super) fn watch(&mut self, mut bytes: &[u8]) -> Result<(), NoFrame> {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.payload_left > 0 {
                let skipped = bytes
                    .len()
                    .min(usize::try_from(self.payload_left).unwrap_or(usize::MAX));
                self.payload_left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header[self.known] = first;
            self.known += 1;
            bytes = rest;
            self.check()?;
        }
        Ok(())
    }

    /// Checks the header as far as it is known.
    fn check(&mut self) -> Result<(), NoFrame> {
        let [first, second, ..] = self.header;
        let is_control = first & 0x08 != 0;
        match self.known {
            1 => {
                let is_known = matches!(first & OPCODE, 0..=2 | 8..=10);
                let is_whole = first & FIN != 0 || !is_control;
                is_true(first & RESERVED == 0 && is_known && is_whole)
            }
            2 => is_true(second & MASKED != 0 && (!is_control || second & !MASKED < LENGTH_16)),
            _ => {
                if self.known == 2 + length_bytes(second) + 4 {
                    self.payload_left = self.payload_bytes();
                    self.known = 0;
                }
                Ok(())
            }
        }
    }

    fn payload_bytes(&self) -> u64 {
        let second = self.header[1];
        let length = &self.header[2..2 + length_bytes(second)];
        if length.is_empty() {
            return u64::from(second & !MASKED);
        }
        length
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

const fn length_bytes(second: u8) -> usize {
    match second & !MASKED {
        LENGTH_16 => 2,
        LENGTH_64 => 8,
        _ => 0,
    }
}

const fn is_true(is_frame: bool) -> Result<(), NoFrame> {
    if is_frame { Ok(()) } else { Err(NoFrame) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a client's frame, with a mask of zeros.
    fn header(first: u8, length: u64) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..=125 => bytes.push(MASKED | u8::try_from(length).expect("it fits")),
            126..=0xffff => {
                bytes.push(MASKED | LENGTH_16);
                bytes.extend(u16::try_from(length).expect("it fits").to_be_bytes());
            }
            _ => {
                bytes.push(MASKED | LENGTH_64);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn frames_of_every_length_pass_however_the_stream_is_cut() {
        let mut stream = Vec::new();
        for (first, length) in [
            (0x81, 0),
            (0x81, 125),
            (0x01, 126),
            (0x80, 65_535),
            (0x82, 65_536),
            (0x89, 125),
            (0x8a, 0),
            (0x88, 2),
        ] {
            stream.extend(header(first, length));
            stream.resize(
                stream.len() + usize::try_from(length).expect("it fits"),
                0xff,
            );
        }
        for size in [1, 2, 3, 7, 1_000, stream.len()] {
            let mut guard = Guard::default();
            for chunk in stream.chunks(size) {
                assert_eq!(guard.watch(chunk), Ok(()), "in pieces of {size}");
            }
            assert_eq!((guard.known, guard.payload_left), (0, 0));
        }
    }

    #[test]
    fn what_no_client_sends_is_refused_at_its_first_wrong_byte() {
        for (what, bytes) in [
            ("reserved bits", &[0xc1][..]),
            ("a reserved data frame", &[0x83]),
            ("a reserved control frame", &[0x8b]),
            ("a control frame in pieces", &[0x09]),
            ("a frame without a mask", &[0x81, 0x05]),
            ("a long control frame", &[0x89, 0xfe]),
        ] {
            let mut stream = header(0x81, 3);
            stream.extend(b"abc");
            let mut guard = Guard::default();
            assert_eq!(guard.watch(&stream), Ok(()));
            let (wrong, before) = bytes.split_last().expect("there is one");
            assert_eq!(guard.watch(before), Ok(()), "{what}");
            assert_eq!(guard.watch(&[*wrong]), Err(NoFrame), "{what}");
        }
    }
}
