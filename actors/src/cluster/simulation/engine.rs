//! The log engine that all nodes share: what the script does in Redis, step by step, in memory.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bytes::Bytes;
use collabflow_protocol::id::TaskId;
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    backplane::{
        Append, Appended, BackplaneError, EntryId, Incoming, Logged, Place, Position, Table, Tail,
        Tops,
    },
    key::RoomKey,
};

/// What the engine refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Refuses {
    #[default]
    Nothing,
    /// Whatever writes: it is out of memory.
    Writes,
    /// Whatever is a script.
    Scripts,
}

#[derive(Default)]
pub(super) struct Engine(Mutex<State>);

#[derive(Default)]
struct State {
    logs: HashMap<RoomKey, RoomLog>,
    places: HashMap<EntryId, Place>,
    tables: HashMap<Table, BTreeMap<String, Bytes>>,
    listeners: BTreeMap<usize, Listener>,
    clock: Option<Clock>,
    /// Stamps go on from here where the clock was lost.
    time: u64,
    epochs: u64,
    length_max: usize,
    refuses: Refuses,
    appended: u64,
}

/// What gives stamps.
#[derive(Clone, Copy)]
struct Clock {
    last: u64,
    /// The stamp after which it began.
    began: u64,
}

#[derive(Default)]
struct RoomLog {
    epoch: String,
    /// The stamp after which it began.
    began: u64,
    last: u64,
    entries: VecDeque<Logged>,
    versions: HashMap<TaskId, u64>,
}

/// A connection that listens.
struct Listener {
    rooms: HashSet<RoomKey>,
    pushes: mpsc::UnboundedSender<(Instant, Incoming)>,
}

/// Where a message goes.
#[derive(Clone, Copy)]
pub(super) enum Channel {
    Room(RoomKey),
    Everybody,
}

impl Engine {
    pub(super) fn new(length_max: usize) -> Self {
        Self(Mutex::new(State {
            length_max,
            ..State::default()
        }))
    }

    pub(super) fn refuse(&self, refuses: Refuses) {
        self.0.lock().refuses = refuses;
    }

    /// It has lost everything, its connections too.
    pub(super) fn restart_empty(&self) {
        let mut state = self.0.lock();
        state.logs.clear();
        state.places.clear();
        state.tables.clear();
        state.listeners.clear();
        state.time += 1_000;
        state.clock = None;
    }

    /// Entries that were appended so far.
    pub(super) fn appended(&self) -> u64 {
        self.0.lock().appended
    }

    /// From now on this connection of a node hears these rooms, and what is said to everybody.
    pub(super) fn listen(
        &self,
        node: usize,
        rooms: HashSet<RoomKey>,
        pushes: mpsc::UnboundedSender<(Instant, Incoming)>,
    ) {
        let listener = Listener { rooms, pushes };
        self.0.lock().listeners.insert(node, listener);
    }

    pub(super) fn cut(&self, node: usize) {
        self.0.lock().listeners.remove(&node);
    }

    pub(super) fn subscribe(&self, node: usize, room: RoomKey, is_wanted: bool) {
        if let Some(listener) = self.0.lock().listeners.get_mut(&node) {
            if is_wanted {
                listener.rooms.insert(room);
            } else {
                listener.rooms.remove(&room);
            }
        }
    }

    pub(super) fn append(&self, append: &Append) -> Result<Appended, BackplaneError> {
        let mut state = self.0.lock();
        if state.refuses != Refuses::Nothing {
            return Err(refused());
        }
        if let Some(place) = state.places.get(&append.id) {
            return Ok(Appended::Before(place.clone()));
        }
        let (fresh, stamp, length_max) = (state.epochs + 1, state.time + 1, state.length_max);
        let log = state.logs.entry(append.room).or_default();
        if let Some(turn) = append.turn {
            match log.versions.get(&turn.task) {
                Some(last) if turn.version <= *last => return Ok(Appended::Late),
                Some(last) if *last < turn.base => return Ok(Appended::Early(*last)),
                None if turn.is_base_new => return Ok(Appended::Early(0)),
                _ => {}
            }
            log.versions.insert(turn.task, turn.version);
        }
        if log.epoch.is_empty() {
            log.epoch = format!("e{fresh}");
            log.began = stamp - 1;
        }
        log.last += 1;
        let place = Place {
            position: Position {
                epoch: log.epoch.clone(),
                offset: log.last,
            },
            stamp,
        };
        let logged = Logged {
            id: append.id,
            place: place.clone(),
            payload: append.payload.clone(),
        };
        log.entries.push_back(logged.clone());
        if log.entries.len() > length_max {
            log.entries.pop_front();
        }
        (state.epochs, state.time) = (fresh, stamp);
        let began = state.clock.map_or(stamp - 1, |clock| clock.began);
        state.clock = Some(Clock { last: stamp, began });
        state.appended += 1;
        state.places.insert(append.id, place.clone());
        state.tell(
            Channel::Room(append.room),
            &Incoming::Entry(append.room, logged),
        );
        Ok(Appended::At(place))
    }

    pub(super) fn since(&self, room: RoomKey, offset: u64) -> Result<Tail, BackplaneError> {
        let state = self.0.lock();
        if state.refuses == Refuses::Scripts {
            return Err(refused());
        }
        let Some(log) = state.logs.get(&room).filter(|log| log.last > 0) else {
            return Ok(Tail {
                top: None,
                began: state.clock.map(|clock| clock.began),
                entries: Vec::new(),
            });
        };
        let entries = log.entries.iter();
        Ok(Tail {
            top: log.top(),
            began: Some(log.began),
            entries: entries
                .filter(|entry| entry.place.position.offset > offset)
                .cloned()
                .collect(),
        })
    }

    pub(super) fn tops(&self, rooms: &[RoomKey]) -> Result<Tops, BackplaneError> {
        let state = self.0.lock();
        if state.refuses == Refuses::Scripts {
            return Err(refused());
        }
        let top = |room| state.logs.get(room).and_then(RoomLog::top);
        Ok(Tops {
            stamp: state.clock.map_or(0, |clock| clock.last),
            tops: rooms.iter().map(top).collect(),
        })
    }

    pub(super) fn publish(&self, channel: Channel, payload: Bytes) {
        let message = match channel {
            Channel::Room(room) => Incoming::Passing(room, payload),
            Channel::Everybody => Incoming::Said(payload),
        };
        self.0.lock().tell(channel, &message);
    }

    pub(super) fn put(&self, table: Table, field: String, value: Option<Bytes>) {
        let mut state = self.0.lock();
        let table = state.tables.entry(table).or_default();
        match value {
            Some(value) => table.insert(field, value),
            None => table.remove(&field),
        };
    }

    pub(super) fn take(&self, table: Table, field: &str) -> Option<Bytes> {
        self.0.lock().tables.get_mut(&table)?.remove(field)
    }

    pub(super) fn all(&self, table: Table) -> Vec<(String, Bytes)> {
        let state = self.0.lock();
        let fields = state.tables.get(&table).into_iter().flatten();
        fields
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect()
    }
}

impl State {
    fn tell(&self, channel: Channel, message: &Incoming) {
        for listener in self.listeners.values() {
            let hears = match channel {
                Channel::Room(room) => listener.rooms.contains(&room),
                Channel::Everybody => true,
            };
            if hears {
                // A connection that was cut hears nothing.
                let _ = listener.pushes.send((Instant::now(), message.clone()));
            }
        }
    }
}

impl RoomLog {
    fn top(&self) -> Option<Position> {
        (self.last > 0).then(|| Position {
            epoch: self.epoch.clone(),
            offset: self.last,
        })
    }
}

fn refused() -> BackplaneError {
    BackplaneError::Away("it refuses".into())
}
