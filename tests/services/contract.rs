//! The contract of stores, on a real MongoDB: alone, and as a replica set.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use collabflow::store::{MongoOptions, MongoStore};
use collabflow_actors::store::{
    Membered, Store,
    contract::{Odd, Subject, holds},
};
use futures_util::future::BoxFuture;
use mongodb::{
    Database,
    bson::{Bson, Document, doc, oid::ObjectId},
};

use crate::mongod::{Deployment, Mongod};

/// As the server connects by default, but patient.
pub(crate) fn options(server: &Mongod, database: &str) -> MongoOptions {
    MongoOptions {
        uri: server.uri_of(database),
        connect_timeout: Duration::from_secs(60),
        server_selection_timeout: Duration::from_secs(60),
        timeout: Duration::from_secs(60),
        pool_max: 10,
    }
}

struct Place {
    store: Arc<MongoStore>,
    database: Database,
}

impl Place {
    /// An empty database.
    async fn new(server: &Mongod, name: &str) -> Self {
        let store = MongoStore::connect(&options(server, name)).await;
        Self {
            store: Arc::new(store.expect("the server answers")),
            database: server.client().await.database(name),
        }
    }

    async fn update(&self, collection: &str, id: impl ToString, update: Document) {
        let id = ObjectId::parse_str(id.to_string()).expect("an id");
        let answer = self
            .database
            .collection::<Document>(collection)
            .update_one(doc! { "_id": id }, update)
            .await
            .expect("it answers");
        assert_eq!(answer.matched_count, 1);
    }

    async fn store_odd(&self, odd: Odd) {
        let oid = |id: &dyn ToString| ObjectId::parse_str(id.to_string()).expect("an id");
        match odd {
            Odd::Channel {
                document,
                by,
                members,
            } => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(user, role)| doc! { "user": oid(user), "role": role.as_str() })
                    .collect();
                let time = |millis| bson::DateTime::from_millis(millis);
                let channel = doc! {
                    "_id": oid(&document.id),
                    "name": document.name,
                    "project": document.project.map(|id| oid(&id)),
                    "workspace": document.workspace.map(|id| oid(&id)),
                    "members": members,
                    "createdBy": oid(&by),
                    "createdAt": time(document.created_at.millis()),
                    "updatedAt": time(document.updated_at.millis()),
                };
                let channels = self.database.collection("channels");
                channels.insert_one(channel).await.expect("it answers");
            }
            Odd::Words {
                task,
                status,
                priority,
            } => {
                let set = doc! { "status": status, "priority": priority };
                self.update("tasks", task, doc! { "$set": set }).await;
            }
            Odd::Position { task, position } => {
                let set = doc! { "position": position };
                self.update("tasks", task, doc! { "$set": set }).await;
            }
            Odd::Role { of, user, role } => {
                let mut member = doc! { "user": oid(&user) };
                member.extend(role.map(|role| ("role".to_owned(), Bson::from(role))));
                let push = doc! { "$push": { "members": member } };
                match of {
                    Membered::Workspace(id) => self.update("workspaces", id, push).await,
                    Membered::Project(id) => self.update("projects", id, push).await,
                }
            }
        }
    }
}

impl Subject for Place {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<MongoStore>::clone(&self.store)
    }

    fn plant(&self, odd: Odd) -> BoxFuture<'_, ()> {
        Box::pin(self.store_odd(odd))
    }
}

async fn hold_on(deployment: Deployment) {
    let server = Mongod::start(deployment).await;
    let count = AtomicU32::new(0);
    holds(async || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        Place::new(&server, &format!("case-{number}")).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_on_a_standalone_server() {
    hold_on(Deployment::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_on_a_replica_set() {
    hold_on(Deployment::ReplicaSet).await;
}
