//! The threads that read. Each has a connection of its own and sees one state of the file for each call: the last one
//! that was committed when it began.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::Instant,
};

use collabflow_actors::store::{Answer, StoreError};
use futures_util::future::{FutureExt, ready};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    queue::{Queue, lock},
    row::run,
    writer::attempt,
};
use crate::telemetry::metrics::{self, STORE_READ};

/// A read that waits.
pub(super) type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Starts a thread for each connection. They end once the queue is closed and empty.
pub(super) fn start(connections: Vec<Connection>, length: usize) -> io::Result<Queue<Job>> {
    let (queue, jobs) = Queue::<Job>::new(length);
    let jobs = Arc::new(Mutex::new(jobs));
    for db in connections {
        let jobs = Arc::clone(&jobs);
        queue.spawn("store-reader", move || {
            loop {
                // The idle thread that has the lock waits for a job, the others for the lock.
                let next = lock(&jobs).recv();
                let Ok(job) = next else { return };
                if catch_unwind(AssertUnwindSafe(|| job(&db))).is_err() {
                    metrics::restarted("store_reader");
                    tracing::error!("a reader of the store has broken and goes on");
                }
            }
        })?;
    }
    Ok(queue)
}

/// Queues a read.
pub(super) fn submit<T: Send + 'static>(
    queue: &Queue<Job>,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Answer<T> {
    let (answer, outcome) = oneshot::channel();
    let since = Instant::now();
    let job = Box::new(move |db: &Connection| {
        let result = attempt(|| in_one_state(db, work));
        STORE_READ.record(since.elapsed());
        // Who no longer waits has no use for the answer.
        let _ = answer.send(result);
    });
    if let Err(error) = queue.send(job) {
        return ready(Err(error)).boxed();
    }
    async move {
        let closed = |_| Err(StoreError::Unavailable("it closed meanwhile".into()));
        outcome.await.unwrap_or_else(closed)
    }
    .boxed()
}

/// Runs the statements of one call in one transaction: a project is never shown with the members of another moment.
fn in_one_state<T>(
    db: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = Transaction::begin(db)?;
    let result = work(db);
    drop(transaction);
    result
}

/// A transaction that ends when it is dropped, by a panic too.
struct Transaction<'c>(&'c Connection);

impl<'c> Transaction<'c> {
    fn begin(db: &'c Connection) -> rusqlite::Result<Self> {
        run(db, "BEGIN", []).map(|_| Self(db))
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if let Err(error) = run(self.0, "ROLLBACK", []) {
            tracing::debug!(%error, "a read had ended already");
        }
    }
}
