//! The database as the store sees it: its collections, and calls that end in time.

use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use collabflow_actors::store::StoreError;
use futures_util::TryStreamExt;
use mongodb::{
    Client, Collection, Cursor, Database,
    bson::{Document, doc},
    error::{Error, Result as DriverResult},
};
use tokio::time::{self, Instant};

use super::{connect::Connected, error};

/// The names of the collections: Mongoose's, and those of our own.
pub(super) mod names {
    pub(in super::super) const USERS: &str = "users";
    pub(in super::super) const WORKSPACES: &str = "workspaces";
    pub(in super::super) const PROJECTS: &str = "projects";
    pub(in super::super) const TASKS: &str = "tasks";
    pub(in super::super) const CHANNELS: &str = "channels";
    pub(in super::super) const MESSAGES: &str = "messages";
    /// Users known from a token's claims.
    pub(in super::super) const PROFILES: &str = "collabflow_profiles";
    /// Keys of requests that made a task.
    pub(in super::super) const ONCE: &str = "collabflow_once";
    /// Deletions that go on over a crash.
    pub(in super::super) const INTENTS: &str = "collabflow_intents";
    /// Tasks that are gone, by whomever, and told to be.
    pub(in super::super) const GONE: &str = "collabflow_gone";
    /// Nodes that cannot reach the others.
    pub(in super::super) const CUT_OFF: &str = "collabflow_cut_off";
}

/// Between two looks at whether MongoDB is back.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// The database. Cheap to clone.
#[derive(Clone)]
pub(super) struct Db(Arc<Inner>);

struct Inner {
    client: Client,
    database: Database,
    is_replicated: bool,
    timeout: Duration,
    /// It was found away, and has not answered since.
    is_away: AtomicBool,
}

impl Db {
    pub(super) fn new(connected: Connected, timeout: Duration) -> Self {
        let Connected {
            client,
            database,
            is_replicated,
        } = connected;
        Self(Arc::new(Inner {
            client,
            database,
            is_replicated,
            timeout,
            is_away: AtomicBool::new(false),
        }))
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(super) fn database(&self) -> &Database {
        &self.0.database
    }

    /// Whether there are transactions and change streams.
    pub(super) fn is_replicated(&self) -> bool {
        self.0.is_replicated
    }

    pub(super) fn collection(&self, name: &str) -> Collection<Document> {
        self.0.database.collection(name)
    }

    /// When a call that is made now has taken too long.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.0.timeout
    }

    /// A read. One that takes too long is given up.
    pub(super) async fn read<T>(
        &self,
        call: impl IntoFuture<Output = DriverResult<T>>,
    ) -> Result<T, StoreError> {
        match self.in_time(call).await {
            Ok(Some(answer)) => answer.map_err(|error| error::refused(&error)),
            Ok(None) => Err(StoreError::Unavailable(overdue())),
            Err(Away) => Err(StoreError::Unavailable(away())),
        }
    }

    /// All documents that a cursor goes over.
    pub(super) async fn list(
        &self,
        call: impl IntoFuture<Output = DriverResult<Cursor<Document>>>,
    ) -> Result<Vec<Document>, StoreError> {
        let call = call.into_future();
        self.read(async { call.await?.try_collect().await }).await
    }

    /// One document.
    pub(super) async fn find(
        &self,
        collection: &str,
        filter: Document,
    ) -> Result<Option<Document>, StoreError> {
        self.read(self.collection(collection).find_one(filter))
            .await
    }

    /// A write, once. One that takes too long may have taken effect.
    pub(super) async fn write_once<T>(
        &self,
        call: impl IntoFuture<Output = DriverResult<T>>,
    ) -> Result<T, WriteError> {
        match self.in_time(call).await {
            Ok(Some(answer)) => answer.map_err(WriteError::from),
            Ok(None) => Err(WriteError::Unanswered(StoreError::Unknown(overdue()))),
            Err(Away) => Err(WriteError::Unanswered(StoreError::Unavailable(away()))),
        }
    }

    /// The answer to a call, or `None` where it takes too long. While MongoDB is away, none is made: each would wait for
    /// its whole time, calls in a row would add up, and all together would keep the connections busy for long after it is
    /// back.
    async fn in_time<T>(
        &self,
        call: impl IntoFuture<Output = DriverResult<T>>,
    ) -> Result<Option<DriverResult<T>>, Away> {
        if self.0.is_away.load(Ordering::Relaxed) {
            return Err(Away);
        }
        let answer = time::timeout(self.0.timeout, call.into_future()).await.ok();
        let is_answered = match &answer {
            Some(Err(error)) => !error::finds_nobody(error),
            Some(Ok(_)) => true,
            None => false,
        };
        if !is_answered && !self.0.is_away.swap(true, Ordering::Relaxed) {
            tracing::warn!("MongoDB is away: calls are refused until it is back");
            tokio::spawn(self.clone().come_back());
        }
        Ok(answer)
    }

    /// Asks until it answers.
    async fn come_back(self) {
        loop {
            time::sleep(ASK_EVERY).await;
            let ping = self.0.database.run_command(doc! { "ping": 1 });
            if let Ok(Ok(_)) = time::timeout(self.0.timeout, ping.into_future()).await {
                break;
            }
        }
        tracing::info!("MongoDB is back");
        self.0.is_away.store(false, Ordering::Relaxed);
    }

    /// Whether the server answers.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.read(self.0.database.run_command(doc! { "ping": 1 }))
            .await
            .map(drop)
    }
}

/// Why a write was not answered with success.
pub(super) enum WriteError {
    /// Another document has its value.
    Duplicate(Error),
    /// It was not heard of, or was refused.
    Unanswered(StoreError),
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        if error::is_duplicate(&error) {
            Self::Duplicate(error)
        } else {
            Self::Unanswered(error::of_write(&error))
        }
    }
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Duplicate(error) => Self::Failed(error.to_string()),
            WriteError::Unanswered(error) => error,
        }
    }
}

/// A call was not made.
struct Away;

fn away() -> String {
    "MongoDB is away".to_owned()
}

fn overdue() -> String {
    "MongoDB does not answer in time (mongodb.timeout)".to_owned()
}
