//! A bounded queue of jobs and the threads that work on it.

use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use collabflow_actors::store::StoreError;

/// Jobs on their way to a thread, in the order they were sent. Closing it lets the threads work off what waits.
pub(super) struct Queue<J> {
    /// Taken at the close, which is what ends the threads.
    jobs: Mutex<Option<SyncSender<J>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl<J: Send + 'static> Queue<J> {
    /// A queue of at most `length` jobs, and its other end.
    pub(super) fn new(length: usize) -> (Self, Receiver<J>) {
        let (sender, receiver) = sync_channel(length);
        let queue = Self {
            jobs: Mutex::new(Some(sender)),
            threads: Mutex::default(),
        };
        (queue, receiver)
    }

    /// Starts a thread that belongs to the queue.
    pub(super) fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = thread::Builder::new().name(name.into()).spawn(work)?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    /// Puts a job at the end, or refuses it at once.
    pub(super) fn send(&self, job: J) -> Result<(), StoreError> {
        let closed = || StoreError::Unavailable("it is closed".into());
        match lock(&self.jobs).as_ref().ok_or_else(closed)?.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                Err(StoreError::Unavailable("too many calls wait".into()))
            }
            Err(TrySendError::Disconnected(_)) => Err(closed()),
        }
    }
}

impl<J> Queue<J> {
    /// Takes no more jobs, and waits until those that wait are done.
    pub(super) fn close(&self) {
        lock(&self.jobs).take();
        for thread in lock(&self.threads).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store had panicked");
            }
        }
    }
}

impl<J> Drop for Queue<J> {
    fn drop(&mut self) {
        self.close();
    }
}

/// Nothing is left half done under these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
