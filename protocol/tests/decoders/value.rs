//! The values inside: dates and ids are written as they are read, and a place is found between any two.

use collabflow_protocol::id::ObjectId;
use collabflow_protocol::model::Position;
use collabflow_protocol::time::Timestamp;

use crate::packet::text;

/// Lines of text: a date, an id, two keys of places; each may be anything.
pub(crate) fn values(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    if let Ok(date) = Timestamp::parse(line()) {
        assert_eq!(Timestamp::parse(&date.to_string()), Ok(date));
        assert_eq!(Timestamp::from_millis(date.millis()), Ok(date));
    }
    let id = line();
    if let Ok(read) = id.parse::<ObjectId>() {
        assert_eq!(read.to_string(), id.to_ascii_lowercase());
    }
    let (low, high) = (Position::stored(line()), Position::stored(line()));
    let random = u32::try_from(bytes.len())
        .unwrap_or(0)
        .wrapping_mul(2_654_435_761);
    let new = Position::between(Some(&low), Some(&high), random);
    if is_key(&low) {
        assert!(new > low, "{new} above {low}");
    }
    if is_key(&low) && is_key(&high) && low < high {
        assert!(new < high, "{new} below {high}");
    }
}

/// What is no key is passed over, so the same is found on either side of it; there is room on both sides of a key.
fn is_key(text: &Position) -> bool {
    let (above, below) = (
        Position::between(Some(text), None, 0),
        Position::between(None, Some(text), 0),
    );
    below < *text && *text < above
}
