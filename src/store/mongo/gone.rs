//! What was deleted lately, here or elsewhere, and told to be: so that the same deletion is told once, whether it is
//! announced, or seen by watching the database.

use std::time::Duration;

use collabflow_actors::{id::now, store::StoreError};
use mongodb::bson::{DateTime, doc, oid::ObjectId};

use super::{
    db::{Db, names},
    operation::{Inserted, OURS, Operation},
};

/// For how long it is remembered.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// The field by which MongoDB removes what is past its time.
pub(super) const KEPT_UNTIL: &str = "keptUntil";

/// When something that is remembered from now on for so long is forgotten.
pub(super) fn kept_until(kept_for: Duration) -> DateTime {
    let millis = i64::try_from(kept_for.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(now().millis().saturating_add(millis))
}

/// Remembers that these are, or will be, told to be gone.
pub(super) async fn remember(
    operation: &mut Operation,
    ids: &[ObjectId],
) -> Result<(), StoreError> {
    for id in ids {
        claim(operation, *id).await?;
    }
    Ok(())
}

/// Remembers one; the answer is whether nobody had done so.
pub(super) async fn claim(operation: &mut Operation, id: ObjectId) -> Result<bool, StoreError> {
    let document = doc! {
        "_id": id, KEPT_UNTIL: kept_until(KEPT_FOR), OURS: operation.mark(),
    };
    Ok(operation.insert(names::GONE, &document).await? == Inserted::Yes)
}

/// Whether it is remembered.
pub(super) async fn is_remembered(db: &Db, id: ObjectId) -> Result<bool, StoreError> {
    let found = db.find(names::GONE, doc! { "_id": id }).await?;
    Ok(found.is_some())
}

/// It was not deleted here after all.
pub(super) async fn forget(
    db: &Db,
    operation: &mut Operation,
    id: ObjectId,
) -> Result<(), StoreError> {
    let gone = db.collection(names::GONE);
    operation
        .write(gone.delete_one(doc! { "_id": id }))
        .await
        .map(drop)
}
