//! Sessions: one actor a connection, whatever carries it.

pub(crate) mod actor;
pub(crate) mod entry;
pub(crate) mod gate;
pub(crate) mod record;
pub(crate) mod reply;
