//! The marks of nodes that cannot reach the others of their cluster.

use std::time::Duration;

use collabflow_actors::{id::NodeId, store::StoreError};
use collabflow_protocol::time::Timestamp;
use mongodb::bson::{DateTime, Document, doc};

use super::{
    db::{Db, names},
    gone::{KEPT_UNTIL, kept_until},
};

/// For how long a mark is kept.
const KEPT_FOR: Duration = Duration::from_hours(1);
const AT: &str = "at";

pub(super) async fn mark(db: &Db, node: NodeId, at: Option<Timestamp>) -> Result<(), StoreError> {
    let marks = db.collection(names::CUT_OFF);
    let of_node = doc! { "_id": node.to_string() };
    match at {
        Some(at) => {
            let mark = doc! {
                "$set": { AT: DateTime::from_millis(at.millis()), KEPT_UNTIL: kept_until(KEPT_FOR) },
            };
            db.read(marks.update_one(of_node, mark).upsert(true))
                .await?;
        }
        None => {
            db.read(marks.delete_one(of_node)).await?;
        }
    }
    Ok(())
}

pub(super) async fn all(db: &Db) -> Result<Vec<(NodeId, Timestamp)>, StoreError> {
    let found = db.list(db.collection(names::CUT_OFF).find(doc! {})).await?;
    let mark = |mark: &Document| {
        let node = mark.get_str("_id").ok()?.parse().ok()?;
        let at = mark.get_datetime(AT).ok()?.timestamp_millis();
        Some((node, Timestamp::from_millis(at).ok()?))
    };
    Ok(found.iter().filter_map(mark).collect())
}
