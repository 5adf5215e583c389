//! Sessions, rooms, registry and supervision, and the traits of what they stand on.

pub mod id;
pub mod key;
pub mod node;
pub mod outbox;
pub mod store;
