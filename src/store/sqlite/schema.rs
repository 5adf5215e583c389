//! The tables, and how a file of an older version gets them.
//!
//! Ids are their twelve bytes, times are milliseconds since 1970. References to users are no foreign keys: one that
//! leads nowhere reads as `null`. Messages and memberships belong to what has their `channel` or `parent` as its id,
//! of whichever kind, and are deleted with it by hand.

use rusqlite::{Connection, Result};

/// "CFlw": marks a SQLite file as ours.
pub(super) const APPLICATION_ID: i32 = 0x4346_6c77;

/// Each step brings a file from the version of its index to the next. Steps are only ever added.
const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

/// The version that this program writes.
pub(super) const VERSION: u32 = STEPS.len() as u32;

/// The version of a file; 0 is an empty one.
pub(super) fn version(db: &Connection) -> Result<u32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a file up to date; of two processes that do so at once, the second finds nothing to do.
pub(super) fn migrate(db: &Connection) -> Result<()> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let steps = version(db).and_then(|version| {
        for step in STEPS.iter().skip(version as usize) {
            db.execute_batch(step)?;
        }
        db.pragma_update(None, "application_id", APPLICATION_ID)?;
        db.pragma_update(None, "user_version", VERSION)
    });
    let end = if steps.is_ok() { "COMMIT" } else { "ROLLBACK" };
    db.execute_batch(end)?;
    steps
}
