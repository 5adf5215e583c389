//! What the engine counts about itself, by the `metrics` facade: names, labels, and handles for what is counted often.
//!
//! No label has a value that a client can make up. Whoever wants the numbers installs a recorder before the first node
//! of the process starts; without one, counting costs next to nothing. Nodes of one process share their counters.

use std::{sync::LazyLock, time::Duration};

use collabflow_protocol::{error::ErrorCode, event::ClientEvent};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::{
    key::RoomKey,
    node::{REFRESH, Refusal},
    outbox::CloseReason,
};

/// A metric of the engine: its name, and what it says.
pub type Described = (&'static str, &'static str);

/// Open connections; label `transport`: `websocket`, `polling`, `plain`.
const CONNECTIONS: &str = "collabflow_connections";
const CONNECTIONS_CLOSED: &str = "collabflow_connections_closed_total";
const SESSIONS: &str = "collabflow_sessions";
const ROOMS: &str = "collabflow_rooms";
const EVENTS_RECEIVED: &str = "collabflow_events_received_total";
const EVENTS_REFUSED: &str = "collabflow_events_refused_total";
const EVENT_DURATION: &str = "collabflow_event_duration_seconds";
const EVENTS_TOLD: &str = "collabflow_events_told_total";
const DELIVERIES: &str = "collabflow_deliveries_total";
const QUEUE_BYTES: &str = "collabflow_queue_bytes";
const FRAMES_DROPPED: &str = "collabflow_frames_dropped_total";
/// 1 while the node is joined to others.
const BACKPLANE: &str = "collabflow_backplane_up";
/// Actors that were started again or closed after a panic, by `kind`.
pub const RESTARTS: &str = "collabflow_actor_restarts_total";

/// Every gauge of the engine.
pub const GAUGES: &[Described] = &[
    (CONNECTIONS, "Open connections, by transport"),
    (SESSIONS, "Sessions that have proven who they are"),
    (ROOMS, "Rooms in memory, by kind"),
    (BACKPLANE, "1 while Redis joins this node to others, else 0"),
    (QUEUE_BYTES, "Bytes that wait for clients to read them"),
];
/// Every counter of the engine.
pub const COUNTERS: &[Described] = &[
    (CONNECTIONS_CLOSED, "Connections that ended, by reason"),
    (EVENTS_RECEIVED, "Events from clients, by name"),
    (EVENTS_REFUSED, "Events that were not done, by error code"),
    (EVENTS_TOLD, "Events told in rooms, by name"),
    (DELIVERIES, "Events put into sessions' queues by rooms"),
    (FRAMES_DROPPED, "Frames thrown away unsent, by reason"),
    (RESTARTS, "Actors that broke, by kind"),
];
/// Every histogram of the engine.
pub const HISTOGRAMS: &[Described] = &[(
    EVENT_DURATION,
    "From an event's arrival to its answer, through its room and the store",
)];

/// The name that stands for all that clients made up.
const OTHER: &str = "other";

struct Handles {
    received: Vec<(&'static str, Counter)>,
    received_other: Counter,
    answered: Histogram,
    deliveries: Counter,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| {
    let received = |name| counter!(EVENTS_RECEIVED, "event" => name);
    Handles {
        received: ClientEvent::NAMES
            .iter()
            .chain(&[REFRESH])
            .map(|name| (*name, received(*name)))
            .collect(),
        received_other: received(OTHER),
        answered: histogram!(EVENT_DURATION),
        deliveries: counter!(DELIVERIES),
    }
});

pub(crate) fn event_received(name: &str) {
    let handles = &*HANDLES;
    let known = handles.received.iter().find(|(known, _)| *known == name);
    known
        .map_or(&handles.received_other, |(_, counter)| counter)
        .increment(1);
}

pub(crate) fn event_answered<T>(took: Duration, result: &Result<T, Refusal>) {
    HANDLES.answered.record(took);
    if let Err(refusal) = result {
        let code = match refusal {
            Refusal::Error(error) => error.code,
            Refusal::Conflict(_) => ErrorCode::Conflict,
        };
        counter!(EVENTS_REFUSED, "code" => code.as_str()).increment(1);
    }
}

/// Shows the numbers of what is rare from the start, so that the first of its kind is seen as a change.
pub fn begin() {
    for transport in ["websocket", "polling", "plain"] {
        gauge!(CONNECTIONS, "transport" => transport).increment(0);
    }
    gauge!(BACKPLANE).set(0);
    for reason in ["away", "closed", "away_too_much"] {
        counter!(FRAMES_DROPPED, "reason" => reason).increment(0);
    }
    for kind in ["room", "session", "registry"] {
        counter!(RESTARTS, "kind" => kind).increment(0);
    }
}

/// A room tells an event, however many are to hear it.
pub(crate) fn event_told(name: &'static str) {
    counter!(EVENTS_TOLD, "event" => name).increment(1);
}

pub(crate) fn delivered(count: usize) {
    HANDLES.deliveries.increment(count as u64);
}

pub(crate) fn frames_dropped(reason: &'static str, count: usize) {
    if count > 0 {
        counter!(FRAMES_DROPPED, "reason" => reason).increment(count as u64);
    }
}

pub(crate) fn backplane(is_up: bool) {
    gauge!(BACKPLANE).set(f64::from(u8::from(is_up)));
}

pub(crate) fn connection_closed(reason: CloseReason) {
    counter!(CONNECTIONS_CLOSED, "reason" => reason.label()).increment(1);
}

pub(crate) fn actor_restarted(kind: &'static str) {
    counter!(RESTARTS, "kind" => kind).increment(1);
}

/// A connection that is counted for as long as this is held.
pub(crate) struct Connected(Gauge);

impl Connected {
    pub(crate) fn new(transport: &'static str) -> Self {
        let gauge = gauge!(CONNECTIONS, "transport" => transport);
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// Rooms of each kind.
#[derive(Default)]
pub(crate) struct RoomCounts {
    project: usize,
    workspace: usize,
    chat: usize,
}

impl RoomCounts {
    pub(crate) const fn count(&mut self, room: RoomKey) {
        let kind = match room {
            RoomKey::Project(_) => &mut self.project,
            RoomKey::Workspace(_) => &mut self.workspace,
            RoomKey::Chat(_) => &mut self.chat,
        };
        *kind += 1;
    }
}

#[allow(clippy::cast_precision_loss)] // Gauges are floating-point; nothing here comes near 2^53.
pub(crate) fn measured(sessions: usize, rooms: &RoomCounts, queued_bytes: usize) {
    gauge!(SESSIONS).set(sessions as f64);
    gauge!(QUEUE_BYTES).set(queued_bytes as f64);
    let kinds = [
        ("project", rooms.project),
        ("workspace", rooms.workspace),
        ("chat", rooms.chat),
    ];
    for (kind, count) in kinds {
        gauge!(ROOMS, "kind" => kind).set(count as f64);
    }
}
