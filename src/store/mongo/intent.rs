//! What is to be deleted, or left, in several steps: written down before the first, and forgotten after the last, so
//! that a crash between is made good at the next start. The write of the intent is what decides.

use std::time::Duration;

use collabflow_actors::{id::now, store::StoreError};
use collabflow_protocol::{
    id::{ChannelId, ProjectId, WorkspaceId},
    time::Timestamp,
};
use mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use tokio::time;

use super::{
    db::{Db, names},
    fields::{Fields, as_id, date, oid},
    leave::{self, Leaving},
    operation::{OURS, Operation, settle},
    removal::{self, Removal},
};

/// What another node may be at is left alone for so long.
const LEFT_ALONE_FOR: Duration = Duration::from_mins(1);

/// An intent that is written down.
pub(super) struct Intent(ObjectId);

impl Intent {
    pub(super) async fn to_remove(
        db: &Db,
        operation: &mut Operation,
        removal: &Removal,
    ) -> Result<Self, StoreError> {
        let ids = |ids: Vec<ObjectId>| Bson::from(ids);
        let intent = doc! {
            "workspace": removal.workspace.map(oid),
            "projects": ids(removal.projects.iter().copied().map(oid).collect()),
            "channels": ids(removal.channels.iter().map(|(id, _)| oid(*id)).collect()),
        };
        Self::store(db, operation, "removal", intent).await
    }

    pub(super) async fn to_leave(
        db: &Db,
        operation: &mut Operation,
        leaving: Leaving,
    ) -> Result<Self, StoreError> {
        let intent = doc! { "workspace": oid(leaving.workspace), "user": oid(leaving.user) };
        Self::store(db, operation, "leaving", intent).await
    }

    /// The one that an operation writes down.
    pub(super) const fn of(operation: &Operation) -> Self {
        Self(operation.id())
    }

    /// Once for each operation, however often it is tried.
    async fn store(
        db: &Db,
        operation: &mut Operation,
        kind: &str,
        mut intent: Document,
    ) -> Result<Self, StoreError> {
        let Self(id) = Self::of(operation);
        intent.extend(doc! {
            "_id": id, "kind": kind, "at": date(now()), OURS: operation.mark(),
        });
        let intents = db.collection(names::INTENTS);
        let known = doc! { "_id": id };
        let call = intents.replace_one(known, intent).upsert(true);
        operation.write(call).await?;
        Ok(Self(id))
    }

    pub(super) async fn forget(self, db: &Db, operation: &mut Operation) -> Result<(), StoreError> {
        let intents = db.collection(names::INTENTS);
        let call = intents.delete_one(doc! { "_id": self.0 });
        operation.write(call).await.map(drop)
    }
}

/// Makes good what was begun and not ended, at a start: also what is young, since nobody is to see half of a deletion.
/// Another node may be at it just now: to do so twice does no harm.
pub(super) async fn finish_all(db: &Db) -> Result<(), StoreError> {
    finish_older(db, Duration::ZERO).await
}

/// Makes good, for ever, what other nodes have left behind, or this one had to give up.
pub(super) async fn keep_finishing(db: Db) {
    loop {
        time::sleep(LEFT_ALONE_FOR).await;
        if let Err(error) = finish_older(&db, LEFT_ALONE_FOR).await {
            tracing::warn!(%error, "what was interrupted is not ended yet");
        }
    }
}

async fn finish_older(db: &Db, age: Duration) -> Result<(), StoreError> {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let before = now().millis().saturating_sub(age);
    let collection = db.collection(names::INTENTS);
    for intent in db.list(collection.find(doc! {})).await? {
        if intent.time("at").is_none_or(|at| at.millis() <= before) {
            tracing::info!(%intent, "ends what was interrupted");
            finish(db, &intent).await?;
        }
    }
    Ok(())
}

async fn finish(db: &Db, intent: &Document) -> Result<(), StoreError> {
    let Some(id) = intent.id_of_document() else {
        return Ok(());
    };
    let workspace: Option<WorkspaceId> = intent.id("workspace");
    settle!(db, db.deadline(), operation => {
        match (intent.text("kind"), workspace, intent.id("user")) {
            (Some("removal"), ..) => {
                let projects = intent.list("projects").iter();
                let channels = intent.list("channels").iter();
                let removal = Removal {
                    workspace,
                    projects: projects.filter_map(as_id::<ProjectId>).collect(),
                    channels: channels
                        .filter_map(|id| Some((as_id::<ChannelId>(id)?, None)))
                        .collect(),
                };
                removal::wipe(db, operation, &removal).await?;
            }
            (Some("leaving"), Some(workspace), Some(user)) => {
                let now: Timestamp = now();
                let leaving = Leaving { workspace, user, now };
                if !leave::finish(db, operation, leaving).await? {
                    return Ok(None);
                }
            }
            _ => {}
        }
        Intent(id).forget(db, operation).await.map(Some)
    })
}
