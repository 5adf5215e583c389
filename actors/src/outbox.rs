//! stub
use crate::key::RoomKey;
use collabflow_protocol::{event::ServerEvent, frame::Frame, socket};
use std::sync::Arc;
#[derive(Clone, Copy, Debug)]
pub enum Wire {
    SocketIo,
    Plain,
}
#[derive(Clone, Copy, Debug)]
pub enum CloseReason {
    Internal,
}
#[derive(Debug)]
pub struct Broadcast {
    frame: Frame,
    durable: bool,
}
impl Broadcast {
    pub fn new(event: &ServerEvent) -> Self {
        Self {
            frame: socket::event(event.name(), event).expect("x"),
            durable: event.is_durable(),
        }
    }
    pub fn frame(&self, _w: Wire) -> &Frame {
        &self.frame
    }
    pub fn is_durable(&self) -> bool {
        self.durable
    }
}
#[derive(Debug)]
pub struct Outbox {}
pub struct Missed {
    pub frames: Vec<Frame>,
    pub complete: bool,
}
impl Outbox {
    pub fn for_tests() -> Arc<Self> {
        Arc::new(Self {})
    }
    pub fn wire(&self) -> Wire {
        Wire::SocketIo
    }
    pub fn push(&self, _f: &Frame) -> bool {
        true
    }
    pub fn push_durable(&self, _r: RoomKey, _f: &Frame) -> bool {
        true
    }
    pub fn flush(&self) {}
    pub fn send(&self, _f: &Frame) {}
    pub fn park(&self) {}
    pub fn take_missed(&self, _r: RoomKey) -> Missed {
        Missed {
            frames: vec![],
            complete: true,
        }
    }
    pub fn close(&self, _r: CloseReason) {}
}
