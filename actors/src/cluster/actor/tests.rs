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
    cluster::Joined,
    key::RoomKey,
    node::Node,
    room::fixture::settings,
    store::memory::MemoryStore,
};

/// A backplane with nobody else on it, which notes what is said.
#[derive(Default)]
struct Noting(Mutex<Vec<String>>);

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

    fn pass(&self, _: RoomKey, _: Bytes) {}

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

    fn clear(&self, _: Table) {}
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

/// What had come for it and was not handed on yet was lost with it, and nobody knew.
#[tokio::test]
async fn the_actor_that_follows_a_broken_one_finds_out_what_was_missed() {
    let backplane = Arc::new(Noting::default());
    let (sender, incoming) = mpsc::unbounded_channel();
    let joined = Joined {
        backplane: Arc::clone(&backplane) as _,
        incoming,
        name: "one".into(),
    };
    let store = Arc::new(MemoryStore::new());
    let node = Node::start_joined(store, settings(), Some(joined)).await;
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
