//! The embedded store: the contract, its groups of writes, its file.

mod contract;
mod damage;
mod durable;
mod group;
mod shared;

use std::{path::PathBuf, sync::mpsc, time::Duration};

use collabflow_actors::{
    id::{IdSource, now},
    store::StoreError,
};
use collabflow_protocol::id::ObjectId;
use tempfile::TempDir;

use super::*;

/// A folder that goes away at the end, and the file in it.
struct Place {
    folder: TempDir,
    ids: IdSource,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder for tests"),
            ids: IdSource::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("collabflow.db")
    }

    fn open(&self) -> SqliteStore {
        // A test beside others may wait for the disk as long as no user would.
        self.open_with(&Options {
            busy_timeout: Duration::from_secs(60),
            ..Options::default()
        })
    }

    fn open_with(&self, options: &Options) -> SqliteStore {
        SqliteStore::open(&self.path(), options).expect("the store opens")
    }

    /// A connection as another program would have one.
    fn connection(&self) -> Connection {
        let db = Connection::open(self.path()).expect("the file opens");
        db.busy_timeout(Duration::from_secs(60))
            .expect("a plain setting");
        db
    }

    fn id<T: From<ObjectId>>(&self) -> T {
        self.ids.next()
    }

    /// A call that writes one document.
    fn write(&self, store: &SqliteStore, name: &str) -> Answer<Workspace> {
        store.create_workspace(self.id(), name.into(), owner(), now())
    }

    /// The names of what [`Self::write`] stored, in order.
    async fn names(&self, store: &SqliteStore) -> Vec<String> {
        let list = ok(store.workspaces_of(owner())).await;
        list.into_iter().map(|workspace| workspace.name).collect()
    }
}

/// Whose all the documents are.
fn owner() -> UserId {
    "0102030405060708090a0b0c".parse().expect("an id")
}

async fn ok<T>(answer: Answer<T>) -> T {
    answer.await.expect("the store answers")
}

/// Keeps the writer busy until the sender is used or dropped.
fn block(store: &SqliteStore) -> (mpsc::Sender<()>, Answer<()>) {
    let (release, released) = mpsc::channel();
    let (started, is_started) = mpsc::channel();
    let answer = store.write(move |_| {
        started.send(()).expect("the test waits");
        released.recv().ok();
        Ok(())
    });
    is_started.recv().expect("the writer runs");
    (release, answer)
}

fn is_unavailable<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}
