//! REST over the real router and the embedded store, without sockets: who may do what, and what is refused how.
//! What the rooms hear of it is tried from outside, by real clients.

mod access;
mod app;
mod auth;
mod error;
mod history;
mod limit;
mod task;
