//! Opening the file: whatever may be wrong with it is said in one plain line, and before the server listens.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema;

/// How the store is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Calls that may wait, writes and reads each; past it they are answered `Unavailable`.
    pub queue: usize,
    /// Threads that read.
    pub readers: usize,
    /// How long another process may keep the file before a write is answered `Unavailable`.
    pub busy_timeout: Duration,
    /// Pages of 4 KiB that the file may have, where that is limited.
    pub pages_max: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 8_192,
            readers: 2,
            busy_timeout: Duration::from_secs(5),
            pages_max: None,
        }
    }
}

/// Why the store cannot be opened. Each says its cause itself, and so has no source.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is missing and cannot be made.
    #[error("cannot make the data folder {path}: {cause}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the database {path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file is no whole database.
    #[error(
        "the database {path} is damaged ({reason}): restore a copy of it, or move it away to start empty"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file is a database of something else.
    #[error("the database {path} belongs to another program")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a version to come.
    #[error(
        "the database {path} was written by a newer version (its format is {found}, this program knows {known})"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// SQLite refuses for another reason.
    #[error("cannot open the database {path}: {cause}")]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: rusqlite::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread for the store")]
    Thread(#[from] io::Error),
}

/// A file up to this size is read through at the start, which takes about a second.
const CHECKED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Statements that each connection keeps ready: more than there are.
const STATEMENTS: usize = 128;

/// The connection that writes, and those that read.
pub(super) fn connections(
    path: &Path,
    options: &Options,
) -> Result<(Connection, Vec<Connection>), OpenError> {
    let size = prepare_file(path)?;
    let fail = |cause| refused(path, cause);
    let write = connect(path, options, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fail)?;
    check(&write, path, size)?;
    set_up(&write, options).map_err(fail)?;
    let read = (0..options.readers.max(1))
        .map(|_| connect(path, options, OpenFlags::SQLITE_OPEN_READ_ONLY))
        .collect::<rusqlite::Result<_>>()
        .map_err(fail)?;
    Ok((write, read))
}

/// Makes folder and file where they are missing, for the server's user alone; the answer is the file's size.
fn prepare_file(path: &Path) -> Result<u64, OpenError> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|cause| OpenError::Folder {
            path: folder.into(),
            cause,
        })?;
    }
    let mut open = OpenOptions::new();
    open.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path)
        .and_then(|_| fs::metadata(path))
        .map(|metadata| metadata.len())
        .map_err(|cause| OpenError::File {
            path: path.into(),
            cause,
        })
}

fn connect(path: &Path, options: &Options, access: OpenFlags) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(options.busy_timeout)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(db)
}

fn check(db: &Connection, path: &Path, size: u64) -> Result<(), OpenError> {
    let fail = |cause| refused(path, cause);
    let is_empty = !db
        .prepare("SELECT 1 FROM sqlite_schema")
        .and_then(|mut statement| statement.exists([]))
        .map_err(fail)?;
    if is_empty {
        return Ok(());
    }
    let application: i32 = db
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(fail)?;
    if application != schema::APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.into() });
    }
    let found = schema::version(db).map_err(fail)?;
    if found > schema::VERSION {
        return Err(OpenError::Newer {
            path: path.into(),
            found,
            known: schema::VERSION,
        });
    }
    if size <= CHECKED_BYTES_MAX {
        let report: String = db
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(fail)?;
        if report != "ok" {
            return Err(OpenError::Damaged {
                path: path.into(),
                reason: report.replace('\n', " "),
            });
        }
    }
    Ok(())
}

fn set_up(db: &Connection, options: &Options) -> rusqlite::Result<()> {
    use_log(db, options.busy_timeout)?;
    // Each commit is synced: what was acknowledged survives a loss of power too.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    if let Some(pages) = options.pages_max {
        db.pragma_update(None, "max_page_count", pages)?;
    }
    schema::migrate(db)
}

/// Turns the write-ahead log on. SQLite does not wait by itself where another process does so at the same moment.
fn use_log(db: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let start = Instant::now();
    loop {
        match db.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && start.elapsed() < patience =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

fn refused(path: &Path, cause: rusqlite::Error) -> OpenError {
    let path = path.into();
    match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged {
            path,
            reason: cause.to_string(),
        },
        _ => OpenError::Database { path, cause },
    }
}
