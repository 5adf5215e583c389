//! Document ids: MongoDB ObjectIds, written as 24 lower-case hex characters.
//!
//! Each kind of document has a type of its own, so that a task's id cannot be passed where a project's is meant.
//! Making a fresh id needs a clock and randomness, which this crate has not: see [`ObjectId::from_parts`].

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Twelve bytes: seconds since the epoch, five random bytes of the process, a counter; all big-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 12]);

/// The text is not 24 hexadecimal characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an id of 24 hexadecimal characters")]
pub struct IdError;

impl ObjectId {
    /// Puts an id together as MongoDB's drivers do; only the low three bytes of `counter` count.
    #[must_use]
    pub fn from_parts(epoch_seconds: u32, process: [u8; 5], counter: u32) -> Self {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&epoch_seconds.to_be_bytes());
        bytes[4..9].copy_from_slice(&process);
        bytes[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
        Self(bytes)
    }

    /// The bytes as MongoDB stores them.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 12] {
        self.0
    }

    /// The id that has these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 24];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let text = text.as_bytes();
        if text.len() != 24 {
            return Err(IdError);
        }
        let mut bytes = [0; 12];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |c: u8| (c as char).to_digit(16).ok_or(IdError);
            let value = digit(pair[0])? << 4 | digit(pair[1])?;
            *byte = u8::try_from(value).map_err(|_| IdError)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = ObjectId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id of 24 hexadecimal characters")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ObjectId, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub ObjectId);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.parse().map(Self)
            }
        }

        impl From<ObjectId> for $name {
            fn from(id: ObjectId) -> Self {
                Self(id)
            }
        }
    )*};
}

ids! {
    /// A user, known from the store or from a token's claims.
    UserId;
    /// A workspace.
    WorkspaceId;
    /// A project.
    ProjectId;
    /// A task.
    TaskId;
    /// A subtask inside its task.
    SubtaskId;
    /// A chat channel: a channel document's id, or a project's or workspace's own.
    ChannelId;
    /// A chat message.
    MessageId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_and_written_as_hex() {
        let id: ObjectId = "64B7f3a2c9e77a0012345678".parse().expect("valid");
        assert_eq!(id.to_string(), "64b7f3a2c9e77a0012345678");
        assert_eq!(ObjectId::from_bytes(id.bytes()), id);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "64b7",
            "64b7f3a2c9e77a001234567g",
            "64b7f3a2c9e77a00123456789",
            "é4b7f3a2c9e77a001234567",
        ] {
            assert_eq!(text.parse::<ObjectId>(), Err(IdError), "{text}");
        }
    }

    #[test]
    fn parts_are_laid_out_as_mongodb_does() {
        let id = ObjectId::from_parts(0x0102_0304, [5, 6, 7, 8, 9], 0xff0a_0b0c);
        assert_eq!(id.to_string(), "0102030405060708090a0b0c");
    }
}
