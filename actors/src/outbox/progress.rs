//! How far a session has heard what it was told: by number for the node that told it, and by its places in its rooms' logs
//! for any other node, which tells it from there what it has missed.

use std::{collections::HashSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{id::TokenError, key::RoomKey};

/// No session comes so far. A client may say any number, and what it says is counted on from.
const OFFSET_MAX: u64 = 1 << 53;

/// How far a session has heard what it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Offset(pub(super) u64);

/// The same as its client keeps it for us, as text that it need not understand; with what another node needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Among all that the session was told.
    pub offset: Offset,
    /// In its rooms' logs.
    pub places: Places,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.offset, self.places)
    }
}

impl FromStr for Progress {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let (offset, places) = text.split_at(text.find('.').unwrap_or(text.len()));
        Ok(Self {
            offset: offset.parse()?,
            places: places.parse()?,
        })
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Offset {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let is_ours = |offset: &Self| offset.0 <= OFFSET_MAX && offset.to_string() == text;
        let offset = text.parse().map(Self).map_err(|_| TokenError)?;
        Some(offset).filter(is_ours).ok_or(TokenError)
    }
}

/// How a durable event stands in its room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It has no place there, and nobody will look for it: this node is one by itself, or tells it beside the log.
    Beside,
    /// It has this stamp.
    At(u64),
    /// It was told while the log was away: nobody can say later whether it was heard.
    Away,
}

/// How far a session has heard a room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The stamp of the last entry.
    pub stamp: u64,
    /// How many events of that entry.
    pub events: u32,
}

/// How far a session has heard the logs of its rooms, by the rooms' tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places(Vec<(u64, Heard)>);

impl Places {
    /// An event of this entry was told.
    pub(super) fn add(&mut self, room: RoomKey, stamp: u64) {
        let tag = room.tag();
        match self.0.iter_mut().find(|(known, _)| *known == tag) {
            // A client may say any number.
            Some((_, heard)) if heard.stamp == stamp => {
                heard.events = heard.events.saturating_add(1);
            }
            Some((_, heard)) => *heard = Heard { stamp, events: 1 },
            None => self.0.push((tag, Heard { stamp, events: 1 })),
        }
    }

    /// Forgets a room.
    pub(super) fn leave(&mut self, room: RoomKey) {
        let tag = room.tag();
        self.0.retain(|(known, _)| *known != tag);
    }

    /// Forgets all rooms but these.
    pub(crate) fn keep(&mut self, rooms: impl Iterator<Item = RoomKey>) {
        let kept: HashSet<_> = rooms.map(RoomKey::tag).collect();
        self.0.retain(|(tag, _)| kept.contains(tag));
    }

    /// How far this room was heard, if anything of it was.
    #[must_use]
    pub fn heard(&self, room: RoomKey) -> Option<Heard> {
        let tag = room.tag();
        let heard = self.0.iter().find(|(known, _)| *known == tag);
        heard.map(|(_, heard)| *heard)
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (tag, Heard { stamp, events }) in &self.0 {
            write!(f, ".{tag:x}-{stamp:x}-{events:x}")?;
        }
        Ok(())
    }
}

impl FromStr for Places {
    type Err = TokenError;

    /// Of what [`fmt::Display`] writes, nothing but that.
    fn from_str(text: &str) -> Result<Self, TokenError> {
        let place = |text: &str| {
            let mut numbers = text.split('-');
            let tag = u64::from_str_radix(numbers.next()?, 16).ok()?;
            let stamp = u64::from_str_radix(numbers.next()?, 16).ok()?;
            let events = u32::from_str_radix(numbers.next()?, 16).ok()?;
            Some((tag, Heard { stamp, events }))
        };
        let places = match text.strip_prefix('.') {
            Some(places) => places.split('.').map(place).collect(),
            None => Some(Vec::new()),
        };
        let places = places.map(Self).filter(|places| places.to_string() == text);
        places.ok_or(TokenError)
    }
}

#[cfg(test)]
mod tests {
    use collabflow_protocol::id::{ChannelId, ObjectId};

    use super::*;

    fn room(n: u8) -> RoomKey {
        RoomKey::Chat(ChannelId(ObjectId::from_bytes([n; 12])))
    }

    #[test]
    fn places_are_text_that_reads_back_and_no_other_text_is_one() {
        let mut places = Places::default();
        assert_eq!(places.to_string().parse(), Ok(places.clone()));
        places.add(room(1), 70);
        places.add(room(2), 71);
        places.add(room(1), 72);
        places.add(room(1), 72);
        let heard = |stamp, events| Some(Heard { stamp, events });
        assert_eq!(places.heard(room(1)), heard(72, 2));
        assert_eq!(places.heard(room(2)), heard(71, 1));
        assert_eq!(places.heard(room(3)), None);
        assert_eq!(places.to_string().parse(), Ok(places));
        for text in [
            "x", ".", ".1", ".1-2", ".1-2-3-4", ".1-2-+3", ".01-2-3", ".1-2-3.",
        ] {
            assert_eq!(text.parse::<Places>(), Err(TokenError), "{text}");
        }
    }

    #[test]
    fn whatever_a_client_says_that_it_has_heard_is_counted_on_from() {
        let said = format!(".{:x}-7-ffffffff", room(1).tag());
        let mut places: Places = said.parse().expect("places");
        places.add(room(1), 7);
        let heard = places.heard(room(1)).expect("heard");
        assert_eq!((heard.stamp, heard.events), (7, u32::MAX));
    }

    #[test]
    fn places_in_rooms_that_a_session_is_not_in_are_forgotten() {
        let mut places = Places::default();
        (0..4).for_each(|n| places.add(room(n), 7));
        places.keep([room(1), room(9)].into_iter());
        assert!(places.heard(room(1)).is_some());
        assert_eq!(places.0.len(), 1);
    }

    #[test]
    fn an_offset_is_text_that_reads_back_and_no_other_text_is_one() {
        let offset = Offset(42);
        assert_eq!(offset.to_string().parse(), Ok(offset));
        let junk = ["", "042", "+42", "-1", "4.2", "x", "99999999999999999999"];
        for text in junk.into_iter().chain(["18446744073709551615"]) {
            assert_eq!(text.parse::<Offset>(), Err(TokenError), "{text}");
        }
    }
}
