//! Ids that the engine makes: of documents, of sessions, and the secrets by which a session comes back.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use collabflow_protocol::{id::ObjectId, time::Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Makes ObjectIds that ascend: in one process each is greater than the ones before, whatever the clock does,
/// and once told of an id of an earlier process ([`Self::pass`]), greater than that.
#[derive(Debug)]
pub struct IdSource {
    process: [u8; 5],
    /// Seconds in the upper 40 bits, the counter in the lower 24.
    last: AtomicU64,
}

impl Default for IdSource {
    fn default() -> Self {
        Self {
            process: rand::random(),
            last: AtomicU64::new(0),
        }
    }
}

impl IdSource {
    /// From now on ids are greater than this one, which another process may have made.
    pub fn pass(&self, id: ObjectId) {
        let [a, b, c, d, ..] = id.bytes();
        // The other process' bytes come before its counter: only a later second is surely greater.
        let last = u64::from(u32::from_be_bytes([a, b, c, d])) << 24 | 0xff_ffff;
        self.last.fetch_max(last, Ordering::Relaxed);
    }

    /// The next id, as the type it is for.
    pub fn next<T: From<ObjectId>>(&self) -> T {
        let seconds = u64::try_from(now().millis() / 1_000).unwrap_or(0);
        let step = |last: u64| (last + 1).max(seconds << 24);
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(step(last))
            })
            .unwrap_or_default();
        let next = step(last);
        let seconds = u32::try_from(next >> 24).unwrap_or(u32::MAX);
        let counter = u32::try_from(next & 0xff_ffff).unwrap_or(0);
        ObjectId::from_parts(seconds, self.process, counter).into()
    }
}

/// The time of day, for documents; whatever is measured uses `tokio::time::Instant`.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis())
        .ok()
        .and_then(|millis| Timestamp::from_millis(millis).ok())
        .expect("the clock is within the years 1970 to 9999")
}

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 15]);

        impl $name {
            /// A new one, unguessable.
            #[must_use]
            pub fn random() -> Self {
                Self(rand::random())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_base64url(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl FromStr for $name {
            type Err = TokenError;
            fn from_str(text: &str) -> Result<Self, TokenError> {
                read_base64url(text).map(Self).ok_or(TokenError)
            }
        }
    )*};
}

tokens! {
    /// A session's public id: what Socket.IO clients see as `socket.id`.
    SessionId;
    /// One run of a node: another one after each start.
    NodeId;
    /// A session's secret: who has it, and a token of the same user, may take its place.
    PrivateId;
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PrivateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateId(…)")
    }
}

/// The text is no id that this server makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this server")]
pub struct TokenError;

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn write_base64url(bytes: &[u8; 15], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0; 20];
    for (four, three) in text.chunks_exact_mut(4).zip(bytes.chunks_exact(3)) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for (place, digit) in four.iter_mut().enumerate() {
            *digit = BASE64URL[(bits >> (18 - 6 * place) & 63) as usize];
        }
    }
    f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn read_base64url(text: &str) -> Option<[u8; 15]> {
    if text.len() != 20 {
        return None;
    }
    let mut bytes = [0; 15];
    for (three, four) in bytes
        .chunks_exact_mut(3)
        .zip(text.as_bytes().chunks_exact(4))
    {
        let mut bits = 0_u32;
        for digit in four {
            let value = BASE64URL.iter().position(|known| known == digit)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        three.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_ids_ascend() {
        let ids = IdSource::default();
        let made: Vec<ObjectId> = (0..1_000).map(|_| ids.next()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn ids_ascend_from_those_of_an_earlier_process() {
        let seconds = u32::try_from(now().millis() / 1_000).expect("this century");
        for earlier in [seconds - 10, seconds, seconds + 1_000] {
            let ids = IdSource::default();
            let last = ObjectId::from_parts(earlier, [0xff; 5], 0xff_ffff);
            ids.pass(last);
            assert!(ids.next::<ObjectId>() > last, "{earlier}");
        }
    }

    #[test]
    fn a_session_id_is_twenty_characters_and_reads_back() {
        let id = SessionId::random();
        assert_eq!(id.to_string().len(), 20);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("not base64url!!!!!!!".parse::<SessionId>(), Err(TokenError));
    }
}
