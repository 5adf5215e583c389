//! What a connected session keeps to, whichever protocol it speaks: heartbeats, the life of its token, and how
//! much it may say. Nothing here knows of packets.

mod clock;
mod expiry;
mod flood;
mod heartbeat;
pub(in crate::edge) mod request;
mod speaker;

pub(in crate::edge) use clock::Clock;
pub(in crate::edge) use flood::{Allowance, Passage};
pub(in crate::edge) use heartbeat::Heartbeat;
pub(in crate::edge) use speaker::{Rules, Speaker, slow_down};
