//! Calls to Redis: made in their order, those that wait together in one pipeline.

use collabflow_actors::backplane::BackplaneError;
use redis::{Pipeline, RedisError, RedisResult, Script, Value, aio::MultiplexedConnection};
use tokio::{
    sync::{mpsc, watch},
    time,
};

use super::{RedisOptions, away, call::Call};

/// Calls that one pipeline holds at most.
const BATCH_MAX: usize = 512;
/// Calls that wait, at most: with more, Redis is too slow.
const WAITING_MAX: usize = 50_000;

/// Where calls go.
pub(super) struct Calls {
    waiting: mpsc::Sender<Call>,
    connection: Connection,
}

/// The connection, while there is one, and which it is.
#[derive(Clone)]
struct Connection(watch::Sender<Link>);

#[derive(Clone)]
enum Link {
    There(u64, MultiplexedConnection),
    /// There is none, and why.
    Away(String),
}

impl Link {
    fn is_there(&self) -> bool {
        matches!(self, Self::There(..))
    }
}

impl Connection {
    /// One that has left a call without an answer, or refused it, is used no more: each call after it would fare the same.
    fn give_up(&self, number: u64, reason: String) {
        self.0.send_if_modified(|link| {
            let is_it = matches!(link, Link::There(its, _) if *its == number);
            if is_it {
                *link = Link::Away(reason);
            }
            is_it
        });
    }
}

impl Calls {
    pub(super) fn start(options: RedisOptions) -> Self {
        let (waiting, calls) = mpsc::channel(WAITING_MAX);
        let connection = Connection(watch::Sender::new(Link::Away("there was none yet".into())));
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
        let link = Link::There(number, connection);
        self.connection.0.send_replace(link);
    }

    /// There is none any more, and calls are refused.
    pub(super) fn disconnect(&self) {
        let link = Link::Away("the connection is gone".into());
        self.connection.0.send_replace(link);
    }

    /// Returns when the connection is used no more, with the reason.
    pub(super) async fn given_up(&self) -> String {
        let mut connection = self.connection.0.subscribe();
        let link = connection.wait_for(|link| !link.is_there()).await;
        match link.as_deref() {
            Ok(Link::Away(reason)) => reason.clone(),
            // The sender is our own.
            Ok(Link::There(..)) | Err(_) => String::new(),
        }
    }

    pub(super) fn send(&self, call: Call) -> Result<(), BackplaneError> {
        if !self.connection.0.borrow().is_there() {
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

/// Why a connection is used no more.
struct Unusable(String);

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
                Link::There(number, mut connection) => {
                    if let Err(Unusable(reason)) = self.make(&mut connection, batch).await {
                        self.connection.give_up(number, reason);
                    }
                }
                Link::Away(_) => drop(fail_all(batch, Unusable("there is no connection".into()))),
            }
        }
    }

    /// Makes all calls of a batch in one pipeline. A script that Redis has forgotten has not run: it is given again.
    async fn make(
        &self,
        connection: &mut MultiplexedConnection,
        batch: Vec<Call>,
    ) -> Result<(), Unusable> {
        let (forgotten, refused) = self.try_all(connection, batch).await?;
        let mut refused = refused;
        if !forgotten.is_empty() {
            let loaded = self.in_time(self.script.load_async(connection)).await;
            if let Err(unusable) = loaded {
                return Err(fail_all(forgotten, unusable));
            }
            let (forgotten, again) = self.try_all(connection, forgotten).await?;
            refused = refused.or(again);
            if !forgotten.is_empty() {
                return Err(fail_all(forgotten, Unusable("it forgets scripts".into())));
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Makes all calls of a batch. Returns those whose script is not known, and why one was refused, if any was: Redis is
    /// out of memory, read-only, loading, or takes no scripts.
    async fn try_all(
        &self,
        connection: &mut MultiplexedConnection,
        batch: Vec<Call>,
    ) -> Result<(Vec<Call>, Option<Unusable>), Unusable> {
        let mut pipeline = Pipeline::with_capacity(batch.len());
        pipeline.ignore_errors();
        for call in &batch {
            pipeline.add_command(call.command(&self.script, &self.options));
        }
        let answers = self.in_time(pipeline.query_async(connection)).await;
        let answers: Vec<RedisResult<Value>> = match answers {
            Ok(answers) => answers,
            Err(unusable) => return Err(fail_all(batch, unusable)),
        };
        let (mut forgotten, mut refused) = (Vec::new(), None);
        for (call, answer) in batch.into_iter().zip(answers) {
            match answer {
                Ok(value) => call.answer(value),
                Err(error) if is_forgotten(&error) => forgotten.push(call),
                Err(error) => {
                    call.fail(&BackplaneError::Away(error.to_string()));
                    if !is_of_one_key(&error) {
                        refused = Some(Unusable(error.to_string()));
                    }
                }
            }
        }
        Ok((forgotten, refused))
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Unusable> {
        match time::timeout(self.options.timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Unusable(error.to_string())),
            Err(_) => Err(Unusable("it does not answer in time".into())),
        }
    }
}

/// Fails all of them for one reason, which is handed back.
fn fail_all(batch: Vec<Call>, unusable: Unusable) -> Unusable {
    let error = BackplaneError::Away(unusable.0.clone());
    batch.into_iter().for_each(|call| call.fail(&error));
    unusable
}

/// Somebody else has put something there: with all other keys it goes on.
fn is_of_one_key(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

fn is_forgotten(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}
