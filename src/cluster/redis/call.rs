//! A call to Redis: the command that it is, and who waits for its answer.

use std::time::Duration;

use bytes::Bytes;
use collabflow_actors::{
    backplane::{Append, Appended, BackplaneError, Table, Tail, Tops},
    key::RoomKey,
};
use redis::{Cmd, Script, Value};
use tokio::sync::oneshot;

use super::{
    RedisOptions, answer,
    keys::{CLOCK, EVERYBODY, Keys, PROBE},
};

/// The head and the entries of one moment, and since when anything is known.
const SINCE: &str = "\
    local clock = redis.call('HMGET', KEYS[3], 'b', 'p') \
    local head = redis.call('HMGET', KEYS[1], 'e', 's', 'p') \
    if (head[3] or '') ~= (clock[2] or '') then return {{false, false}, clock[1], {}} end \
    return {{head[1], head[2]}, clock[1], redis.call('XRANGE', KEYS[2], ARGV[1], '+')}";
const TOPS: &str = "\
    local clock, tops = redis.call('HMGET', KEYS[1], 't', 'p'), {} \
    for i = 2, #KEYS do \
        local head = redis.call('HMGET', KEYS[i], 'e', 's', 'p') \
        local is_known = (head[3] or '') == (clock[2] or '') \
        tops[i - 1] = is_known and {head[1], head[2]} or {false, false} \
    end \
    return {clock[1] or '0', tops}";
/// Another primary answers than the last time: what that one gave and did not hand over is lost, and all logs are others
/// from now on. The time is after every stamp that was given, as stamps go slower.
const TAKE_OVER: &str = "\
    local last = redis.call('HGET', KEYS[1], 'r') \
    redis.call('HSET', KEYS[1], 'r', ARGV[1]) \
    redis.call('EXPIRE', KEYS[1], ARGV[2]) \
    if not last or last == ARGV[1] then return 0 end \
    local now = redis.call('TIME') \
    local time = tonumber(now[1]) * 1000000 + tonumber(now[2]) \
    local stamp = math.max(time, tonumber(redis.call('HGET', KEYS[1], 't') or '0')) \
    stamp = string.format('%.0f', stamp) \
    redis.call('HSET', KEYS[1], 't', stamp, 'b', stamp, 'p', ARGV[1]) \
    return 1";
/// Whether it takes scripts, and these may write: one that does not still answers a `PING`.
const WRITE: &str = "redis.call('SET', KEYS[1], '', 'EX', 60)";
const TAKE: &str = "\
    local value = redis.call('HGET', KEYS[1], ARGV[1]) \
    redis.call('HDEL', KEYS[1], ARGV[1]) \
    return value";
const PUT: &str = "\
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) \
    redis.call('EXPIRE', KEYS[1], ARGV[3])";

/// Seconds for which a trial is remembered.
const TRIAL_KEPT: u32 = 60;

type Sender<T> = oneshot::Sender<Result<T, BackplaneError>>;

/// A call, and who waits for it.
pub(super) enum Call {
    Ping(Sender<()>),
    Append(Append, Sender<Appended>),
    Since(RoomKey, u64, Sender<Tail>),
    Tops(Vec<RoomKey>, Sender<Tops>),
    Pass(String, Vec<u8>),
    Put(Table, String, Option<Bytes>),
    Take(Table, String, Sender<Option<Bytes>>),
    All(Table, Sender<Vec<(String, Bytes)>>),
    Keep(Table),
}

impl Call {
    pub(super) fn command(&self, script: &Script, options: &RedisOptions) -> Cmd {
        match self {
            Self::Ping(_) => eval(WRITE, [PROBE.to_owned()]),
            Self::Append(append, _) => append_command(append, script, options),
            Self::Since(room, offset, _) => {
                let keys = [Keys.head(*room), Keys.stream(*room), CLOCK.to_owned()];
                let mut cmd = eval(SINCE, keys);
                cmd.arg(format!("{}-0", offset + 1));
                cmd
            }
            Self::Tops(rooms, _) => {
                let heads = rooms.iter().map(|room| Keys.head(*room));
                eval(TOPS, std::iter::once(CLOCK.to_owned()).chain(heads))
            }
            Self::Put(table, field, Some(value)) => {
                let mut cmd = eval(PUT, [Keys.table(*table)]);
                cmd.arg(field)
                    .arg(&value[..])
                    .arg(seconds(table.kept_for()));
                cmd
            }
            Self::Put(table, field, None) => {
                let mut cmd = redis::cmd("HDEL");
                cmd.arg(Keys.table(*table)).arg(field);
                cmd
            }
            Self::Take(table, field, _) => {
                let mut cmd = eval(TAKE, [Keys.table(*table)]);
                cmd.arg(field);
                cmd
            }
            Self::All(table, _) => {
                let mut cmd = redis::cmd("HGETALL");
                cmd.arg(Keys.table(*table));
                cmd
            }
            Self::Keep(table) => {
                let mut cmd = redis::cmd("EXPIRE");
                cmd.arg(Keys.table(*table)).arg(seconds(table.kept_for()));
                cmd
            }
            Self::Pass(channel, payload) => {
                let mut cmd = redis::cmd("PUBLISH");
                cmd.arg(channel).arg(payload.as_slice());
                cmd
            }
        }
    }

    pub(super) fn fail(self, error: &BackplaneError) {
        // Who waited may have gone.
        match self {
            Self::Ping(answer) => drop(answer.send(Err(error.clone()))),
            Self::Append(_, answer) => drop(answer.send(Err(error.clone()))),
            Self::Since(_, _, answer) => drop(answer.send(Err(error.clone()))),
            Self::Tops(_, answer) => drop(answer.send(Err(error.clone()))),
            Self::Take(_, _, answer) => drop(answer.send(Err(error.clone()))),
            Self::All(_, answer) => drop(answer.send(Err(error.clone()))),
            Self::Pass(..) | Self::Put(..) | Self::Keep(_) => {}
        }
    }

    pub(super) fn answer(self, value: Value) {
        match self {
            Self::Ping(answer) => drop(answer.send(Ok(()))),
            Self::Append(_, answer) => drop(answer.send(sense(answer::appended(value)))),
            Self::Since(_, _, answer) => drop(answer.send(sense(answer::tail(value)))),
            Self::Tops(_, answer) => drop(answer.send(sense(answer::tops(value)))),
            Self::Take(_, _, answer) => drop(answer.send(sense(answer::field(value)))),
            Self::All(_, answer) => drop(answer.send(sense(answer::fields(value)))),
            Self::Pass(..) | Self::Put(..) | Self::Keep(_) => {}
        }
    }
}

fn append_command(append: &Append, script: &Script, options: &RedisOptions) -> Cmd {
    let Append {
        room,
        id,
        turn,
        payload,
    } = append;
    let mut cmd = Cmd::new();
    cmd.arg("EVALSHA").arg(script.get_hash()).arg(5);
    cmd.arg(Keys.head(*room))
        .arg(Keys.stream(*room))
        .arg(Keys.versions(*room));
    cmd.arg(Keys.entry(*id)).arg(CLOCK);
    cmd.arg(Keys.channel(*room))
        .arg(format!("{id:x}"))
        .arg(&payload[..]);
    cmd.arg(format!("{:x}", rand::random::<u64>()));
    cmd.arg(options.log_length).arg(seconds(options.log_kept));
    cmd.arg(seconds(options.known_for));
    match turn {
        Some(turn) => {
            cmd.arg(turn.task.to_string()).arg(turn.version);
            cmd.arg(turn.base).arg(u8::from(turn.is_base_new));
        }
        None => {
            cmd.arg("").arg(0).arg(0).arg(0);
        }
    }
    cmd
}

/// Appends an entry with this payload to a log that is nobody's, and tells all nodes: all that is asked of Redis, in one.
/// It has the whole script, which is known by its hash from then on.
pub(super) fn trial(payload: &str) -> Cmd {
    let keys = ["head", "log", "versions", "entry", "clock"];
    let script = include_str!("append.lua");
    let mut cmd = eval(script, keys.map(|key| format!("{PROBE}:{key}:{payload}")));
    cmd.arg(EVERYBODY).arg(0).arg(payload).arg(0);
    cmd.arg(1).arg(TRIAL_KEPT).arg(TRIAL_KEPT);
    cmd.arg("").arg(0).arg(0);
    cmd
}

/// Asks which primary it is, by the name that Redis gives to each history of its data.
pub(super) fn primary() -> Cmd {
    let mut cmd = redis::cmd("INFO");
    cmd.arg("replication");
    cmd
}

/// The name in the answer to [`primary`].
pub(super) fn name_of(info: &str) -> Option<&str> {
    let mut lines = info.lines();
    lines.find_map(|line| line.strip_prefix("master_replid:"))
}

/// Says which primary answers; the answer is whether it was another before.
pub(super) fn take_over(primary: &str, options: &RedisOptions) -> Cmd {
    let mut cmd = eval(TAKE_OVER, [CLOCK.to_owned()]);
    cmd.arg(primary).arg(2 * seconds(options.log_kept));
    cmd
}

fn eval(script: &str, keys: impl IntoIterator<Item = String>) -> Cmd {
    let keys: Vec<_> = keys.into_iter().collect();
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(script).arg(keys.len()).arg(keys);
    cmd
}

fn seconds(time: Duration) -> u64 {
    time.as_secs().max(1)
}

fn sense<T>(read: Option<T>) -> Result<T, BackplaneError> {
    read.ok_or_else(|| BackplaneError::Nonsense("an answer of another form".into()))
}
