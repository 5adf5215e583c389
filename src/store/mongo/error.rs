//! What the driver's errors mean to the engine: whether a write may have taken effect is the question.

use collabflow_actors::store::StoreError;
use mongodb::error::{
    Error, ErrorKind, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR,
    UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure,
};

/// A value is taken by another document, by a unique index.
const DUPLICATE_KEY: i32 = 11_000;
/// The server refuses for a while: it starts, ends, is no primary any more, or was interrupted by such a change.
const AWAY: [i32; 12] = [
    6, 7, 89, 91, 189, 262, 9001, 10_107, 11_600, 11_602, 13_435, 13_436,
];
/// How the server, or the driver, says that another try may do: of a write, of a transaction, of its commit.
const PASSING: [&str; 3] = [
    RETRYABLE_WRITE_ERROR,
    TRANSIENT_TRANSACTION_ERROR,
    UNKNOWN_TRANSACTION_COMMIT_RESULT,
];

/// The error of a read, or of a write that the server has certainly not begun.
pub(super) fn refused(error: &Error) -> StoreError {
    if is_passing(error) {
        StoreError::Unavailable(error.to_string())
    } else {
        StoreError::Failed(error.to_string())
    }
}

/// The error of a write: where the connection broke, nobody knows what became of it.
pub(super) fn of_write(error: &Error) -> StoreError {
    match *error.kind {
        // No server was found, or no connection to one: nothing was sent.
        ErrorKind::ServerSelection { .. } | ErrorKind::DnsResolve { .. } => refused(error),
        _ if is_passing(error) => StoreError::Unknown(error.to_string()),
        _ => refused(error),
    }
}

/// Whether no server was there to be asked.
pub(super) fn finds_nobody(error: &Error) -> bool {
    matches!(*error.kind, ErrorKind::ServerSelection { .. })
}

/// Whether a write was refused because another document has its value.
pub(super) fn is_duplicate(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == DUPLICATE_KEY,
        ErrorKind::Command(command) => command.code == DUPLICATE_KEY,
        _ => false,
    }
}

fn is_passing(error: &Error) -> bool {
    if PASSING.iter().any(|label| error.contains_label(label)) {
        return true;
    }
    match &*error.kind {
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::ConnectionPoolCleared { .. } => true,
        ErrorKind::Command(command) => AWAY.contains(&command.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        _ => false,
    }
}
