//! Writes to several documents that belong together: one transaction where the deployment has them, else one after
//! another, in an order that an intent lets a restart take up (see `intent`).

use collabflow_actors::store::StoreError;
use mongodb::{
    ClientSession,
    bson::{Document, doc, oid::ObjectId},
};

use super::{db::Db, operation::Operation};

/// One of the writes.
pub(super) enum Write {
    /// A document that must be as it was read, in these fields.
    Update {
        collection: &'static str,
        before: Document,
        guards: &'static [&'static str],
        update: Document,
    },
    /// Documents by their ids.
    Delete {
        collection: &'static str,
        ids: Vec<ObjectId>,
    },
}

/// Makes all of them; the last is the one by which the operation knows its success. `false` where somebody came
/// between: then nothing was written, or what was is written again by the next try.
pub(super) async fn write(
    db: &Db,
    operation: &mut Operation,
    writes: Vec<Write>,
) -> Result<bool, StoreError> {
    if db.is_replicated() && writes.len() > 1 {
        return in_transaction(db, operation, &writes).await;
    }
    for write in writes {
        match write {
            Write::Update {
                collection,
                before,
                guards,
                update,
            } => {
                let after = operation
                    .update(collection, &before, guards, update)
                    .await?;
                if after.is_none() {
                    return Ok(false);
                }
            }
            Write::Delete { collection, ids } => {
                let collection = db.collection(collection);
                operation.write(collection.delete_many(among(ids))).await?;
            }
        }
    }
    Ok(true)
}

async fn in_transaction(
    db: &Db,
    operation: &mut Operation,
    writes: &[Write],
) -> Result<bool, StoreError> {
    let mut session = db.read(db.client().start_session()).await?;
    let concern = db.database().write_concern().cloned();
    let begin = session.start_transaction();
    let begin = match concern {
        Some(concern) => begin.write_concern(concern),
        None => begin,
    };
    db.read(begin).await?;
    // Nothing takes effect without its commit. Dropping the session undoes what it has begun.
    if !db.read(inside(db, operation, &mut session, writes)).await? {
        return Ok(false);
    }
    let last = match writes.last() {
        Some(Write::Update { before, .. }) => before.clone(),
        _ => Document::new(),
    };
    operation
        .commit(session.commit_transaction(), &last)
        .await?;
    Ok(true)
}

async fn inside(
    db: &Db,
    operation: &Operation,
    session: &mut ClientSession,
    writes: &[Write],
) -> Result<bool, mongodb::error::Error> {
    for write in writes {
        match write {
            Write::Update {
                collection,
                before,
                guards,
                update,
            } => {
                let filter = super::operation::filter(before, guards);
                let update = operation.marked(update.clone());
                let collection = db.collection(collection);
                let answer = collection
                    .update_one(filter, update)
                    .session(&mut *session)
                    .await?;
                if answer.matched_count == 0 {
                    return Ok(false);
                }
            }
            Write::Delete { collection, ids } => {
                let collection = db.collection(collection);
                collection
                    .delete_many(among(ids.clone()))
                    .session(&mut *session)
                    .await?;
            }
        }
    }
    Ok(true)
}

fn among(ids: Vec<ObjectId>) -> Document {
    doc! { "_id": { "$in": ids } }
}
