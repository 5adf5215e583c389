//! What is published: an entry of a log with its place, as the script writes it, or something that is passed on.

use bytes::Bytes;
use collabflow_actors::backplane::{Logged, Place, Position};

/// What a push says.
pub(super) enum Push {
    Entry(Logged),
    Passing(Bytes),
}

/// Something to pass on.
pub(super) fn passing(payload: &[u8]) -> Vec<u8> {
    [b"p", payload].concat()
}

/// Reads a push; `None` is nothing of ours.
pub(super) fn read(push: &Bytes) -> Option<Push> {
    match push.first()? {
        b'p' => Some(Push::Passing(push.slice(1..))),
        b'e' => entry(&push.slice(1..)).map(Push::Entry),
        _ => None,
    }
}

/// `EPOCH OFFSET STAMP ID PAYLOAD`.
fn entry(push: &Bytes) -> Option<Logged> {
    let mut fields = push.splitn(5, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(fields.next()?).ok();
    let epoch = text()?.to_owned();
    let offset = text()?.parse().ok()?;
    let stamp = text()?.parse().ok()?;
    let id = u128::from_str_radix(text()?, 16).ok()?;
    let payload = fields.next()?.len();
    Some(Logged {
        id,
        place: Place {
            position: Position { epoch, offset },
            stamp,
        },
        payload: push.slice(push.len() - payload..),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_with_whatever_is_in_it() {
        let push = Bytes::from_static(b"eabc 7 123 ff {\"a\": \"b c\"}");
        let Some(Push::Entry(entry)) = read(&push) else {
            panic!("an entry");
        };
        assert_eq!(
            (entry.id, entry.place.stamp, entry.place.position.offset),
            (255, 123, 7)
        );
        assert_eq!(entry.payload, "{\"a\": \"b c\"}");
    }

    #[test]
    fn junk_is_nothing() {
        for junk in ["", "x", "e", "eabc 7", "eabc x 1 f p", "eabc 1 1 zz p"] {
            assert!(
                read(&Bytes::from_static(junk.as_bytes())).is_none(),
                "{junk}"
            );
        }
    }
}
