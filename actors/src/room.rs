//! Rooms: one actor a project, workspace or chat channel with anybody in it or anything to do.
//!
//! A room's rules are plain state ([`state::RoomState`]: a command in, effects out), in parts that each own one idea:
//! who is in it ([`members`], [`presence`], [`typing`]), who may be ([`access`]), what is at the store ([`pipeline`]),
//! what has been told lately ([`told`]). The actor ([`actor`]) performs the effects; the cell ([`cell`]) is what stays
//! when the actor breaks.

mod access;
mod actor;
mod admission;
mod alone;
mod announcement;
mod attendance;
mod cell;
mod change;
mod chat;
mod crowd;
mod dirty;
mod effect;
mod elsewhere;
mod entry;
#[cfg(test)]
pub(crate) mod fixture;
mod history;
mod in_flight;
mod log;
mod log_calls;
mod members;
mod message;
mod pipeline;
mod presence;
mod restart;
mod shared;
mod state;
mod store_calls;
#[cfg(test)]
mod tests;
mod told;
mod typing;

pub(crate) use actor::{RoomActor, RoomArgs};
pub(crate) use cell::{RoomCell, RoomRef};
pub(crate) use effect::Effect;
pub(crate) use history::{Adoption, After};
pub(crate) use message::{Author, Departure, RoomMessage, Standing};
pub(crate) use shared::Shared;
pub(crate) use state::RoomState;
pub(crate) use state::{Command, Followed};
