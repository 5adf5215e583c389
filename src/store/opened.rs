//! The store that the configuration asks for.

use std::{fmt, path::PathBuf, sync::Arc};

use collabflow_actors::{directory::Directory, store::Store};
use tokio::task::JoinHandle;

use super::{MongoOptions, MongoStore, Options, SqliteStore};

/// Where the documents are.
#[derive(Clone, Debug)]
pub enum Place {
    /// In this file.
    Embedded(PathBuf),
    /// In MongoDB.
    Mongo(MongoOptions),
}

/// As a person would look for it, without names and passwords of an address.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(path) => write!(f, "{}", path.display()),
            Self::Mongo(options) => write!(f, "{}", options.whereabouts()),
        }
    }
}

/// A store that is open.
pub enum Opened {
    /// The embedded one.
    Embedded(Arc<SqliteStore>),
    /// MongoDB.
    Mongo(Arc<MongoStore>),
}

impl Opened {
    /// Opens it.
    ///
    /// # Errors
    /// When the file cannot be used, or MongoDB does not answer.
    pub async fn open(place: &Place) -> anyhow::Result<Self> {
        Ok(match place {
            Place::Embedded(path) => {
                Self::Embedded(Arc::new(SqliteStore::open(path, &Options::default())?))
            }
            Place::Mongo(options) => Self::Mongo(Arc::new(MongoStore::connect(options).await?)),
        })
    }

    /// As the engine sees it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store) => Arc::clone(store) as _,
            Self::Mongo(store) => Arc::clone(store) as _,
        }
    }

    /// Tells what other programs change in the database, where it can be watched, for as long as the task lives.
    ///
    /// # Errors
    /// Where the deployment has no change streams.
    pub async fn watch(&self, directory: Directory) -> anyhow::Result<Option<JoinHandle<()>>> {
        let Self::Mongo(store) = self else {
            return Ok(None);
        };
        let mut watch = store.watch().await?;
        Ok(Some(tokio::spawn(async move {
            loop {
                for change in watch.next().await {
                    if let Err(error) = directory.tell_elsewhere(change).await {
                        tracing::warn!(code = ?error.code, "a change of another program cannot be told: all are to reload");
                        directory.node().resync_everywhere().await;
                    }
                }
            }
        })))
    }

    /// Breaks the thread that writes by a panic, as a fault in it would.
    #[cfg(test)]
    pub(crate) fn break_writer(&self) {
        if let Self::Embedded(store) = self {
            store.break_writer();
        }
    }

    /// Writes what waits, and lets go of it.
    pub async fn close(&self) {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Mongo(store) => store.close().await,
        }
    }
}
