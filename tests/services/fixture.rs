//! A database of the Node backend as Mongoose wrote it, with the oddities of years: what the tests of the store start
//! from. `mongoose/dump.mjs` makes it and says what is odd about which document.

use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::{Document, doc},
};

use crate::mongod::{Deployment, Mongod};

/// The documents of each collection, as they are stored.
fn documents() -> Vec<(String, Vec<Document>)> {
    let json: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(include_str!("fixture.json")).expect("the fixture is JSON");
    json.into_iter()
        .map(|(collection, documents)| (collection, parse(documents)))
        .collect()
}

/// Puts them into an empty database.
pub(crate) async fn load(database: &Database) {
    for (collection, documents) in documents() {
        database
            .collection::<Document>(&collection)
            .insert_many(documents)
            .await
            .expect("the server takes what Mongoose wrote");
    }
}

fn parse(documents: serde_json::Value) -> Vec<Document> {
    let serde_json::Value::Array(documents) = documents else {
        panic!("a collection is a list");
    };
    documents
        .into_iter()
        .map(|json| match bson::Bson::try_from(json) {
            Ok(bson::Bson::Document(document)) => document,
            other => panic!("a document in extended JSON: {other:?}"),
        })
        .collect()
}

async fn stored(database: &Database, collection: &str) -> Vec<Document> {
    database
        .collection::<Document>(collection)
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .await
        .expect("it answers")
        .try_collect()
        .await
        .expect("it answers to the end")
}

async fn count(collection: &Collection<Document>, filter: Document) -> u64 {
    collection
        .count_documents(filter)
        .await
        .expect("it answers")
}

#[tokio::test]
async fn what_mongoose_wrote_is_read_back_as_it_was() {
    let server = Mongod::start(Deployment::Standalone).await;
    let database = server.client().await.database("test");
    load(&database).await;
    let mut names = Vec::new();
    for (collection, documents) in documents() {
        assert_eq!(
            stored(&database, &collection).await,
            documents,
            "{collection}"
        );
        names.push(collection);
    }
    names.sort_unstable();
    let expected = [
        "channels",
        "messages",
        "projects",
        "tasks",
        "users",
        "workspaces",
    ];
    assert_eq!(names, expected);
}

/// What the store has to put up with is there, each as the type that Mongoose stores.
#[tokio::test]
async fn the_fixture_has_the_oddities_of_an_old_database() {
    let server = Mongod::start(Deployment::Standalone).await;
    let database = server.client().await.database("test");
    load(&database).await;
    let odd = [
        ("tasks", doc! { "version": { "$exists": true } }, 0),
        ("tasks", doc! { "position": { "$exists": true } }, 0),
        (
            "tasks",
            doc! { "project": { "$not": { "$type": "objectId" } } },
            0,
        ),
        ("tasks", doc! { "createdAt": { "$type": "date" } }, 4),
        ("tasks", doc! { "createdAt": { "$exists": false } }, 1),
        ("tasks", doc! { "status": { "$exists": false } }, 1),
        ("tasks", doc! { "subtasks._id": { "$type": "objectId" } }, 1),
        ("tasks", doc! { "estimate": { "$exists": true } }, 1),
        ("projects", doc! { "members": { "$exists": false } }, 1),
        (
            "projects",
            doc! { "members": { "$elemMatch": { "role": { "$exists": false } } } },
            1,
        ),
        ("projects", doc! { "createdBy": { "$exists": false } }, 2),
        ("workspaces", doc! { "members": { "$exists": false } }, 1),
        (
            "users",
            doc! { "password": { "$regex": "^\\$2b\\$10\\$" } },
            3,
        ),
        ("messages", doc! { "clientId": { "$exists": true } }, 0),
    ];
    for (collection, filter, expected) in odd {
        let found = count(&database.collection(collection), filter.clone()).await;
        assert_eq!(found, expected, "{collection} {filter}");
    }
}
