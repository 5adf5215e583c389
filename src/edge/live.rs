//! What a connected session keeps to, whichever protocol it speaks: heartbeats, the life of its token, and how many
//! events it may send. Nothing here knows of packets.

mod clock;
mod expiry;
mod flood;
mod heartbeat;
pub(in crate::edge) mod request;
mod speaker;

pub(in crate::edge) use clock::Clock;
use flood::{Flood, Passage};
pub(in crate::edge) use heartbeat::Heartbeat;
pub(in crate::edge) use speaker::{Rules, Speaker};
