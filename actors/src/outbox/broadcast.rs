//! One event for many sessions: serialized once, and encoded at most once for each form it is sent in.

use std::{borrow::Cow, sync::OnceLock};

use collabflow_protocol::{event::ServerEvent, frame::Frame, plain, socket};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The form that a session's frames have on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Socket.IO packets in Engine.IO messages.
    SocketIo,
    /// Plain JSON messages.
    Plain,
}

/// What an event is to who misses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Weight {
    /// It must be heard later.
    Durable,
    /// What it says is to be found out anew, whatever else was missed.
    Resync,
    /// Nobody needs it later.
    Passing,
}

impl Weight {
    const fn of(event: &ServerEvent) -> Self {
        match event {
            ServerEvent::RoomResync { .. } => Self::Resync,
            event if event.is_durable() => Self::Durable,
            _ => Self::Passing,
        }
    }
}

/// An event on its way to the members of a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Broadcast {
    name: Cow<'static, str>,
    payload: Box<RawValue>,
    weight: Weight,
    #[serde(skip)]
    socket_io: OnceLock<Frame>,
    #[serde(skip)]
    plain: OnceLock<Frame>,
}

impl Broadcast {
    /// Serializes the event.
    #[must_use]
    pub fn new(event: &ServerEvent) -> Self {
        let payload = serde_json::value::to_raw_value(event)
            .expect("events have text for keys, and no failing parts");
        Self {
            name: event.name().into(),
            payload,
            weight: Weight::of(event),
            socket_io: OnceLock::new(),
            plain: OnceLock::new(),
        }
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The event in one of its forms.
    #[must_use]
    pub fn frame(&self, wire: Wire) -> &Frame {
        match wire {
            Wire::SocketIo => self
                .socket_io
                .get_or_init(|| socket::event_raw(&self.name, &self.payload, None)),
            Wire::Plain => self
                .plain
                .get_or_init(|| plain::event_raw(&self.name, &self.payload)),
        }
    }

    /// What it is to who misses it.
    #[must_use]
    pub const fn weight(&self) -> Weight {
        self.weight
    }
}
