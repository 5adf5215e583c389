//! Calls to Redis: made in their order, those that wait together in one pipeline.

use std::time::Duration;

use bytes::Bytes;
use collabflow_actors::{
    backplane::{Append, Appended, BackplaneError, Logged, Place, Position, Table, Tail},
    key::RoomKey,
};
use redis::{
    Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, Script, Value,
    aio::MultiplexedConnection, from_redis_value, streams::StreamRangeReply,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time,
};

use super::{
    RedisOptions, away,
    keys::{CLOCK, Keys},
};

/// Calls that one pipeline holds at most.
const BATCH_MAX: usize = 512;
/// Calls that wait, at most: with more, Redis is too slow.
const WAITING_MAX: usize = 50_000;

type Sender<T> = oneshot::Sender<Result<T, BackplaneError>>;

/// A call, and who waits for it.
pub(super) enum Call {
    Ping(Sender<()>),
    Append(Append, Sender<Appended>),
    Since(RoomKey, u64, Sender<Tail>),
    Tops(Vec<RoomKey>, Sender<Vec<Option<Position>>>),
    Pass(String, Vec<u8>),
    Put(Table, String, Option<Bytes>),
    All(Table, Sender<Vec<(String, Bytes)>>),
}

/// Where calls go.
pub(super) struct Calls {
    waiting: mpsc::Sender<Call>,
    connection: Connection,
}

/// The connection, while there is one, and which it is.
#[derive(Clone)]
struct Connection(watch::Sender<Option<(u64, MultiplexedConnection)>>);

impl Connection {
    /// One that has left a call without an answer is used no more: each call after it would wait as long.
    fn give_up(&self, number: u64) {
        self.0.send_if_modified(|connection| {
            let is_it = connection.as_ref().is_some_and(|(its, _)| *its == number);
            if is_it {
                *connection = None;
            }
            is_it
        });
    }
}

impl Calls {
    pub(super) fn start(options: RedisOptions) -> Self {
        let (waiting, calls) = mpsc::channel(WAITING_MAX);
        let connection = Connection(watch::Sender::new(None));
        let worker = Worker {
            script: Script::new(include_str!("append.lua")),
            connection: connection.clone(),
            options,
        };
        tokio::spawn(worker.run(calls));
        Self {
            waiting,
            connection,
        }
    }

    /// There is a connection.
    pub(super) fn connect(&self, number: u64, connection: MultiplexedConnection) {
        self.connection.0.send_replace(Some((number, connection)));
    }

    /// There is none any more, and calls are refused.
    pub(super) fn disconnect(&self) {
        self.connection.0.send_replace(None);
    }

    /// Returns when the connection is used no more.
    pub(super) async fn given_up(&self) {
        let mut connection = self.connection.0.subscribe();
        // The sender is our own.
        let _ = connection.wait_for(Option::is_none).await;
    }

    pub(super) fn send(&self, call: Call) -> Result<(), BackplaneError> {
        if self.connection.0.borrow().is_none() {
            return Err(away("there is no connection"));
        }
        self.waiting
            .try_send(call)
            .map_err(|_| away("too many calls wait"))
    }

    /// Publishes, and waits for nothing.
    pub(super) fn pass(&self, channel: String, payload: Vec<u8>) {
        // What is passed on may be lost.
        let _ = self.send(Call::Pass(channel, payload));
    }
}

/// A call had no answer in time.
struct Overdue;

struct Worker {
    script: Script,
    connection: Connection,
    options: RedisOptions,
}

impl Worker {
    async fn run(self, mut calls: mpsc::Receiver<Call>) {
        let mut batch = Vec::new();
        while calls.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let connection = self.connection.0.borrow().clone();
            let batch = std::mem::take(&mut batch);
            match connection {
                Some((number, mut connection)) => {
                    if let Err(Overdue) = self.make(&mut connection, batch).await {
                        self.connection.give_up(number);
                    }
                }
                None => fail_all(batch, &away("there is no connection")),
            }
        }
    }

    /// Makes all calls of a batch in one pipeline. A script that Redis has forgotten has not run: it is given again.
    async fn make(
        &self,
        connection: &mut MultiplexedConnection,
        batch: Vec<Call>,
    ) -> Result<(), Overdue> {
        let mut batch = batch;
        for _ in 0..2 {
            let answers = self.query(connection, &batch).await;
            let answers = match answers {
                Ok(Ok(answers)) => answers,
                Ok(Err(error)) => {
                    fail_all(batch, &BackplaneError::Away(error.to_string()));
                    return Ok(());
                }
                Err(Overdue) => {
                    fail_all(batch, &away("it does not answer in time"));
                    return Err(Overdue);
                }
            };
            let mut again = Vec::new();
            for (call, answer) in batch.into_iter().zip(answers) {
                match answer {
                    Err(error) if is_forgotten(&error) => again.push(call),
                    answer => call.answer(answer),
                }
            }
            if again.is_empty() {
                return Ok(());
            }
            batch = again;
            let loading = self.script.load_async(connection);
            let loaded = time::timeout(self.options.timeout, loading).await;
            if !matches!(loaded, Ok(Ok(_))) {
                fail_all(batch, &away("it takes no scripts"));
                return loaded.map(drop).map_err(|_| Overdue);
            }
        }
        fail_all(batch, &away("it forgets scripts"));
        Ok(())
    }

    async fn query(
        &self,
        connection: &mut MultiplexedConnection,
        batch: &[Call],
    ) -> Result<RedisResult<Vec<RedisResult<Value>>>, Overdue> {
        let mut pipeline = Pipeline::with_capacity(batch.len());
        pipeline.ignore_errors();
        for call in batch {
            pipeline.add_command(self.command(call));
        }
        let answer = pipeline.query_async(connection);
        let answer = time::timeout(self.options.timeout, answer).await;
        answer.map_err(|_| Overdue)
    }

    fn command(&self, call: &Call) -> Cmd {
        match call {
            Call::Ping(_) => redis::cmd("PING"),
            Call::Append(append, _) => self.append(append),
            Call::Since(room, offset, _) => {
                let mut cmd = Cmd::new();
                cmd.arg("EVAL")
                    .arg(SINCE)
                    .arg(2)
                    .arg(Keys.head(*room))
                    .arg(Keys.stream(*room));
                cmd.arg(format!("{}-0", offset + 1));
                cmd
            }
            Call::Tops(rooms, _) => {
                let mut cmd = Cmd::new();
                cmd.arg("EVAL").arg(TOPS).arg(rooms.len());
                rooms.iter().for_each(|room| {
                    cmd.arg(Keys.head(*room));
                });
                cmd
            }
            Call::Put(table, field, value) => put(*table, field, value.as_ref()),
            Call::All(table, _) => {
                let mut cmd = Cmd::new();
                cmd.arg("HGETALL").arg(Keys.table(*table));
                cmd
            }
            Call::Pass(channel, payload) => {
                let mut cmd = Cmd::new();
                cmd.arg("PUBLISH").arg(channel).arg(payload.as_slice());
                cmd
            }
        }
    }

    fn append(&self, append: &Append) -> Cmd {
        let Append {
            room,
            id,
            turn,
            payload,
        } = append;
        let seconds = |time: Duration| time.as_secs().max(1);
        let mut cmd = Cmd::new();
        cmd.arg("EVALSHA").arg(self.script.get_hash()).arg(5);
        cmd.arg(Keys.head(*room))
            .arg(Keys.stream(*room))
            .arg(Keys.versions(*room));
        cmd.arg(Keys.entry(*id)).arg(CLOCK);
        cmd.arg(Keys.channel(*room))
            .arg(format!("{id:x}"))
            .arg(&payload[..]);
        cmd.arg(format!("{:x}", rand::random::<u64>()));
        cmd.arg(self.options.log_length)
            .arg(seconds(self.options.log_kept));
        cmd.arg(seconds(self.options.known_for));
        match turn {
            Some(turn) => {
                cmd.arg(turn.task.to_string()).arg(turn.version);
                cmd.arg(turn.base);
            }
            None => {
                cmd.arg("").arg(0).arg(0);
            }
        }
        cmd
    }
}

/// A table is kept as long as it is in use, and a day longer.
fn put(table: Table, field: &str, value: Option<&Bytes>) -> Cmd {
    const PUT: &str =
        "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) redis.call('EXPIRE', KEYS[1], 86400)";
    let mut cmd = Cmd::new();
    match value {
        Some(value) => {
            cmd.arg("EVAL").arg(PUT).arg(1).arg(Keys.table(table));
            cmd.arg(field).arg(&value[..]);
        }
        None => {
            cmd.arg("HDEL").arg(Keys.table(table)).arg(field);
        }
    }
    cmd
}

fn fields(value: Value) -> Option<Vec<(String, Bytes)>> {
    let fields: Vec<(String, Vec<u8>)> = read(value)?;
    Some(
        fields
            .into_iter()
            .map(|(field, value)| (field, value.into()))
            .collect(),
    )
}

/// The head and the entries of one moment.
const SINCE: &str =
    "return {redis.call('HMGET', KEYS[1], 'e', 's'), redis.call('XRANGE', KEYS[2], ARGV[1], '+')}";
const TOPS: &str = "local tops = {} for i, key in ipairs(KEYS) do tops[i] = redis.call('HMGET', key, 'e', 's') end return tops";

fn fail_all(batch: Vec<Call>, error: &BackplaneError) {
    batch.into_iter().for_each(|call| call.fail(error));
}

fn is_forgotten(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}

impl Call {
    fn fail(self, error: &BackplaneError) {
        // Who waited may have gone.
        match self {
            Self::Ping(answer) => drop(answer.send(Err(error.clone()))),
            Self::Append(_, answer) => drop(answer.send(Err(error.clone()))),
            Self::Since(_, _, answer) => drop(answer.send(Err(error.clone()))),
            Self::Tops(_, answer) => drop(answer.send(Err(error.clone()))),
            Self::All(_, answer) => drop(answer.send(Err(error.clone()))),
            Self::Pass(..) | Self::Put(..) => {}
        }
    }

    fn answer(self, value: RedisResult<Value>) {
        let value = match value {
            Ok(value) => value,
            // It refuses: out of memory, read-only, loading, scripts forbidden.
            Err(error) => return self.fail(&BackplaneError::Away(error.to_string())),
        };
        match self {
            Self::Ping(answer) => drop(answer.send(Ok(()))),
            Self::Append(_, answer) => drop(answer.send(sense(appended(value)))),
            Self::Since(_, _, answer) => drop(answer.send(sense(tail(value)))),
            Self::Tops(_, answer) => drop(answer.send(sense(tops(value)))),
            Self::All(_, answer) => drop(answer.send(sense(fields(value)))),
            Self::Pass(..) | Self::Put(..) => {}
        }
    }
}

fn sense<T>(read: Option<T>) -> Result<T, BackplaneError> {
    read.ok_or_else(|| BackplaneError::Nonsense("an answer of another form".into()))
}

fn read<T: FromRedisValue>(value: Value) -> Option<T> {
    from_redis_value(value).ok()
}

fn appended(value: Value) -> Option<Appended> {
    let words: Vec<String> = read(value)?;
    let place = |words: &[String]| {
        let [epoch, offset, stamp] = words else {
            return None;
        };
        Some(Place {
            position: Position {
                epoch: epoch.clone(),
                offset: offset.parse().ok()?,
            },
            stamp: stamp.parse().ok()?,
        })
    };
    match words.split_first()? {
        (word, rest) if word == "at" => place(rest).map(Appended::At),
        (word, rest) if word == "before" => place(rest).map(Appended::Before),
        (word, [last]) if word == "early" => Some(Appended::Early(last.parse().ok()?)),
        (word, []) if word == "late" => Some(Appended::Late),
        _ => None,
    }
}

fn top(value: Value) -> Option<Option<Position>> {
    let (epoch, offset): (Option<String>, Option<u64>) = read(value)?;
    Some(epoch.map(|epoch| Position {
        epoch,
        offset: offset.unwrap_or(0),
    }))
}

fn tops(value: Value) -> Option<Vec<Option<Position>>> {
    read::<Vec<Value>>(value)?.into_iter().map(top).collect()
}

fn tail(value: Value) -> Option<Tail> {
    let (head, entries): (Value, StreamRangeReply) = read(value)?;
    let top = top(head)?;
    let epoch = top
        .as_ref()
        .map(|top| top.epoch.clone())
        .unwrap_or_default();
    let entries = entries.ids.into_iter().map(|entry| {
        let id: String = entry.get("i")?;
        Some(Logged {
            id: u128::from_str_radix(&id, 16).ok()?,
            place: Place {
                position: Position {
                    epoch: epoch.clone(),
                    offset: entry.id.split('-').next()?.parse().ok()?,
                },
                stamp: entry.get("t")?,
            },
            payload: Bytes::from(entry.get::<Vec<u8>>("p")?),
        })
    });
    Some(Tail {
        top,
        entries: entries.collect::<Option<Vec<_>>>()?,
    })
}
