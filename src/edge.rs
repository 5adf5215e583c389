//! The edge: how requests and connections come in, and what they are answered.

pub mod cors;
pub mod engine;
pub mod health;
pub mod listener;
mod live;
pub mod metrics;
pub mod plain;
pub mod rejection;
pub mod rest;
mod websocket;
