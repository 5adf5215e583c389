//! Engine.IO and Socket.IO over real sockets, against the whole server in this process.
//!
//! The clients here are bare: they send what no stock client would, and hear what a stock client would hide.

mod client;
mod cors;
mod deadline;
mod flood;
mod heartbeat;
mod house;
mod limit;
mod model;
mod polling;
mod session;
mod slow;
mod upgrade;
mod websocket;
