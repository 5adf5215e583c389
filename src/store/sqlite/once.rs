//! Keys of requests that made a task, by which a repeat is known for a day.

use collabflow_actors::store::{ONCE_WINDOW, Once, OnceKind};
use collabflow_protocol::{id::TaskId, model::Task, time::Timestamp};
use rusqlite::{Connection, Result, params};

use super::{
    row::{one, run},
    task,
};

const fn name(kind: OnceKind) -> &'static str {
    match kind {
        OnceKind::Header => "header",
        OnceKind::ClientId => "client",
    }
}

/// Times up to this one are forgotten.
fn horizon(now: Timestamp) -> i64 {
    let window = i64::try_from(ONCE_WINDOW.as_millis()).unwrap_or(i64::MAX);
    now.millis().saturating_sub(window)
}

/// The task that the key made, as it is now, or as it was made where it is gone.
pub(super) fn find(db: &Connection, once: &Once, now: Timestamp) -> Result<Option<Task>> {
    let sql = "SELECT task, made FROM once
        WHERE user = ?1 AND kind = ?2 AND key = ?3 AND created_at > ?4";
    let params = params![once.user.0.bytes(), name(once.kind), once.key, horizon(now)];
    let seen = one(db, sql, params, |columns| {
        Ok((columns.id::<TaskId>()?, columns.value::<String>()?))
    })?;
    let Some((id, made)) = seen else {
        return Ok(None);
    };
    match task::find(db, id)? {
        None => Ok(serde_json::from_str(&made).ok()),
        task => Ok(task),
    }
}

/// Remembers what a key made, and forgets what is older than a day.
pub(super) fn remember(db: &Connection, once: &Once, made: &Task, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM once WHERE created_at <= ?1";
    run(db, sql, [horizon(now)])?;
    let sql = "INSERT INTO once (user, kind, key, task, made, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let params = params![
        once.user.0.bytes(),
        name(once.kind),
        once.key,
        made.id.0.bytes(),
        task::json(made),
        now.millis(),
    ];
    run(db, sql, params).map(drop)
}
