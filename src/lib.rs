//! The outside world of CollabFlow: configuration, authentication, the edge and the stores.

pub mod auth;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod demo;
pub mod edge;
pub mod server;
pub mod store;
pub mod telemetry;
