//! Wire and model types of CollabFlow: bytes in, values out.
//!
//! Nothing here knows a clock, a socket, a log or randomness, so everything can be tested by calling it.
//!
//! - [`model`]: the documents, and what may be written of them; [`validate`] reads what clients send, field by field.
//! - [`event`]: the events of the contract, in both directions.
//! - [`id`], [`time`], [`error`]: what the others are made of.

pub mod engine;
pub mod error;
pub mod event;
pub mod frame;
pub mod id;
pub mod model;
pub mod plain;
#[cfg(feature = "schema")]
mod schema;
pub mod socket;
pub mod time;
pub mod validate;
