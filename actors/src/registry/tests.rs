//! Rooms that come and go with those who need them.

use std::time::Duration;

use collabflow_protocol::{id::ObjectId, id::ProjectId};
use tokio::{sync::oneshot, time::sleep};

use crate::{
    key::RoomKey,
    node::Node,
    room::{RoomMessage, fixture::settings},
    store::memory::MemoryStore,
};

/// The room's calls to its log held its address too, which was not counted: no room was retired any more, and each that
/// nobody was in looked for ever, without a pause, whether it may go.
#[tokio::test(start_paused = true)]
async fn a_room_that_nobody_is_in_is_retired() {
    let node = Node::start(std::sync::Arc::new(MemoryStore::new()), settings()).await;
    let key = RoomKey::Project(ProjectId(ObjectId::from_bytes([1; 12])));
    let (done, told) = oneshot::channel();
    node.registry.room(key).send(RoomMessage::Resync(done));
    told.await.expect("the room is there");
    assert!(node.registry.find(key).is_some());
    sleep(Duration::from_secs(10)).await;
    assert!(node.registry.find(key).is_none());
    node.stop().await;
}
