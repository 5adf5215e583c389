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
            pipeline.add_command(call.command(&self.script, &self.options));
        }
        let answer = pipeline.query_async(connection);
        let answer = time::timeout(self.options.timeout, answer).await;
        answer.map_err(|_| Overdue)
    }
}

fn fail_all(batch: Vec<Call>, error: &BackplaneError) {
    batch.into_iter().for_each(|call| call.fail(error));
}

fn is_forgotten(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}
