//! The outside world of CollabFlow: configuration, authentication, the edge and the stores.

pub mod config;
pub mod store;
