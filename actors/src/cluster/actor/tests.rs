//! The actor that breaks.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::ready};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    backplane::{Answer, Append, Appended, Backplane, BackplaneError, Incoming, Table, Tail, Tops},
    cluster::{
        Joined,
        word::{NodeSays, NodeWord},
    },
    id::{NodeId, PrivateId, SessionId},
    key::RoomKey,
    node::Node,
    room::fixture::{PROJECT, settings, user},
    session::record::SessionRecord,
    store::memory::MemoryStore,
};

/// A backplane with nobody else on it, which notes what is said.
#[derive(Default)]
struct Noting(Mutex<Vec<String>>, Mutex<Vec<String>>);

impl Noting {
    fn hellos(&self) -> usize {
        let said = self.0.lock();
        said.iter().filter(|word| word.contains("Hello")).count()
    }
}

fn done<T: Send + 'static>(answer: T) -> Answer<T> {
    ready(Ok(answer)).boxed()
}

impl Backplane for Noting {
    fn ping(&self) -> Answer<()> {
        done(())
    }

    fn subscribe(&self, _: RoomKey) -> Answer<()> {
        done(())
    }

    fn unsubscribe(&self, _: RoomKey) {}

    fn append(&self, _: Append) -> Answer<Appended> {
        ready(Err(BackplaneError::Away("it keeps nothing".into()))).boxed()
    }

    fn since(&self, _: RoomKey, _: u64) -> Answer<Tail> {
        done(Tail {
            top: None,
            began: None,
            entries: Vec::new(),
        })
    }

    fn tops(&self, rooms: Vec<RoomKey>) -> Answer<Tops> {
        done(Tops {
            stamp: 0,
            tops: vec![None; rooms.len()],
        })
    }

    fn pass(&self, _: RoomKey, payload: Bytes) {
        let word = String::from_utf8_lossy(&payload).into_owned();
        self.1.lock().push(word);
    }

    fn say(&self, payload: Bytes) {
        let word = String::from_utf8_lossy(&payload).into_owned();
        self.0.lock().push(word);
    }

    fn put(&self, _: Table, _: String, _: Option<Bytes>) {}

    fn take(&self, _: Table, _: String) -> Answer<Option<Bytes>> {
        done(None)
    }

    fn all(&self, _: Table) -> Answer<Vec<(String, Bytes)>> {
        done(Vec::new())
    }

    fn keep(&self, _: Vec<Table>) {}
}

async fn eventually(holds: impl Fn() -> bool) {
    let looking = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let seen = timeout(Duration::from_secs(30), looking).await;
    seen.expect("it comes to that");
}

async fn joined() -> (Arc<Noting>, mpsc::UnboundedSender<Incoming>, Node) {
    let backplane = Arc::new(Noting::default());
    let (sender, incoming) = mpsc::unbounded_channel();
    let joined = Joined {
        backplane: Arc::clone(&backplane) as _,
        incoming,
        name: "one".into(),
    };
    let store = Arc::new(MemoryStore::new());
    let node = Node::start_joined(store, settings(), Some(joined)).await;
    (backplane, sender, node)
}

/// What had come for it and was not handed on yet was lost with it, and nobody knew.
#[tokio::test]
async fn the_actor_that_follows_a_broken_one_finds_out_what_was_missed() {
    let (backplane, sender, node) = joined().await;
    sender.send(Incoming::Up).expect("it is read");
    eventually(|| backplane.hellos() == 1).await;
    let cluster = node.registry.cluster().expect("it is joined");
    cluster.break_actor();
    eventually(|| node.broken_actors() == 1 && backplane.hellos() == 2).await;
    sender.send(Incoming::Down).expect("it is read");
    eventually(|| !cluster.is_up()).await;
    cluster.break_actor();
    eventually(|| node.broken_actors() == 2).await;
    sender.send(Incoming::Up).expect("it is read");
    eventually(|| cluster.is_up() && backplane.hellos() == 3).await;
    node.stop().await;
}

/// It was among the living no more, and not among those who are gone until the grace was over.
#[tokio::test(start_paused = true)]
async fn a_session_may_come_back_as_soon_as_its_node_has_ended() {
    let (backplane, sender, node) = joined().await;
    let cluster = node.registry.cluster().expect("it is joined");
    let window = settings().recovery_window;
    sleep(window * 2).await;
    sender.send(Incoming::Up).expect("it is read");
    eventually(|| backplane.hellos() == 1).await;
    let other = NodeId::random();
    let says = |says| {
        let (by, name) = (other, "other".into());
        let word = serde_json::to_vec(&NodeWord { by, name, says }).expect("JSON");
        let _ = sender.send(Incoming::Said(word.into()));
    };
    let record = SessionRecord {
        id: SessionId::random(),
        user: user(1).id,
        pid: PrivateId::random(),
        former_pid: None,
        node: other,
        can_recover: true,
        rooms: Vec::new(),
        left: None,
    };
    assert!(
        !cluster.may_return(&record, window),
        "nobody knows its node"
    );
    says(NodeSays::Hello);
    eventually(|| cluster.may_return(&record, window)).await;
    says(NodeSays::Bye);
    eventually(|| cluster.nodes.lock().is_alone()).await;
    assert!(cluster.may_return(&record, window));
    node.stop().await;
}

#[tokio::test]
async fn who_is_here_is_said_once_for_all_of_them() {
    let (backplane, _sender, node) = joined().await;
    let cluster = node.registry.cluster().expect("it is joined");
    let users = (1..4).map(|n| (*user(n)).clone()).collect();
    cluster.mark_all(RoomKey::Project(PROJECT), users);
    assert_eq!(backplane.1.lock().len(), 1);
    node.stop().await;
}
