//! One file, several processes: each store here stands for one.

use std::thread;

use super::*;

#[tokio::test]
async fn two_stores_on_one_file_see_each_other() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    for round in 0..20 {
        let name = format!("{round}");
        let (a, b) = (place.write(&one, &name), place.write(&two, &name));
        let (a, b) = (ok(a).await, ok(b).await);
        assert_eq!(ok(two.workspace(a.id)).await, Some(a));
        assert_eq!(ok(one.workspace(b.id)).await, Some(b));
    }
    two.close().await;
    ok(place.write(&one, "alone")).await;
    assert_eq!(place.names(&one).await.len(), 41);
}

#[tokio::test]
async fn stores_that_open_at_once_make_one_file() {
    for _ in 0..5 {
        let place = Place::new();
        let stores: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| place.open())).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join();
            threads
                .into_iter()
                .map(|thread| join(thread).expect("it opens"))
                .collect()
        });
        for store in &stores {
            ok(place.write(store, "one each")).await;
        }
        assert_eq!(place.names(&stores[0]).await.len(), 4);
    }
}

#[tokio::test]
async fn a_file_that_is_kept_busy_refuses_writes_and_not_reads() {
    let place = Place::new();
    let store = place.open_with(&Options {
        busy_timeout: Duration::from_millis(20),
        ..Options::default()
    });
    ok(place.write(&store, "before")).await;
    let other = place.connection();
    other.execute_batch("BEGIN IMMEDIATE").expect("it is free");
    assert!(is_unavailable(&place.write(&store, "meanwhile").await));
    assert!(is_unavailable(&store.ping().await));
    assert_eq!(place.names(&store).await, ["before"]);
    other.execute_batch("COMMIT").expect("nothing to write");
    ok(place.write(&store, "after")).await;
    assert_eq!(place.names(&store).await, ["before", "after"]);
}
