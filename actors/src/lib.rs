//! Sessions, rooms, registry and supervision, and the traits of what they stand on.

pub mod store;
