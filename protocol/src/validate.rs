//! Reading what clients write: field by field, every bad one named, nothing assumed.
//!
//! [`Fields`] remembers which names were asked for, so that whatever is left over is unknown, and collects the reason
//! for each refusal; values are only worth something once [`Fields::finish`] has said `Ok`.

use std::{collections::BTreeSet, ops::RangeInclusive};

use serde_json::{Map, Value};

use crate::{
    error::{ClientError, FieldErrors},
    id::ObjectId,
    time::Timestamp,
};

/// What becomes of fields that the server does not know (`validation.unknown`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// They are passed over, as Mongoose did.
    #[default]
    Ignore,
    /// They are refused.
    Reject,
}

/// Fields that the server keeps itself: never taken from a client, never called unknown.
const KEPT: [&str; 8] = [
    "_id",
    "id",
    "__v",
    "version",
    "position",
    "createdBy",
    "createdAt",
    "updatedAt",
];

/// The fields of one JSON object under validation.
#[derive(Debug)]
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// Prefix of field paths: empty, or `labels.2.`.
    path: String,
    known: BTreeSet<&'static str>,
    errors: FieldErrors,
}

impl<'a> Fields<'a> {
    /// Starts on an object.
    #[must_use]
    pub fn new(map: &'a Map<String, Value>) -> Self {
        Self::within(map, String::new())
    }

    fn within(map: &'a Map<String, Value>, path: String) -> Self {
        Self {
            map,
            path,
            known: BTreeSet::new(),
            errors: FieldErrors::new(),
        }
    }

    /// The raw value of a field, which is known from now on.
    pub fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.insert(name);
        self.map.get(name)
    }

    /// Names a field as bad.
    pub fn refuse(&mut self, name: &str, reason: impl Into<String>) {
        self.errors
            .entry(format!("{}{name}", self.path))
            .or_insert_with(|| reason.into());
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// `validation_failed` with every bad field.
    pub fn finish(self, unknown: Unknown) -> Result<(), ClientError> {
        let errors = self.into_errors(unknown);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ClientError::validation(errors))
        }
    }

    fn into_errors(mut self, unknown: Unknown) -> FieldErrors {
        if unknown == Unknown::Reject {
            for name in self.map.keys() {
                if !self.known.contains(name.as_str()) && !KEPT.contains(&name.as_str()) {
                    self.errors
                        .entry(format!("{}{name}", self.path))
                        .or_insert_with(|| "is not a known field".into());
                }
            }
        }
        self.errors
    }

    /// Trimmed text whose length in characters is in `range`; absent is `None`.
    pub fn text(&mut self, name: &'static str, range: RangeInclusive<usize>) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => self.limited(name, text.trim(), range),
            _ => self.wrong(name, "must be text"),
        }
    }

    /// As [`Self::text`], where `null` is as good as absent.
    pub fn optional_text(
        &mut self,
        name: &'static str,
        range: RangeInclusive<usize>,
    ) -> Option<String> {
        if self.get(name)?.is_null() {
            None
        } else {
            self.text(name, range)
        }
    }

    /// As [`Self::text`], and it must be there.
    pub fn required_text(&mut self, name: &'static str, range: RangeInclusive<usize>) -> String {
        if self.get(name).is_none_or(Value::is_null) {
            self.refuse(name, "is required");
        }
        self.text(name, range).unwrap_or_default()
    }

    /// Text that `null` and `""` clear: absent is `None`, cleared is `Some(None)`.
    pub fn clearable_text(&mut self, name: &'static str, max: usize) -> Option<Option<String>> {
        match self.get(name)? {
            Value::Null => Some(None),
            Value::String(text) if text.trim().is_empty() => Some(None),
            Value::String(text) => self.limited(name, text.trim(), 0..=max).map(Some),
            _ => self.wrong(name, "must be text"),
        }
    }

    /// An email in lower case.
    pub fn required_email(&mut self, name: &'static str) -> String {
        let email = self.required_text(name, 1..=254).to_lowercase();
        let shaped = email.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        });
        if !email.is_empty() && (!shaped || email.contains(char::is_whitespace)) {
            self.refuse(name, "must be an email address");
        }
        email
    }

    /// A password, not trimmed.
    pub fn required_password(
        &mut self,
        name: &'static str,
        range: RangeInclusive<usize>,
    ) -> String {
        match self.get(name) {
            Some(Value::String(text)) => self.limited(name, text, range).unwrap_or_default(),
            Some(value) if !value.is_null() => self.wrong(name, "must be text").unwrap_or_default(),
            _ => {
                self.refuse(name, "is required");
                String::new()
            }
        }
    }

    /// One of several words; `null` is as good as absent.
    pub fn choice<T>(
        &mut self,
        name: &'static str,
        words: &str,
        named: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(name)?;
        if value.is_null() {
            return None;
        }
        let choice = value.as_str().and_then(named);
        if choice.is_none() {
            self.refuse(name, format!("must be {words}"));
        }
        choice
    }

    /// An id; `null` is as good as absent.
    pub fn id<T: From<ObjectId>>(&mut self, name: &'static str) -> Option<T> {
        let value = self.get(name)?;
        if value.is_null() {
            None
        } else {
            self.id_in(name, value)
        }
    }

    /// An id that must be there.
    pub fn required_id<T: From<ObjectId>>(&mut self, name: &'static str) -> T {
        if self.get(name).is_none_or(Value::is_null) {
            self.refuse(name, "is required");
        }
        self.id(name)
            .unwrap_or_else(|| ObjectId::from_bytes([0; 12]).into())
    }

    /// A reference that `null` and `""` clear; a populated document is as good as its id.
    pub fn clearable_id<T: From<ObjectId>>(&mut self, name: &'static str) -> Option<Option<T>> {
        match self.get(name)? {
            Value::Null => Some(None),
            Value::String(text) if text.trim().is_empty() => Some(None),
            value => self.id_in(name, value).map(Some),
        }
    }

    /// A date that `null` and `""` clear.
    pub fn clearable_date(&mut self, name: &'static str) -> Option<Option<Timestamp>> {
        let value = self.get(name)?;
        let date = match value {
            Value::Null => return Some(None),
            Value::String(text) if text.trim().is_empty() => return Some(None),
            Value::String(text) => Timestamp::parse(text.trim()),
            // Fractions of a millisecond are dropped, as JavaScript's Date does; what saturates is out of range.
            #[allow(clippy::cast_possible_truncation)]
            Value::Number(n) => Timestamp::from_millis(
                n.as_i64()
                    .or(n.as_f64().map(|f| f as i64))
                    .unwrap_or(i64::MAX),
            ),
            _ => return self.wrong(name, "must be a date"),
        };
        match date {
            Ok(date) => Some(Some(date)),
            Err(error) => self.wrong(name, &error.to_string()),
        }
    }

    /// A true or false; absent is `None`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::Null => None,
            _ => self.wrong(name, "must be true or false"),
        }
    }

    /// A whole number from 0; `null` is as good as absent.
    pub fn whole(&mut self, name: &'static str) -> Option<u64> {
        let value = self.get(name)?;
        if value.is_null() {
            return None;
        }
        // JavaScript has one kind of number: 2.0 is a whole one.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let float = |f: f64| (f.fract() == 0.0 && (0.0..9.1e15).contains(&f)).then_some(f as u64);
        value
            .as_u64()
            .or_else(|| value.as_f64().and_then(float))
            .or_else(|| self.wrong(name, "must be a whole number from 0"))
    }

    /// An object that must be there.
    pub fn required_object(&mut self, name: &'static str) -> Option<&'a Map<String, Value>> {
        match self.get(name) {
            Some(Value::Object(map)) => Some(map),
            None | Some(Value::Null) => self.wrong(name, "is required"),
            Some(_) => self.wrong(name, "must be an object"),
        }
    }

    /// A list of objects, each read by `read`; absent is `None`, `null` an empty list.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        most: usize,
        unknown: Unknown,
        read: impl Fn(&mut Fields<'_>) -> T,
    ) -> Option<Vec<T>> {
        let items = match self.get(name)? {
            Value::Array(items) => items,
            Value::Null => return Some(Vec::new()),
            _ => return self.wrong(name, "must be a list"),
        };
        if items.len() > most {
            return self.wrong(name, &format!("must have at most {most} entries"));
        }
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let Value::Object(map) = item else {
                self.refuse(&format!("{name}.{index}"), "must be an object");
                continue;
            };
            let mut fields = Fields::within(map, format!("{}{name}.{index}.", self.path));
            list.push(read(&mut fields));
            self.errors.append(&mut fields.into_errors(unknown));
        }
        Some(list)
    }

    /// A reference that cannot be cleared or changed, only repeated.
    pub fn repeated_id<T: From<ObjectId>>(&mut self, name: &'static str) -> Option<T> {
        let repeated = self.clearable_id(name)?;
        if repeated.is_none() {
            self.refuse(name, "cannot be changed");
        }
        repeated
    }

    fn id_in<T: From<ObjectId>>(&mut self, name: &'static str, value: &Value) -> Option<T> {
        let text = value
            .as_str()
            .or_else(|| value.get("_id").and_then(Value::as_str));
        match text.map(str::parse::<ObjectId>) {
            Some(Ok(id)) => Some(id.into()),
            _ => self.wrong(name, "must be an id of 24 hexadecimal characters"),
        }
    }

    fn limited(&mut self, name: &str, text: &str, range: RangeInclusive<usize>) -> Option<String> {
        let length = text.chars().count();
        if range.contains(&length) {
            return Some(text.to_owned());
        }
        if length == 0 {
            return self.wrong(name, "must not be empty");
        }
        match (range.start(), range.end()) {
            (start, &usize::MAX) => {
                self.wrong(name, &format!("must have at least {start} characters"))
            }
            (0 | 1, end) => self.wrong(name, &format!("must have at most {end} characters")),
            (start, end) => self.wrong(name, &format!("must have {start} to {end} characters")),
        }
    }

    fn wrong<T>(&mut self, name: &str, reason: &str) -> Option<T> {
        self.refuse(name, reason);
        None
    }
}
