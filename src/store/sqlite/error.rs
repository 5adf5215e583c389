//! What SQLite's errors mean to the engine.

use collabflow_actors::store::StoreError;
use rusqlite::{Error, ErrorCode, ffi};

/// The error of a write that was undone, or of a read.
pub(super) fn refused(error: &Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OutOfMemory,
        ) => StoreError::Unavailable(text),
        _ => StoreError::Failed(text),
    }
}

/// The error of a commit. Where the sync itself failed, the pages may be on the disk after all, and a start after a
/// crash would find them.
pub(super) fn uncommitted(error: &Error) -> StoreError {
    match error.sqlite_error() {
        Some(cause) if cause.extended_code == ffi::SQLITE_IOERR_FSYNC => {
            StoreError::Unknown(error.to_string())
        }
        _ => refused(error),
    }
}
