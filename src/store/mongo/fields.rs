//! Reading documents that other programs may have written: what is missing or of another type reads as nothing, and
//! never as an error.

use collabflow_protocol::{id, time::Timestamp};
use mongodb::bson::{Bson, DateTime, Document, oid::ObjectId};

/// Whole numbers up to this one are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// An id as MongoDB has it.
pub(super) fn oid(id: impl Into<Id>) -> ObjectId {
    ObjectId::from_bytes(id.into().0.bytes())
}

/// An id of any kind.
pub(super) struct Id(id::ObjectId);

macro_rules! ids {
    ($($name:ident),*) => {$(
        impl From<id::$name> for Id {
            fn from(id: id::$name) -> Self {
                Self(id.0)
            }
        }
    )*};
}

ids!(
    UserId,
    WorkspaceId,
    ProjectId,
    TaskId,
    SubtaskId,
    ChannelId,
    MessageId
);

impl From<id::ObjectId> for Id {
    fn from(id: id::ObjectId) -> Self {
        Self(id)
    }
}

/// A time as MongoDB has it.
pub(super) const fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.millis())
}

/// The id that a value is: an ObjectId, or its text.
pub(super) fn as_id<T: From<id::ObjectId>>(value: &Bson) -> Option<T> {
    let id = match value {
        Bson::ObjectId(oid) => id::ObjectId::from_bytes(oid.bytes()),
        Bson::String(text) => text.parse().ok()?,
        _ => return None,
    };
    Some(id.into())
}

pub(super) fn as_time(value: &Bson) -> Option<Timestamp> {
    match value {
        Bson::DateTime(date) => Timestamp::from_millis(date.timestamp_millis()).ok(),
        Bson::String(text) => Timestamp::parse(text).ok(),
        Bson::Int64(millis) => Timestamp::from_millis(*millis).ok(),
        // What saturates is out of range.
        #[allow(clippy::cast_possible_truncation)]
        Bson::Double(millis) => Timestamp::from_millis(*millis as i64).ok(),
        _ => None,
    }
}

/// Tells Mongoose that places in its copy of a list are not those of the list any more.
pub(super) fn raise_list_version(before: &Document, update: &mut Document) {
    let is_number = matches!(
        before.get("__v"),
        None | Some(Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_))
    );
    if is_number {
        update.insert("$inc", mongodb::bson::doc! { "__v": 1 });
    }
}

/// What can be read of a document.
pub(super) trait Fields {
    /// The value, unless it is null.
    fn value(&self, name: &str) -> Option<&Bson>;

    fn id<T: From<id::ObjectId>>(&self, name: &str) -> Option<T> {
        self.value(name).and_then(as_id)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        self.value(name).and_then(as_time)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.value(name)?.as_bool()
    }

    /// A whole number that is not negative.
    fn number(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Bson::Int32(number) => u64::try_from(*number).ok(),
            Bson::Int64(number) => u64::try_from(*number).ok(),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Bson::Double(number) if (0.0..EXACT).contains(number) => Some(*number as u64),
            _ => None,
        }
    }

    /// The values of a list; none where it is none.
    fn list(&self, name: &str) -> &[Bson] {
        self.value(name)
            .and_then(Bson::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// When a document was made: what it says, else what its id says.
    fn made_at(&self) -> Timestamp {
        self.time("createdAt")
            .or_else(|| as_time(&Bson::DateTime(self.id_of_document()?.timestamp())))
            .unwrap_or_else(epoch)
    }

    /// When a document was last changed: what it says, else when it was made.
    fn changed_at(&self) -> Timestamp {
        self.time("updatedAt").unwrap_or_else(|| self.made_at())
    }

    fn id_of_document(&self) -> Option<ObjectId> {
        self.value("_id")?.as_object_id()
    }
}

impl Fields for Document {
    fn value(&self, name: &str) -> Option<&Bson> {
        self.get(name).filter(|value| **value != Bson::Null)
    }
}

fn epoch() -> Timestamp {
    Timestamp::from_millis(0).expect("1970 is within the years")
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn a_time_is_read_in_each_form_that_programs_have_stored() {
        let stored = doc! {
            "date": DateTime::from_millis(1_735_723_815_250), "text": "2025-01-01T09:30:15.250Z",
            "millis": 1_735_723_815_250_i64, "double": 1_735_723_815_250.0, "odd": "yesterday",
        };
        for form in ["date", "text", "millis", "double"] {
            let time = stored.time(form).expect("a time");
            assert_eq!(time.millis(), 1_735_723_815_250, "{form}");
        }
        assert_eq!(stored.time("odd"), None);
    }

    #[test]
    fn a_document_without_times_is_as_old_as_its_id() {
        let id = ObjectId::parse_str("64b7f3a2c9e77a0012345678").expect("an id");
        let stored = doc! { "_id": id };
        assert_eq!(stored.made_at().millis(), id.timestamp().timestamp_millis());
        assert_eq!(stored.changed_at(), stored.made_at());
    }

    #[test]
    fn what_is_of_another_type_reads_as_nothing() {
        let stored = doc! { "list": "x", "text": 1, "number": -1, "null": null, "id": "short" };
        assert_eq!(stored.list("list"), []);
        assert_eq!(stored.text("text"), None);
        assert_eq!(stored.number("number"), None);
        assert_eq!(stored.value("null"), None);
        assert_eq!(stored.id::<id::TaskId>("id"), None);
    }
}
