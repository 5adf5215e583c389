//! The one thread that writes: it takes all writes that wait, and those that come meanwhile, and commits them as one
//! group with one sync.
//!
//! Each write of a group has a savepoint of its own: one that fails, or panics, is undone alone. Nobody is answered
//! before the commit; where that fails, none of the group is written, and each is told so. A panic anywhere else costs
//! its group, whose callers are told that nobody knows, and the thread goes on.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
    time::Instant,
};

use collabflow_actors::store::{Answer, StoreError};
use futures_util::future::{FutureExt, ready};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{error, queue::Queue, row::run};
use crate::telemetry::metrics::{self, STORE_WRITE};

/// A write that waits. It is run within a transaction, or told why there is none.
pub(super) type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Ran + Send>;

/// A write that has run.
pub(super) struct Ran {
    /// Whether what it did is to be committed.
    keep: bool,
    /// Answers its caller; takes what became of the commit.
    answer: Box<dyn FnOnce(Result<(), StoreError>)>,
}

/// Writes in one commit at most, so that the first of them does not wait long for the last.
const GROUP_MAX: usize = 512;

/// Starts the thread. It ends, and the connection with it, once the queue is closed and empty.
pub(super) fn start(
    db: Connection,
    length: usize,
    commits: Arc<AtomicU64>,
) -> io::Result<Queue<Job>> {
    let (queue, jobs) = Queue::new(length);
    queue.spawn("store-writer", move || {
        while catch_unwind(AssertUnwindSafe(|| serve(&db, &jobs, &commits))).is_err() {
            go_on(&db);
        }
        if let Err(error) = db.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
            tracing::debug!(%error, "the log was left for the next start");
        }
    })?;
    Ok(queue)
}

/// Queues a write at once; the answer comes after its commit.
pub(super) fn submit<T: Send + 'static>(
    queue: &Queue<Job>,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Answer<T> {
    let (answer, outcome) = oneshot::channel();
    let since = Instant::now();
    let job = Box::new(move |db: Result<&Connection, StoreError>| {
        let result = db.and_then(|db| attempt(|| work(db)));
        Ran {
            keep: result.is_ok(),
            answer: Box::new(move |committed| {
                STORE_WRITE.record(since.elapsed());
                // Who no longer waits has no use for the answer.
                let _ = answer.send(result.and_then(|value| committed.map(|()| value)));
            }),
        }
    });
    if let Err(error) = queue.send(job) {
        return ready(Err(error)).boxed();
    }
    async move {
        let closed = |_| Err(StoreError::Unknown("it closed meanwhile".into()));
        outcome.await.unwrap_or_else(closed)
    }
    .boxed()
}

/// Runs a piece of work; a panic in it is its own failure alone.
pub(super) fn attempt<T>(work: impl FnOnce() -> rusqlite::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| error::refused(&error)),
        Err(_) => Err(StoreError::Failed("it panicked".into())),
    }
}

fn serve(db: &Connection, jobs: &Receiver<Job>, commits: &AtomicU64) {
    while let Ok(first) = jobs.recv() {
        let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP_MAX - 1));
        let (ran, committed) = commit(db, group);
        if let Err(error) = &committed {
            tracing::error!(%error, writes = ran.len(), "a commit failed");
        } else {
            commits.fetch_add(1, Ordering::Relaxed);
        }
        for ran in ran {
            (ran.answer)(committed.clone());
        }
    }
}

/// Undoes what was not committed when the writer broke.
fn go_on(db: &Connection) {
    metrics::restarted("store_writer");
    tracing::error!("the store's writer has broken and goes on");
    roll_back(db);
}

fn roll_back(db: &Connection) {
    if !db.is_autocommit()
        && let Err(error) = run(db, "ROLLBACK", [])
    {
        tracing::error!(%error, "a rollback failed");
    }
}

/// Runs a group in one transaction.
fn commit(db: &Connection, group: impl Iterator<Item = Job>) -> (Vec<Ran>, Result<(), StoreError>) {
    let mut state = run(db, "BEGIN IMMEDIATE", [])
        .map(drop)
        .map_err(|error| error::refused(&error));
    let mut all = Vec::new();
    for job in group {
        let ran = match &state {
            Ok(()) => {
                let (ran, result) = run_within(db, job);
                state = result;
                ran
            }
            Err(error) => job(Err(error.clone())),
        };
        all.push(ran);
    }
    let outcome = state.and_then(|()| {
        run(db, "COMMIT", [])
            .map(drop)
            .map_err(|error| error::uncommitted(&error))
    });
    if outcome.is_err() {
        roll_back(db);
    }
    (all, outcome)
}

/// Runs one write within its savepoint. The result is that of the whole transaction.
fn run_within(db: &Connection, job: Job) -> (Ran, Result<(), StoreError>) {
    if let Err(error) = run(db, "SAVEPOINT one", []) {
        let error = error::refused(&error);
        return (job(Err(error.clone())), Err(error));
    }
    let ran = job(Ok(db));
    if db.is_autocommit() {
        // SQLite does so for some errors of the disk.
        let error = StoreError::Unavailable("the group of writes was rolled back".into());
        return (ran, Err(error));
    }
    let undone = if ran.keep {
        Ok(0)
    } else {
        run(db, "ROLLBACK TO one", [])
    };
    let result = undone.and_then(|_| run(db, "RELEASE one", []));
    let result = result.map(drop).map_err(|error| error::refused(&error));
    (ran, result)
}
