use futures_util::future::join_all;

use collabflow_actors::{node::Node, store::memory::MemoryStore};
use collabflow_protocol::model::Extra;

use super::{super::writer, *};
use crate::{config::Config, telemetry::metrics};

#[tokio::test]
async fn writes_that_wait_share_one_commit() {
    let place = Place::new();
    let store = place.open();
    let (release, blocked) = block(&store);
    let before = store.commits();
    let writes: Vec<_> = (0..200)
        .map(|number| place.write(&store, &number.to_string()))
        .collect();
    drop(release);
    for answer in join_all(writes).await {
        answer.expect("the store answers");
    }
    ok(blocked).await;
    // What came while the first ran is in its group.
    assert_eq!(store.commits() - before, 1);
    assert_eq!(place.names(&store).await.len(), 200);
}

#[tokio::test]
async fn a_write_that_fails_or_panics_is_undone_alone() {
    let place = Place::new();
    let store = place.open();
    let (release, _) = block(&store);
    let first = place.write(&store, "first");
    let failed = store.write(|db| {
        db.execute(
            "INSERT INTO once VALUES (x'00', 'a', 'a', x'00', '', 0)",
            [],
        )?;
        db.execute("INSERT INTO workspaces (id) VALUES (NULL)", [])
    });
    let panicked = store.write(|db| -> rusqlite::Result<()> {
        db.execute(
            "INSERT INTO once VALUES (x'01', 'a', 'a', x'00', '', 0)",
            [],
        )?;
        panic!("a fault of ours");
    });
    let last = place.write(&store, "last");
    drop(release);
    ok(first).await;
    assert!(matches!(failed.await, Err(StoreError::Failed(_))));
    assert!(matches!(panicked.await, Err(StoreError::Failed(_))));
    ok(last).await;
    assert_eq!(place.names(&store).await, ["first", "last"]);
    let left: i64 =
        ok(store.read(|db| db.query_row("SELECT count(*) FROM once", [], |row| row.get(0)))).await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_writer_that_breaks_under_traffic_loses_no_acknowledged_write_and_goes_on() {
    metrics::install();
    let node = Node::start(
        Arc::new(MemoryStore::new()),
        Config::defaults().engine_settings(),
    )
    .await;
    let place = Place::new();
    let store = place.open();
    let mut stored = Vec::new();
    for round in 0..5 {
        let (release, _) = block(&store);
        let write = |number| place.write(&store, &format!("{round}-{number}"));
        let mut writes: Vec<_> = (0..10).map(write).collect();
        // Outside of a savepoint, as no write of ours is.
        let broken: writer::Job = Box::new(|_| panic!("a test breaks the writer"));
        store.writer.send(broken).expect("there is room");
        writes.extend((10..20).map(write));
        drop(release);
        for answer in join_all(writes).await {
            match answer {
                Ok(workspace) => stored.push(workspace.name),
                Err(error) => assert!(matches!(error, StoreError::Unknown(_)), "{error}"),
            }
        }
        stored.push(ok(place.write(&store, &format!("{round}-next"))).await.name);
    }
    let mut names = place.names(&store).await;
    names.sort();
    stored.sort();
    assert_eq!(names, stored);
    let numbers = metrics::render(&node).expect("the numbers are ours");
    // They are the process's, and another test breaks a writer too.
    let line = "collabflow_actor_restarts_total{kind=\"store_writer\"} ";
    let count = numbers
        .lines()
        .find_map(|it| it.strip_prefix(line)?.parse().ok());
    assert!(count >= Some(5), "{numbers}");
}

/// SQLite ends a transaction by itself after some errors: nobody may be told of a success that was undone.
#[tokio::test]
async fn a_group_whose_transaction_ends_early_is_refused_whole() {
    let place = Place::new();
    let store = place.open();
    let (release, blocked) = block(&store);
    let first = place.write(&store, "first");
    let ended = store.write(|db| db.execute_batch("ROLLBACK"));
    let last = place.write(&store, "last");
    drop(release);
    for answer in [first, last] {
        assert!(is_unavailable(&answer.await));
    }
    assert!(is_unavailable(&ended.await));
    assert!(is_unavailable(&blocked.await));
    ok(place.write(&store, "after")).await;
    assert_eq!(place.names(&store).await, ["after"]);
}

#[tokio::test]
async fn a_group_whose_commit_fails_is_refused_whole() {
    let place = Place::new();
    let store = place.open();
    let (release, _) = block(&store);
    let first = place.write(&store, "first");
    // A reference that leads nowhere, which is looked at by the commit alone.
    let broken = store.write(|db| {
        db.execute_batch(
            "PRAGMA defer_foreign_keys = ON;
            INSERT INTO projects VALUES (x'00', 'p', NULL, x'00', x'00', 0, 0);",
        )
    });
    let last = place.write(&store, "last");
    drop(release);
    for answer in [first, last] {
        assert!(answer.await.is_err());
    }
    assert!(broken.await.is_err());
    ok(place.write(&store, "after")).await;
    assert_eq!(place.names(&store).await, ["after"]);
}

/// All of them break more often than there are of them.
#[tokio::test]
async fn readers_that_break_go_on() {
    let place = Place::new();
    let store = place.open();
    ok(place.write(&store, "kept")).await;
    for _ in 0..20 {
        let broken: reader::Job = Box::new(|_| panic!("a test breaks a reader"));
        store.readers.send(broken).expect("there is room");
    }
    assert_eq!(place.names(&store).await, ["kept"]);
}

#[tokio::test]
async fn a_read_that_panics_is_alone_in_that() {
    let place = Place::new();
    let store = place.open();
    for _ in 0..2 * Options::default().readers {
        let read = store.read(|_| -> rusqlite::Result<()> { panic!("a fault of ours") });
        assert!(matches!(read.await, Err(StoreError::Failed(_))));
    }
    assert_eq!(place.names(&store).await, [""; 0]);
}

#[tokio::test]
async fn a_full_queue_refuses_and_writes_nothing() {
    let place = Place::new();
    let store = place.open_with(&Options {
        queue: 2,
        ..Options::default()
    });
    let (release, _) = block(&store);
    let [first, second, third] = ["first", "second", "third"].map(|name| place.write(&store, name));
    assert!(is_unavailable(&third.await));
    drop(release);
    ok(first).await;
    ok(second).await;
    assert_eq!(place.names(&store).await, ["first", "second"]);
    ok(place.write(&store, "fourth")).await;
}

#[tokio::test]
async fn reads_do_not_wait_for_the_writer() {
    let place = Place::new();
    let store = place.open();
    ok(place.write(&store, "here")).await;
    let (release, blocked) = block(&store);
    let waiting = place.write(&store, "not yet");
    assert_eq!(place.names(&store).await, ["here"]);
    drop(release);
    ok(blocked).await;
    ok(waiting).await;
    assert_eq!(place.names(&store).await, ["here", "not yet"]);
}

#[tokio::test]
async fn a_read_sees_one_state_from_its_begin_to_its_end() {
    let place = Place::new();
    let store = place.open();
    ok(place.write(&store, "before")).await;
    let (write, is_written) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let read = store.read(move |db| {
        let first = workspace::of_user(db, owner())?;
        begun.send(()).expect("the test waits");
        is_written.recv().ok();
        Ok((first, workspace::of_user(db, owner())?))
    });
    has_begun.recv().expect("it is read");
    ok(place.write(&store, "meanwhile")).await;
    drop(write);
    let (first, second) = ok(read).await;
    assert_eq!(first, second);
    assert_eq!(place.names(&store).await, ["before", "meanwhile"]);
}

#[tokio::test]
async fn a_known_user_that_connects_writes_nothing() {
    let place = Place::new();
    let store = place.open();
    let other = place.connection();
    let changes = || -> i64 {
        other
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .expect("it is always known")
    };
    let user = User {
        id: owner(),
        name: "Ada".into(),
        email: Some("ada@example.com".into()),
        avatar: None,
        extra: Extra::default(),
    };
    let nothing = changes();
    ok(store.remember(user.clone())).await;
    let once = changes();
    assert_ne!(once, nothing);
    ok(store.remember(user.clone())).await;
    ok(store.ping()).await;
    assert_eq!(changes(), once);
}
