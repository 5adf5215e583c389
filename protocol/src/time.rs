//! Points in time: milliseconds since the epoch, written as ISO 8601 UTC with milliseconds.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{
    Date, OffsetDateTime, PrimitiveDateTime, UtcOffset, format_description::well_known::Iso8601,
};

/// Milliseconds since 1970-01-01T00:00:00Z, within the years 0 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The value is no point in time that can be written as ISO 8601 with a four-digit year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a date: ISO 8601 text, or milliseconds since 1970")]
pub struct TimeError;

const MIN: i64 = -62_167_219_200_000;
const MAX: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The point `millis` after the epoch.
    ///
    /// # Errors
    /// When the year would not have four digits.
    pub const fn from_millis(millis: i64) -> Result<Self, TimeError> {
        if millis < MIN || millis > MAX {
            Err(TimeError)
        } else {
            Ok(Self(millis))
        }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Reads ISO 8601: with an offset, without one (UTC is meant), or the date alone.
    ///
    /// # Errors
    /// When the text is no such date.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let format = &Iso8601::DEFAULT;
        let moment = OffsetDateTime::parse(text, format)
            .or_else(|_| PrimitiveDateTime::parse(text, format).map(PrimitiveDateTime::assume_utc))
            .or_else(|_| Date::parse(text, format).map(|date| date.midnight().assume_utc()))
            .map_err(|_| TimeError)?;
        let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        Self::from_millis(i64::try_from(millis).map_err(|_| TimeError)?)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .map_err(|_| fmt::Error)?
            .to_offset(UtcOffset::UTC);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            moment.millisecond()
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Moment;
        impl de::Visitor<'_> for Moment {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date as ISO 8601 text or in epoch milliseconds")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Timestamp, E> {
                Timestamp::from_millis(millis).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Timestamp, E> {
                i64::try_from(millis)
                    .map_err(E::custom)
                    .and_then(|m| self.visit_i64(m))
            }
            fn visit_f64<E: de::Error>(self, millis: f64) -> Result<Timestamp, E> {
                // `as` saturates, and what saturates is out of range.
                #[allow(clippy::cast_possible_truncation)]
                self.visit_i64(millis as i64)
            }
        }
        deserializer.deserialize_any(Moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_dates_are_read_in_each_usual_form() {
        for (text, written) in [
            ("2026-03-01T10:20:30.456Z", "2026-03-01T10:20:30.456Z"),
            ("2026-03-01T10:20:30Z", "2026-03-01T10:20:30.000Z"),
            ("2026-03-01T10:20:30.5+02:00", "2026-03-01T08:20:30.500Z"),
            ("2026-03-01T10:20", "2026-03-01T10:20:00.000Z"),
            ("2026-03-01", "2026-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(
                Timestamp::parse(text).map(|t| t.to_string()).as_deref(),
                Ok(written),
                "{text}"
            );
        }
    }

    #[test]
    fn milliseconds_are_read_too() {
        let read: Timestamp = serde_json::from_str("1767225600123").expect("a number");
        assert_eq!(read.to_string(), "2026-01-01T00:00:00.123Z");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["", "tomorrow", "2026-13-01", "2026-02-30", "10:20"] {
            assert_eq!(Timestamp::parse(text), Err(TimeError), "{text}");
        }
        assert!(Timestamp::from_millis(i64::MAX).is_err());
        assert!(serde_json::from_str::<Timestamp>("1e300").is_err());
    }
}
