//! Changes of several documents that a crash of this server had interrupted are ended by the next start.

use collabflow::store::MongoStore;
use collabflow_actors::store::{Access, Store};
use collabflow_protocol::{
    id::{ObjectId, ProjectId, WorkspaceId},
    model::Role,
};
use mongodb::{
    Database,
    bson::{Bson, DateTime, Document, doc, oid},
};

use crate::{
    contract::options,
    mongod::{Deployment, Mongod},
};

fn id(n: u8) -> oid::ObjectId {
    oid::ObjectId::from_bytes([n; 12])
}

async fn insert(database: &Database, collection: &str, documents: Vec<Document>) {
    let collection = database.collection(collection);
    collection.insert_many(documents).await.expect("it answers");
}

async fn count(database: &Database, collection: &str) -> u64 {
    let collection = database.collection::<Document>(collection);
    let count = collection.count_documents(doc! {}).await;
    count.expect("it answers")
}

/// A workspace (1) with two projects (2, 3), each with a task and a channel with a message, and users 8 and 9 in all.
async fn plant(database: &Database) {
    let members = || {
        vec![
            doc! { "user": id(8), "role": "owner" },
            doc! { "user": id(9), "role": "member" },
        ]
    };
    let group =
        |n: u8| doc! { "_id": id(n), "name": "g", "workspace": id(1), "members": members() };
    insert(database, "workspaces", vec![group(1)]).await;
    insert(database, "projects", vec![group(2), group(3)]).await;
    let within = |n: u8, project: u8| doc! { "_id": id(n), "project": id(project) };
    insert(database, "tasks", vec![within(20, 2), within(30, 3)]).await;
    insert(database, "channels", vec![within(21, 2), within(31, 3)]).await;
    let message = |n: u8, channel: u8| doc! { "_id": id(n), "channel": id(channel) };
    let messages = vec![
        message(22, 21),
        message(32, 31),
        message(23, 2),
        message(11, 1),
    ];
    insert(database, "messages", messages).await;
}

async fn interrupted(intent: Document) -> (Mongod, Database, MongoStore) {
    let server = Mongod::start(Deployment::Standalone).await;
    let database = server.client().await.database("interrupted");
    plant(&database).await;
    let mut intent = intent;
    intent.extend(doc! { "_id": id(99), "at": DateTime::from_millis(0) });
    insert(&database, "collabflow_intents", vec![intent]).await;
    let store = MongoStore::connect(&options(&server, "interrupted")).await;
    assert_eq!(count(&database, "collabflow_intents").await, 0);
    (server, database, store.expect("it opens"))
}

#[tokio::test]
async fn a_deletion_goes_on() {
    let ids = |ids: [u8; 2]| Bson::from(ids.map(id).to_vec());
    let intent = doc! {
        "kind": "removal", "workspace": id(1), "projects": ids([2, 3]), "channels": ids([21, 31]),
    };
    let (_server, database, _) = interrupted(intent).await;
    for collection in ["workspaces", "projects", "tasks", "channels", "messages"] {
        assert_eq!(count(&database, collection).await, 0, "{collection}");
    }
}

#[tokio::test]
async fn a_deletion_of_one_project_leaves_the_other_alone() {
    let intent = doc! {
        "kind": "removal", "workspace": null, "projects": [id(2)], "channels": [id(21)],
    };
    let (_server, database, _) = interrupted(intent).await;
    for collection in ["workspaces", "projects", "tasks", "channels"] {
        assert_eq!(count(&database, collection).await, 1, "{collection}");
    }
    assert_eq!(count(&database, "messages").await, 2);
}

#[tokio::test]
async fn leaving_a_workspace_goes_on() {
    let intent = doc! { "kind": "leaving", "workspace": id(1), "user": id(9) };
    let (_server, _, store) = interrupted(intent).await;
    let one = |n: u8| ObjectId::from_bytes([n; 12]);
    let groups = [
        Access::Workspace(WorkspaceId(one(1))),
        Access::Project(ProjectId(one(2))),
        Access::Project(ProjectId(one(3))),
    ];
    for access in groups {
        let membership = store.membership(access).await.expect("it answers");
        let roles = membership.expect("it is there").roles;
        let left: Vec<_> = roles.into_iter().collect();
        assert_eq!(left, [(one(8).into(), Role::Owner)], "{access:?}");
    }
}
