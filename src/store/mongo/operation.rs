//! One write, tried until its outcome is known.
//!
//! A write carries the id of its operation into the document, among the last few. Where a connection broke after it
//! was sent, the next try finds that id and knows its own success; and since each write names in its filter what it
//! has read, the lost one can never take effect after the next. So a write that was answered `Unavailable` has not
//! happened, and one that may have happened is answered when that is known.

use std::time::Duration;

use collabflow_actors::store::StoreError;
use mongodb::{
    bson::{Bson, Document, doc, oid::ObjectId},
    options::ReturnDocument,
};
use tokio::time::{self, Instant};

use super::{
    db::{Db, WriteError},
    fields::Fields,
    marks,
};

/// The subdocument of ours in documents of Mongoose's.
pub(super) const OURS: &str = "collabflow";
const OPS: &str = "ops";
const OPS_PATH: &str = "collabflow.ops";
/// Later operations of one document, by other nodes, that may come between a write and its next try.
const OPS_MAX: i32 = 8;
/// For how long the outcome of a write is asked for.
const SETTLES_WITHIN: Duration = Duration::from_mins(10);
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A write under way.
pub(super) struct Operation {
    db: Db,
    id: ObjectId,
    began: Instant,
    deadline: Instant,
    pause: Duration,
    /// The document before the last try that has, or may have, taken effect.
    tried: Option<Document>,
}

/// What a try begins from.
pub(super) enum Found {
    /// The document as it is.
    Fresh(Document),
    /// An earlier try had succeeded: the document before it, and as it is now.
    Done(Document, Document),
    /// There is no such document any more.
    Missing,
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It is there.
    Yes,
    /// A unique index has its value already.
    Taken,
}

/// Tries until there is an outcome. An attempt says `None` where somebody came between; its time counts from the
/// deadline, which was set when the call was made.
///
/// A macro, since a closure that lends out the operation would make the whole call unfit to be sent to another thread.
macro_rules! settle {
    ($db:expr, $deadline:expr, $operation:ident => $attempt:block) => {{
        let mut operation = crate::store::mongo::operation::Operation::new($db, $deadline);
        loop {
            if let Err(error) = operation.in_time() {
                break Err(error);
            }
            let $operation = &mut operation;
            let attempt: Result<Option<_>, StoreError> = async { $attempt }.await;
            match attempt {
                Ok(Some(outcome)) => break Ok(outcome),
                Ok(None) => {}
                Err(error) => {
                    if let Err(error) = operation.wait_after(error).await {
                        break Err(error);
                    }
                }
            }
        }
    }};
}
pub(super) use settle;

impl Operation {
    pub(super) fn new(db: &Db, deadline: Instant) -> Self {
        Self {
            db: db.clone(),
            id: ObjectId::new(),
            began: Instant::now(),
            deadline,
            pause: PAUSE_MIN,
            tried: None,
        }
    }

    /// What marks a new document as ours.
    pub(super) fn mark(&self) -> Document {
        doc! { OPS: [self.id] }
    }

    /// Reads the document that is to be changed.
    pub(super) async fn read(
        &mut self,
        collection: &str,
        filter: Document,
    ) -> Result<Found, StoreError> {
        let Some(now) = self.db.find(collection, filter.clone()).await? else {
            return Ok(Found::Missing);
        };
        if is_somebody_elses(&now) {
            return self.make_room(collection, &now).await;
        }
        match self.tried.take() {
            None => Ok(Found::Fresh(now)),
            // Kept: what is still to be read for the answer may fail, and the next try must know it as well.
            Some(before) if self.is_in(&now) => {
                self.tried = Some(before.clone());
                Ok(Found::Done(before, now))
            }
            // The lost try may still arrive, but only where it finds what it had read.
            Some(_) => {
                self.tried = Some(now.clone());
                Ok(Found::Fresh(now))
            }
        }
    }

    /// Another program has a field of our name: it cannot be kept, since our writes need theirs.
    async fn make_room(&self, collection: &str, now: &Document) -> Result<Found, StoreError> {
        let id = doc! { "_id": now.get("_id") };
        let collection = self.db.collection(collection);
        let call = collection
            .find_one_and_update(id, doc! { "$unset": { OURS: "" } })
            .return_document(ReturnDocument::After);
        let answer = self.db.write_once(call).await.map_err(StoreError::from)?;
        Ok(answer.map_or(Found::Missing, Found::Fresh))
    }

    /// Changes a document that was read: the answer is how it is after that, or `None` where somebody came between.
    /// `guards` are the fields that must be as they were read.
    pub(super) async fn update(
        &mut self,
        collection: &str,
        before: &Document,
        guards: &[&str],
        update: Document,
    ) -> Result<Option<Document>, StoreError> {
        let collection = self.db.collection(collection);
        let call = collection
            .find_one_and_update(filter(before, guards), self.marked(update))
            .return_document(ReturnDocument::After);
        let earlier = self.tried.replace(before.clone());
        let answer = self.db.clone().write_once(call).await;
        if matches!(answer, Ok(None)) {
            self.tried = earlier;
            return Ok(None);
        }
        answer.map_err(|error| self.doubt(error, earlier))
    }

    /// Adds a document, which carries this operation's mark.
    pub(super) async fn insert(
        &mut self,
        collection: &str,
        document: &Document,
    ) -> Result<Inserted, StoreError> {
        let to = self.db.collection(collection);
        let earlier = self.tried.replace(document.clone());
        match self.db.clone().write_once(to.insert_one(document)).await {
            Ok(_) => Ok(Inserted::Yes),
            Err(WriteError::Duplicate(_)) if earlier.is_some() => {
                let filter = doc! { "_id": document.get("_id") };
                let stored = self.db.find(collection, filter).await?;
                if stored.is_some_and(|stored| self.is_in(&stored)) {
                    return Ok(Inserted::Yes);
                }
                self.tried = earlier;
                Ok(Inserted::Taken)
            }
            Err(WriteError::Duplicate(_)) => {
                self.tried = earlier;
                Ok(Inserted::Taken)
            }
            Err(error) => Err(self.doubt(error, earlier)),
        }
    }

    /// A write that can be repeated without harm.
    pub(super) async fn write<T>(
        &mut self,
        call: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<T, StoreError> {
        let earlier = self.tried.clone();
        self.tried.get_or_insert_default();
        let answer = self.db.clone().write_once(call).await;
        answer.map_err(|error| self.doubt(error, earlier))
    }

    /// Commits a transaction, by which a document is changed that was read.
    pub(super) async fn commit(
        &mut self,
        call: impl IntoFuture<Output = mongodb::error::Result<()>>,
        before: &Document,
    ) -> Result<(), StoreError> {
        let earlier = self.tried.replace(before.clone());
        let answer = self.db.clone().write_once(call).await;
        answer.map_err(|error| match self.doubt(error, earlier) {
            StoreError::Unavailable(text) => {
                self.tried = Some(before.clone());
                StoreError::Unknown(text)
            }
            error => error,
        })
    }

    /// An update that leaves this operation's id behind.
    pub(super) fn marked(&self, mut update: Document) -> Document {
        update.insert(
            "$push",
            doc! { OPS_PATH: { "$each": [self.id], "$slice": -OPS_MAX } },
        );
        update
    }

    pub(super) const fn id(&self) -> ObjectId {
        self.id
    }

    /// Whether a try has, or may have, taken effect.
    pub(super) const fn has_tried(&self) -> bool {
        self.tried.is_some()
    }

    fn is_in(&self, document: &Document) -> bool {
        document
            .get_document(OURS)
            .is_ok_and(|ours| ours.list(OPS).contains(&Bson::ObjectId(self.id)))
    }

    /// A write that has certainly not taken effect leaves things as they were before it.
    fn doubt(&mut self, error: WriteError, earlier: Option<Document>) -> StoreError {
        let error = StoreError::from(error);
        if !matches!(error, StoreError::Unknown(_)) {
            self.tried = earlier;
        }
        error
    }

    /// A call that waited too long behind others is not begun.
    pub(super) fn in_time(&self) -> Result<(), StoreError> {
        if Instant::now() < self.deadline || self.tried.is_some() {
            return Ok(());
        }
        Err(StoreError::Unavailable("too many calls wait".into()))
    }

    /// Waits for another try; or gives up, with the error.
    pub(super) async fn wait_after(&mut self, error: StoreError) -> Result<(), StoreError> {
        let is_passing = matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_));
        let end = match &self.tried {
            _ if !is_passing => return Err(error),
            Some(_) => self.began + SETTLES_WITHIN,
            None => self.deadline,
        };
        if Instant::now() + self.pause >= end {
            return Err(match error {
                StoreError::Unavailable(text) if self.tried.is_some() => StoreError::Unknown(text),
                error => error,
            });
        }
        time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}

/// Whether `collabflow` is there and not as we make it.
fn is_somebody_elses(document: &Document) -> bool {
    match document.get(OURS) {
        None => false,
        Some(Bson::Document(ours)) => {
            let has_list = ours.get(OPS).is_none_or(|ops| ops.as_array().is_some());
            !has_list || marks::are_odd(ours)
        }
        Some(_) => true,
    }
}

/// A document by its id, where it is as it was read.
pub(super) fn filter(before: &Document, guards: &[&str]) -> Document {
    let mut filter = doc! { "_id": before.get("_id") };
    for guard in guards {
        let read = before.get(guard).cloned();
        // What is stored may look like an operator itself.
        filter.insert(
            *guard,
            match read {
                Some(read) => doc! { "$eq": read },
                None => doc! { "$exists": false },
            },
        );
    }
    filter
}
