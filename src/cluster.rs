//! What joins nodes: the backplane over Redis.

mod redis;

pub use redis::{OptionsError, RedisBackplane, RedisOptions};
