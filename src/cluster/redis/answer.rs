//! What Redis answers, as the backplane's values; `None` is an answer of another form.

use bytes::Bytes;
use collabflow_actors::backplane::{Appended, Logged, Place, Position, Tail, Tops};
use redis::{FromRedisValue, Value, from_redis_value, streams::StreamRangeReply};

fn read<T: FromRedisValue>(value: Value) -> Option<T> {
    from_redis_value(value).ok()
}

pub(super) fn appended(value: Value) -> Option<Appended> {
    let words: Vec<String> = read(value)?;
    let place = |words: &[String]| {
        let [epoch, offset, stamp] = words else {
            return None;
        };
        Some(Place {
            position: Position {
                epoch: epoch.clone(),
                offset: offset.parse().ok()?,
            },
            stamp: stamp.parse().ok()?,
        })
    };
    match words.split_first()? {
        (word, rest) if word == "at" => place(rest).map(Appended::At),
        (word, rest) if word == "before" => place(rest).map(Appended::Before),
        (word, [last]) if word == "early" => Some(Appended::Early(last.parse().ok()?)),
        (word, []) if word == "late" => Some(Appended::Late),
        _ => None,
    }
}

fn top(value: Value) -> Option<Option<Position>> {
    let (epoch, offset): (Option<String>, Option<u64>) = read(value)?;
    Some(epoch.map(|epoch| Position {
        epoch,
        offset: offset.unwrap_or(0),
    }))
}

pub(super) fn tops(value: Value) -> Option<Tops> {
    let (stamp, tops): (u64, Vec<Value>) = read(value)?;
    Some(Tops {
        stamp,
        tops: tops.into_iter().map(top).collect::<Option<_>>()?,
    })
}

pub(super) fn field(value: Value) -> Option<Option<Bytes>> {
    let field: Option<Vec<u8>> = read(value)?;
    Some(field.map(Into::into))
}

pub(super) fn fields(value: Value) -> Option<Vec<(String, Bytes)>> {
    let fields: Vec<(String, Vec<u8>)> = read(value)?;
    let fields = fields.into_iter();
    Some(fields.map(|(field, value)| (field, value.into())).collect())
}

pub(super) fn tail(value: Value) -> Option<Tail> {
    let (head, began, entries): (Value, Option<u64>, StreamRangeReply) = read(value)?;
    let top = top(head)?;
    let epoch = top
        .as_ref()
        .map(|top| top.epoch.clone())
        .unwrap_or_default();
    let entries = entries.ids.into_iter().map(|entry| {
        let id: String = entry.get("i")?;
        Some(Logged {
            id: u128::from_str_radix(&id, 16).ok()?,
            place: Place {
                position: Position {
                    epoch: epoch.clone(),
                    offset: entry.id.split('-').next()?.parse().ok()?,
                },
                stamp: entry.get("t")?,
            },
            payload: Bytes::from(entry.get::<Vec<u8>>("p")?),
        })
    });
    Some(Tail {
        top,
        began,
        entries: entries.collect::<Option<Vec<_>>>()?,
    })
}
