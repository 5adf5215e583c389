//! Statements and rows: the few ways in which everything here talks to SQLite.

use collabflow_protocol::{
    id::{ObjectId, UserId},
    model::{Extra, User, UserBrief},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Params, Result, Row, types::FromSql};

/// Runs a statement; the answer is the number of rows that it changed.
pub(super) fn run(db: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    db.prepare_cached(sql)?.execute(params)
}

/// The first row of a query.
pub(super) fn one<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&mut Columns<'_>) -> Result<T>,
) -> Result<Option<T>> {
    db.prepare_cached(sql)?
        .query_row(params, |row| read(&mut Columns::of(row)))
        .optional()
}

/// Every row of a query.
pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&mut Columns<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    db.prepare_cached(sql)?
        .query_map(params, |row| read(&mut Columns::of(row)))?
        .collect()
}

/// Whether a query finds anything.
pub(super) fn exists(db: &Connection, sql: &str, params: impl Params) -> Result<bool> {
    db.prepare_cached(sql)?.exists(params)
}

/// The columns of a row, read from left to right: a document's fields stand in the order of its `SELECT`.
pub(super) struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Columns<'r> {
    fn of(row: &'r Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    /// A plain value.
    pub(super) fn value<T: FromSql>(&mut self) -> Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    /// An id.
    pub(super) fn id<T: From<ObjectId>>(&mut self) -> Result<T> {
        self.value().map(|bytes| ObjectId::from_bytes(bytes).into())
    }

    /// A reference that may lead nowhere.
    pub(super) fn maybe_id<T: From<ObjectId>>(&mut self) -> Result<Option<T>> {
        let bytes = self.value::<Option<[u8; 12]>>()?;
        Ok(bytes.map(|bytes| ObjectId::from_bytes(bytes).into()))
    }

    /// A time; one that cannot be written is as good as none.
    pub(super) fn maybe_time(&mut self) -> Result<Option<Timestamp>> {
        let millis = self.value::<Option<i64>>()?;
        Ok(millis.and_then(|millis| Timestamp::from_millis(millis).ok()))
    }

    /// A time that is always there.
    pub(super) fn time(&mut self) -> Result<Timestamp> {
        let epoch = || Timestamp::from_millis(0).expect("the epoch is a time");
        Ok(self.maybe_time()?.unwrap_or_else(epoch))
    }

    /// A user that was joined by `id, name, email, avatar`; all are null where the reference leads nowhere.
    pub(super) fn user(&mut self) -> Result<Option<User>> {
        let brief = self.user_brief()?;
        let avatar = self.value()?;
        Ok(brief.map(|UserBrief { id, name, email }| User {
            id,
            name,
            email,
            avatar,
            extra: Extra::default(),
        }))
    }

    /// A user that was joined by `id, name, email`.
    pub(super) fn user_brief(&mut self) -> Result<Option<UserBrief>> {
        let id = self.maybe_id::<UserId>()?;
        let name = self.value::<Option<String>>()?;
        let email = self.value()?;
        Ok(id.zip(name).map(|(id, name)| UserBrief { id, name, email }))
    }
}
