//! What needs a real service beside us: MongoDB as a process of its own.

mod backplane;
mod clustered;
mod contract;
mod durable;
mod faults;
mod fixture;
mod interrupted;
mod mongod;
mod odd_documents;
mod old_database;
mod outage;
mod process;
mod queries;
mod redis;
mod secured;

use mongodb::bson::{Document, doc};

use mongod::{Deployment, Mongod};

async fn count(server: &Mongod) -> u64 {
    server
        .client()
        .await
        .database("test")
        .collection::<Document>("kept")
        .count_documents(doc! {})
        .await
        .expect("it answers")
}

async fn insert_durably(server: &Mongod) {
    let insert = doc! {
        "insert": "kept",
        "documents": [{ "_id": 1 }],
        "writeConcern": { "w": 1, "j": true },
    };
    server
        .client()
        .await
        .database("test")
        .run_command(insert)
        .await
        .expect("it takes writes");
}

#[tokio::test]
async fn a_standalone_server_keeps_what_it_has_over_a_crash() {
    let mut server = Mongod::start(Deployment::Standalone).await;
    insert_durably(&server).await;
    server.kill();
    server.restart().await;
    assert_eq!(count(&server).await, 1);
}

#[tokio::test]
async fn a_replica_set_takes_transactions_and_keeps_its_primary_over_a_crash() {
    let mut server = Mongod::start(Deployment::ReplicaSet).await;
    insert_durably(&server).await;
    let client = server.client().await;
    let kept = client.database("test").collection::<Document>("kept");
    let mut session = client.start_session().await.expect("it has sessions");
    session.start_transaction().await.expect("one at a time");
    kept.insert_one(doc! { "_id": 2 })
        .session(&mut session)
        .await
        .expect("it has transactions");
    session.abort_transaction().await.expect("it is open");
    server.restart().await;
    assert_eq!(count(&server).await, 1);
}

#[tokio::test]
async fn two_servers_beside_each_other_share_nothing() {
    let first = Mongod::start(Deployment::Standalone).await;
    let second = Mongod::start(Deployment::Standalone).await;
    insert_durably(&first).await;
    assert_eq!((count(&first).await, count(&second).await), (1, 0));
}
