//! A task's place in its column: a fractional-index key.
//!
//! Between any two keys there is another, so that a move writes one document. A key is an integer part, whose first
//! letter tells its length (`a0`, `b00`, and `Zz` below `a0`), and a fraction; both are base-62 digits in ASCII order,
//! so keys compare as plain text in every language. Adding at either end only counts the integer up or down, which
//! keeps keys short; a random tail keeps two nodes that insert at one place from making the same key. The scheme is
//! described in David Greenspan's "Implementing Fractional Indexing" (2020).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A key that orders a task in its column; equal keys are ordered by the task's id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(String);

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits of the random tail: three make a clash of two concurrent inserts one in 238,328.
const TAIL: u32 = 3;

impl Position {
    /// A key as it was stored; any text orders, and a text that is no key is only ever a neighbour by comparison.
    #[must_use]
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key above `low` and below `high`; `None` is the column's end. `random` makes the tail.
    ///
    /// Where `low` is not below `high` (two nodes made one key), the new key is only above `low`.
    #[must_use]
    pub fn between(low: Option<&Self>, high: Option<&Self>, random: u32) -> Self {
        let low = low.and_then(|key| split(&key.0));
        let high = high
            .and_then(|key| split(&key.0))
            .filter(|high| low.is_none_or(|low| low < *high));
        let (integer, fraction) = match (low, high) {
            (None, None) => ("a0".to_owned(), String::new()),
            (None, Some((integer, fraction))) => match step(integer, Step::Down) {
                Some(lower) => (lower, String::new()),
                None => (integer.to_owned(), middle("", Some(fraction))),
            },
            (Some((integer, fraction)), None) => match step(integer, Step::Up) {
                Some(higher) => (higher, String::new()),
                None => (integer.to_owned(), middle(fraction, None)),
            },
            (Some((integer, fraction)), Some((high_integer, high_fraction))) => {
                if integer == high_integer {
                    (integer.to_owned(), middle(fraction, Some(high_fraction)))
                } else {
                    match step(integer, Step::Up).filter(|next| next.as_str() < high_integer) {
                        Some(next) => (next, String::new()),
                        None => (integer.to_owned(), middle(fraction, None)),
                    }
                }
            }
        };
        let bare = integer + &fraction;
        let tailed = format!("{bare}{}", tail(random));
        let fits = high.is_none_or(|(integer, fraction)| tailed < format!("{integer}{fraction}"));
        Self(if fits { tailed } else { bare })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Splits a key into integer part and fraction; `None` where the text is no key.
fn split(key: &str) -> Option<(&str, &str)> {
    let length = integer_length(*key.as_bytes().first()?)?;
    let valid = key.len() >= length && key.bytes().all(|digit| digit.is_ascii_alphanumeric());
    (valid && !(key.len() > length && key.ends_with('0'))).then(|| key.split_at(length))
}

fn integer_length(head: u8) -> Option<usize> {
    match head {
        b'a'..=b'z' => Some(usize::from(head - b'a') + 2),
        b'A'..=b'Z' => Some(usize::from(b'Z' - head) + 2),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Up,
    Down,
}

/// The integer part one above or below; `None` past the last one there is.
fn step(integer: &str, step: Step) -> Option<String> {
    let (head, digits) = integer.as_bytes().split_first()?;
    let (last, first) = if step == Step::Up {
        (b'z', b'0')
    } else {
        (b'0', b'z')
    };
    let mut digits = digits.to_vec();
    for place in (0..digits.len()).rev() {
        if digits[place] != last {
            let value = value_of(digits[place]);
            digits[place] = DIGITS[if step == Step::Up {
                value + 1
            } else {
                value - 1
            }];
            return Some(text_of(*head, &digits));
        }
        digits[place] = first;
    }
    // Every digit has turned over: the next head up or down has one digit more or less.
    let head = match (step, *head) {
        (Step::Up, b'Z') => b'a',
        (Step::Down, b'a') => b'Z',
        (Step::Up, b'z') | (Step::Down, b'A') => return None,
        (Step::Up, head) => head + 1,
        (Step::Down, head) => head - 1,
    };
    digits.resize(integer_length(head)? - 1, first);
    Some(text_of(head, &digits))
}

fn text_of(head: u8, digits: &[u8]) -> String {
    std::iter::once(head)
        .chain(digits.iter().copied())
        .map(char::from)
        .collect()
}

fn value_of(digit: u8) -> usize {
    DIGITS.iter().position(|&d| d == digit).unwrap_or(0)
}

/// A fraction above `low` and below `high` (`None` is one whole), without a closing zero. Fractions grow with every
/// insert at one place, so none of this may cost stack.
fn middle(mut low: &str, mut high: Option<&str>) -> String {
    let digit = |text: &str, place: usize| text.as_bytes().get(place).map_or(0, |&d| value_of(d));
    let mut fraction = String::new();
    loop {
        if let Some(text) = high {
            let shared = (0..text.len())
                .take_while(|&place| digit(low, place) == digit(text, place))
                .count();
            if shared < text.len() {
                fraction.push_str(&text[..shared]);
                low = low.get(shared..).unwrap_or("");
                high = Some(&text[shared..]);
            }
        }
        let floor = digit(low, 0);
        let ceiling = high.map_or(62, |high| digit(high, 0));
        if ceiling > floor + 1 {
            fraction.push(char::from(DIGITS[usize::midpoint(floor, ceiling)]));
            return fraction;
        }
        match high {
            // The high end's first digit alone lies below it and above the low end.
            Some(high) if high.len() > 1 => {
                fraction.push_str(&high[..1]);
                return fraction;
            }
            _ => {
                fraction.push(char::from(DIGITS[floor]));
                low = low.get(1..).unwrap_or("");
                high = None;
            }
        }
    }
}

fn tail(mut random: u32) -> String {
    let mut tail = String::new();
    for _ in 1..TAIL {
        tail.push(char::from(DIGITS[(random % 62) as usize]));
        random /= 62;
    }
    // The last digit is never zero: no key ends in one.
    tail.push(char::from(DIGITS[(random % 61) as usize + 1]));
    tail
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Position {
        Position::stored(text)
    }

    #[test]
    fn the_first_key_has_room_on_both_sides() {
        let first = Position::between(None, None, 7);
        assert!(first.as_str().starts_with("a0"));
        assert!(Position::between(None, Some(&first), 0) < first);
        assert!(Position::between(Some(&first), None, 0) > first);
    }

    #[test]
    fn ten_thousand_inserts_at_the_top_keep_keys_short() {
        let mut top = Position::between(None, None, 1);
        for random in 0..10_000_u32 {
            let above = Position::between(None, Some(&top), random.wrapping_mul(2_654_435_761));
            assert!(above < top);
            top = above;
        }
        assert!(top.as_str().len() <= 9, "{top}");
    }

    #[test]
    fn a_neighbour_that_is_no_key_is_passed_over() {
        assert!(Position::between(Some(&key("!")), Some(&key("b00")), 3) < key("b00"));
        assert_eq!(
            Position::between(Some(&key("")), None, 3),
            Position::between(None, None, 3)
        );
    }

    /// Somebody who moved a task to one place again and again once brought down the server: its key took a frame of the
    /// stack for every digit.
    #[test]
    fn a_key_that_has_grown_without_end_costs_no_stack() {
        let low = key(&format!("a0{}", "z".repeat(1_000_000)));
        let new = Position::between(Some(&low), Some(&key("a1")), 3);
        assert!(low < new && new < key("a1"));
    }

    #[test]
    fn equal_neighbours_still_give_a_key_above() {
        assert!(Position::between(Some(&key("a5V")), Some(&key("a5V")), 3) > key("a5V"));
    }

    proptest! {
        #[test]
        fn inserting_anywhere_keeps_the_order(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 1..300)) {
            let mut column: Vec<Position> = Vec::new();
            for (place, random) in places {
                let at = place.index(column.len() + 1);
                let low = at.checked_sub(1).map(|i| column[i].clone());
                let new = Position::between(low.as_ref(), column.get(at), random);
                prop_assert!(split(new.as_str()).is_some(), "{new}");
                column.insert(at, new);
                prop_assert!(column.is_sorted_by(|a, b| a < b), "{column:?}");
            }
        }

        #[test]
        fn inserting_at_one_place_again_and_again_keeps_the_order(randoms in prop::collection::vec(any::<u32>(), 1..200)) {
            let (mut low, high) = (key("a0"), key("a1"));
            for random in randoms {
                let new = Position::between(Some(&low), Some(&high), random);
                prop_assert!(low < new && new < high, "{low} < {new} < {high}");
                low = new;
            }
        }
    }
}
