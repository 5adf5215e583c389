//! Where documents are kept: what stands behind the trait `Store` of the actors crate.

mod mongo;
mod opened;
mod sqlite;

pub use mongo::{ConnectError, MongoOptions, MongoStore, Watch};
pub use opened::{Opened, Place};
pub use sqlite::{OpenError, Options, SqliteStore};
