//! The edge: how requests and connections come in, and what they are answered.
//!
//! Whatever state a connection is in, it cannot stay there without saying something useful:
//!
//! | state | ends after |
//! |---|---|
//! | a request whose head has not arrived, an idle keep-alive | `limits.header_timeout` |
//! | a REST body that does not arrive | 30 s ([`rest`]) |
//! | a session of Engine.IO in no namespace, also after it has left it; `/ws` without a token | `limits.connect_timeout` |
//! | a WebSocket beside a polling session that does not become its transport | `engine.upgrade_timeout` |
//! | a session that answers no ping, polls no more, or whose POST does not arrive | `engine.ping_interval` + `engine.ping_timeout` |
//! | a socket that takes nothing | `limits.outbox_stall` |
//! | a closed WebSocket that does not close its side | 2 s (`websocket`) |
//! | a session by a token that has ended | at once, or by `auth.on_expiry` |
//! | a session without a connection | `recovery.window` |

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
