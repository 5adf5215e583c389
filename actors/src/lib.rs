//! Sessions, rooms, registry and supervision, and the traits of what they stand on.

pub mod backplane;
pub mod cluster;
pub mod directory;
pub mod id;
pub mod key;
pub mod metrics;
pub mod node;
pub mod outbox;
mod registry;
mod room;
mod session;
pub mod store;
