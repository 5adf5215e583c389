//! How single values are read: each reader says in words what it accepts, for the error line.

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer,
    de::{self, Unexpected, Visitor},
};

/// The longest duration taken: far beyond use, and small enough to be added to any clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A duration that is not zero.
pub(super) mod duration {
    pub(in super::super) use super::write_duration as serialize;
    use super::{Deserializer, Duration};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        super::read_duration(deserializer, Duration::from_nanos(1))
    }
}

/// A duration that clients are told in whole milliseconds.
pub(super) mod duration_in_millis {
    pub(in super::super) use super::write_duration as serialize;
    use super::{Deserializer, Duration};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        super::read_duration(deserializer, Duration::from_millis(1))
    }
}

/// A duration that may be zero.
pub(super) mod duration_or_zero {
    pub(in super::super) use super::write_duration as serialize;
    use super::{Deserializer, Duration};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        super::read_duration(deserializer, Duration::ZERO)
    }
}

pub(super) fn write_duration<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

fn read_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
    shortest: Duration,
) -> Result<Duration, D::Error> {
    let more = match shortest.as_millis() {
        _ if shortest.is_zero() => "",
        0 => ", more than zero",
        _ => ", at least 1ms",
    };
    let accepted =
        format!("a duration with a unit, such as \"250ms\", \"5s\" or \"2m\"{more}, up to a year");
    read(deserializer, &accepted, |text| {
        let duration = humantime::parse_duration(text).ok()?;
        (shortest..=LONGEST).contains(&duration).then_some(duration)
    })
}

/// A host to listen on: an address, with or without brackets, or a name.
pub(super) fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    const ACCEPTED: &str =
        "an address or a host name, such as \"127.0.0.1\", \"0.0.0.0\", \"::\" or \"localhost\"";
    read(deserializer, ACCEPTED, |text| {
        let text = text.trim();
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .unwrap_or(text);
        let is_host = bare.parse::<IpAddr>().is_ok() || is_host_name(text);
        is_host.then(|| bare.to_owned())
    })
}

/// Whether this may be a name, and no address with a slip in it.
fn is_host_name(text: &str) -> bool {
    let mut labels = text.strip_suffix('.').unwrap_or(text).split('.');
    let is_label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        (1..=63).contains(&label.len()) && label.chars().all(plain) && !label.starts_with('-')
    };
    let is_number = |label: &str| label.chars().all(|c| c.is_ascii_digit());
    text.len() <= 253 && labels.clone().all(is_label) && !labels.next_back().is_some_and(is_number)
}

/// Text that is not empty.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    read(deserializer, "text that is not empty", |text| {
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    })
}

/// A path that is not empty.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    text(deserializer).map(PathBuf::from)
}

/// What a node is called.
pub(super) fn node_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    const ACCEPTED: &str =
        "1 to 64 letters, digits, \"-\", \"_\", \".\" and \":\", such as \"app-1\"";
    read(deserializer, ACCEPTED, |text| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        let is_name = (1..=64).contains(&text.len()) && text.chars().all(is_plain);
        is_name.then(|| Some(text.to_owned()))
    })
}

/// A filter as tracing reads it.
pub(super) fn log_filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    const ACCEPTED: &str = "a log filter, such as \"info\", \"debug\" or \"warn,collabflow=debug\"";
    read(deserializer, ACCEPTED, |text| {
        tracing_subscriber::EnvFilter::try_new(text)
            .is_ok()
            .then(|| text.to_owned())
    })
}

/// A path prefix without its last slash; the root is empty.
pub(super) fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    const ACCEPTED: &str = "a path of letters, digits, \"-\", \"_\" and \".\", such as \"/api\"";
    read(deserializer, ACCEPTED, |text| {
        let path = text.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_plain = |segment: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !segment.is_empty() && segment.chars().all(plain)
        };
        if path.is_empty() {
            Some(String::new())
        } else if path.split('/').all(is_plain) {
            Some(format!("/{path}"))
        } else {
            None
        }
    })
}

/// Networks as CIDR blocks, or single addresses.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    struct Network(IpNet);
    impl<'de> Deserialize<'de> for Network {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            const ACCEPTED: &str = "an address or a CIDR block, such as \"10.0.0.0/8\"";
            read(deserializer, ACCEPTED, |text| {
                text.parse()
                    .ok()
                    .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
            })
            .map(Self)
        }
    }
    let networks = Vec::<Network>::deserialize(deserializer)?;
    Ok(networks
        .into_iter()
        .map(|Network(network)| network)
        .collect())
}

/// A port, 0 included.
pub(super) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    whole(deserializer, 0..=u16::MAX.into())
}

/// A number of things or bytes, at least one.
pub(super) fn count<'de, D: Deserializer<'de>, T: TryFrom<u32>>(
    deserializer: D,
) -> Result<T, D::Error> {
    whole(deserializer, 1..=u32::MAX)
}

fn whole<'de, D: Deserializer<'de>, T: TryFrom<u32>>(
    deserializer: D,
    range: std::ops::RangeInclusive<u32>,
) -> Result<T, D::Error> {
    struct Whole(std::ops::RangeInclusive<u32>);
    impl Visitor<'_> for Whole {
        type Value = u32;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(
                f,
                "a whole number from {} to {}",
                self.0.start(),
                self.0.end()
            )
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u32, E> {
            let fits = u32::try_from(number)
                .ok()
                .filter(|number| self.0.contains(number));
            fits.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<u32, E> {
            match u64::try_from(number) {
                Ok(number) => self.visit_u64(number),
                Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
            }
        }
    }
    let number = deserializer.deserialize_any(Whole(range))?;
    T::try_from(number).map_err(|_| de::Error::custom("out of range"))
}

/// Reads text by `parse`; whatever it does not take is refused with what is `accepted`.
pub(super) fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    accepted: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Text<'a, P>(&'a str, P);
    impl<T, P: FnOnce(&str) -> Option<T>> Visitor<'_> for Text<'_, P> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self.0))
        }
    }
    deserializer.deserialize_any(Text(accepted, parse))
}
