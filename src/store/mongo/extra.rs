//! Fields of other programs, as JSON: Mongoose's, that is, which shows ids and times as text.

use collabflow_protocol::model::Extra;
use mongodb::bson::{Bson, Document};
use serde_json::{Map, Value};

use super::{fields::as_time, operation::OURS};

/// What a document has beside these fields.
pub(super) fn beside(document: &Document, known: &[&str]) -> Extra {
    let others = document
        .iter()
        .filter(|(name, _)| *name != OURS && !known.contains(&name.as_str()));
    Extra::of(others.map(|(name, value)| (name.clone(), json(value))))
}

fn json(value: &Bson) -> Value {
    match value {
        Bson::String(text) | Bson::Symbol(text) => text.as_str().into(),
        Bson::Boolean(flag) => (*flag).into(),
        Bson::Int32(number) => (*number).into(),
        Bson::Int64(number) => (*number).into(),
        Bson::Double(number) => (*number).into(),
        Bson::Decimal128(number) => number.to_string().into(),
        Bson::ObjectId(id) => id.to_hex().into(),
        Bson::DateTime(_) => as_time(value).map_or(Value::Null, |time| time.to_string().into()),
        Bson::Array(list) => list.iter().map(json).collect(),
        Bson::Document(document) => {
            let fields = document
                .iter()
                .map(|(name, value)| (name.clone(), json(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        // Nothing that a client of the Node backend could use.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{DateTime, doc, oid::ObjectId};

    use super::*;

    #[test]
    fn ids_and_times_are_shown_as_mongoose_shows_them() {
        let id = ObjectId::parse_str("64b7f3a2c9e77a0012345678").expect("an id");
        let document = doc! {
            "name": "known", OURS: { "ops": [] },
            "owner": id, "since": DateTime::from_millis(0), "plan": { "seats": 3_i64, "tags": ["a"] },
        };
        let shown = serde_json::to_value(beside(&document, &["name"])).expect("JSON");
        let expected = serde_json::json!({
            "owner": "64b7f3a2c9e77a0012345678", "since": "1970-01-01T00:00:00.000Z",
            "plan": { "seats": 3, "tags": ["a"] },
        });
        assert_eq!(shown, expected);
    }
}
