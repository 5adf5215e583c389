//! The indexes that the queries need, made at each start. One that cannot be made on what is stored already is a
//! warning: the server works without it, only slower, or without the safety net that it would be.

use std::time::Duration;

use collabflow_actors::store::StoreError;
use futures_util::TryStreamExt;
use mongodb::{
    IndexModel,
    bson::{Bson, Document, doc},
    options::IndexOptions,
};

use super::{
    db::{Db, names},
    error,
    fields::Fields,
    gone::KEPT_UNTIL,
    user::any_case,
};

/// Documents that a warning names, at most.
const NAMED_MAX: usize = 5;

/// An index of ours.
struct Index {
    collection: &'static str,
    keys: Document,
    options: IndexOptions,
}

impl Index {
    fn on(collection: &'static str, keys: Document) -> Self {
        Self {
            collection,
            keys,
            options: IndexOptions::default(),
        }
    }

    fn unique(mut self) -> Self {
        self.options.unique = Some(true);
        self
    }

    /// Named apart from one on the same keys that Mongoose may have made.
    fn named(mut self, name: &str) -> Self {
        self.options.name = Some(name.to_owned());
        self
    }

    fn any_case(mut self) -> Self {
        self.options.collation = Some(any_case());
        self
    }

    fn only(mut self, filter: Document) -> Self {
        self.options.partial_filter_expression = Some(filter);
        self
    }

    fn forgets(mut self) -> Self {
        self.options.expire_after = Some(Duration::ZERO);
        self
    }
}

fn all() -> Vec<Index> {
    let text = || doc! { "$type": "string" };
    vec![
        Index::on(names::USERS, doc! { "email": 1 })
            .named("collabflow_email")
            .unique()
            .any_case()
            .only(doc! { "email": text() }),
        Index::on(names::PROFILES, doc! { "emailKey": 1 }),
        Index::on(names::WORKSPACES, doc! { "members.user": 1 }),
        Index::on(names::WORKSPACES, doc! { "owner": 1 }),
        Index::on(names::PROJECTS, doc! { "members.user": 1 }),
        Index::on(names::PROJECTS, doc! { "workspace": 1 }),
        Index::on(names::TASKS, doc! { "project": 1, "status": 1 }),
        Index::on(names::TASKS, doc! { "assignee": 1 }),
        Index::on(names::TASKS, doc! { "workspace": 1 }),
        // The newest-first list; the columns of the board; those in them that have no place yet, by age.
        Index::on(
            names::TASKS,
            doc! { "project": 1, "createdAt": -1, "_id": -1 },
        ),
        Index::on(
            names::TASKS,
            doc! { "project": 1, "status": 1, "position": 1, "_id": 1 },
        ),
        Index::on(
            names::TASKS,
            doc! { "project": 1, "status": 1, "position": 1, "createdAt": -1, "_id": -1 },
        ),
        Index::on(names::CHANNELS, doc! { "project": 1, "createdAt": 1 }),
        Index::on(names::CHANNELS, doc! { "workspace": 1 }),
        Index::on(names::MESSAGES, doc! { "channel": 1, "_id": 1 }),
        Index::on(
            names::MESSAGES,
            doc! { "channel": 1, "sender": 1, "clientId": 1 },
        )
        .named("collabflow_client_id")
        .unique()
        .only(doc! { "clientId": text() }),
        Index::on(names::ONCE, doc! { KEPT_UNTIL: 1 }).forgets(),
        Index::on(names::GONE, doc! { KEPT_UNTIL: 1 }).forgets(),
        Index::on(names::CUT_OFF, doc! { KEPT_UNTIL: 1 }).forgets(),
    ]
}

/// Makes those that are not there.
pub(super) async fn ensure(db: &Db) -> Result<(), StoreError> {
    for index in all() {
        let model = IndexModel::builder()
            .keys(index.keys.clone())
            .options(index.options.clone())
            .build();
        let collection = db.collection(index.collection);
        // A large collection may take its time.
        if let Err(error) = collection.create_index(model).await {
            if matches!(error::refused(&error), StoreError::Unavailable(_)) {
                return Err(error::refused(&error));
            }
            warn(db, &index, &error).await;
        }
    }
    Ok(())
}

async fn warn(db: &Db, index: &Index, error: &mongodb::error::Error) {
    let doubles = doubles(db, index).await.unwrap_or_default();
    tracing::warn!(
        collection = index.collection,
        keys = %index.keys,
        documents = doubles,
        %error,
        "an index cannot be made: the server goes on without it; mend these documents and start again"
    );
}

/// The documents that stand in a unique index's way.
async fn doubles(db: &Db, index: &Index) -> Result<String, StoreError> {
    if index.options.unique != Some(true) {
        return Ok(String::new());
    }
    let group: Document = index
        .keys
        .keys()
        .map(|key| (key.replace('.', "_"), Bson::from(format!("${key}"))))
        .collect();
    let filter = index.options.partial_filter_expression.clone();
    let stages = [
        doc! { "$match": filter.unwrap_or_default() },
        doc! { "$group": { "_id": group, "ids": { "$push": "$_id" }, "count": { "$sum": 1 } } },
        doc! { "$match": { "count": { "$gt": 1 } } },
        doc! { "$limit": NAMED_MAX as i64 },
        doc! { "$project": { "ids": { "$slice": ["$ids", NAMED_MAX as i64] } } },
    ];
    let collection = db.collection(index.collection);
    let mut call = collection.aggregate(stages);
    if let Some(collation) = index.options.collation.clone() {
        call = call.collation(collation);
    }
    let found: Vec<Document> = db.read(async { call.await?.try_collect().await }).await?;
    let named = found.iter().map(|double| {
        let ids = double.list("ids").iter().filter_map(Bson::as_object_id);
        let ids: Vec<_> = ids.map(|id| id.to_hex()).collect();
        ids.join(" = ")
    });
    Ok(named.collect::<Vec<_>>().join(", "))
}
