//! The events of the contract's section 5, in both directions, independent of the transport that carries them.

mod client;
mod server;

pub use client::{ClientEvent, MoveCommand, Scope, TaskCommand};
pub use server::{ScopeField, ServerEvent};
