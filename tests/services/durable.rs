//! What is answered is on disk, and on most members of a replica set: every write asks for it.

use collabflow::store::MongoStore;
use mongodb::bson::{Document, doc};

use crate::{
    contract::options,
    mongod::{Deployment, Mongod},
    queries::{ask_for_everything, profile},
};

/// What is asked for by each write of which the profiler keeps that.
async fn concerns(deployment: Deployment) -> Vec<Document> {
    let server = Mongod::start(deployment).await;
    let store = MongoStore::connect(&options(&server, "durable")).await;
    let store = store.expect("it opens");
    let database = server.client().await.database("durable");
    let level = |level| database.run_command(doc! { "profile": level });
    level(2).await.expect("it answers");
    ask_for_everything(&store).await;
    level(0).await.expect("it answers");
    let operations = profile(&database).await;
    let writes = operations.iter().filter_map(|one| {
        let command = one.get_document("command").ok()?;
        // In a transaction it is its commit that asks.
        let is_write = ["findAndModify", "findandmodify", "insert"]
            .iter()
            .any(|name| command.contains_key(name));
        (is_write && !command.contains_key("autocommit")).then(|| {
            command
                .get_document("writeConcern")
                .cloned()
                .unwrap_or_default()
        })
    });
    writes.collect()
}

#[tokio::test]
async fn every_write_of_a_standalone_server_is_on_disk() {
    let concerns = concerns(Deployment::Standalone).await;
    assert!(concerns.len() > 10, "{}", concerns.len());
    for concern in concerns {
        assert_eq!(concern.get_bool("j").ok(), Some(true), "{concern}");
    }
}

#[tokio::test]
async fn every_write_of_a_replica_set_is_on_most_members() {
    let concerns = concerns(Deployment::ReplicaSet).await;
    assert!(concerns.len() > 10, "{}", concerns.len());
    for concern in concerns {
        assert_eq!(concern.get_str("w").ok(), Some("majority"), "{concern}");
        assert_eq!(concern.get_bool("j").ok(), Some(true), "{concern}");
    }
}
