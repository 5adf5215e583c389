//! Where documents are kept: what stands behind the trait `Store` of the actors crate.

mod sqlite;

pub use sqlite::{OpenError, Options, SqliteStore};
