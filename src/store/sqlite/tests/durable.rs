use std::fs;

use collabflow_actors::store::{ONCE_WINDOW, Once, OnceKind};
use collabflow_protocol::{model::TaskDraft, validate::Unknown};

use super::*;

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let place = Place::new();
    let store = place.open();
    let made = ok(place.write(&store, "kept")).await;
    store.close().await;
    let store = place.open();
    let kept = ok(store.workspace(made.id)).await;
    assert_eq!(kept, Some(made));
}

/// A process that is killed leaves its files as they are: whatever was acknowledged must be in them.
#[tokio::test]
async fn what_was_acknowledged_is_in_the_files_at_any_time() {
    let place = Place::new();
    let store = place.open();
    let mut names = Vec::new();
    for number in 0..20 {
        names.push(number.to_string());
        ok(place.write(&store, &number.to_string())).await;
        if number % 5 != 0 {
            continue;
        }
        let copy = Place::new();
        for ending in ["", "-wal"] {
            let file = |place: &Place| format!("{}{ending}", place.path().display());
            fs::copy(file(&place), file(&copy)).expect("a file of the store");
        }
        assert_eq!(place.names(&copy.open()).await, names);
    }
}

#[tokio::test]
async fn closing_writes_what_waits() {
    let place = Place::new();
    let store = place.open();
    let (release, _) = block(&store);
    let writes: Vec<_> = (0..50)
        .map(|number| place.write(&store, &number.to_string()))
        .collect();
    drop(release);
    store.close().await;
    for write in writes {
        ok(write).await;
    }
    assert!(is_unavailable(&place.write(&store, "late").await));
    assert!(is_unavailable(&store.workspaces_of(owner()).await));
    store.close().await;
    let log = format!("{}-wal", place.path().display());
    assert!(!fs::exists(log).expect("a readable folder"));
    assert_eq!(place.names(&place.open()).await.len(), 50);
}

#[tokio::test]
async fn dropping_writes_what_waits() {
    let place = Place::new();
    let store = place.open();
    for number in 0..50 {
        drop(place.write(&store, &number.to_string()));
    }
    drop(store);
    assert_eq!(place.names(&place.open()).await.len(), 50);
}

#[tokio::test]
async fn keys_of_yesterday_are_forgotten() {
    let place = Place::new();
    let store = place.open();
    let workspace = ok(place.write(&store, "workspace")).await;
    let draft = ProjectDraft {
        name: "project".into(),
        description: None,
        workspace: workspace.id,
    };
    let project = ok(store.create_project(place.id(), draft, owner(), now())).await;
    let project = project.expect("its workspace is there");
    let today = now().millis();
    let day = i64::try_from(ONCE_WINDOW.as_millis()).expect("a day");
    for (key, at) in [
        ("old", today - day - 1),
        ("young", today - 1),
        ("new", today),
    ] {
        let body = serde_json::json!({ "title": key });
        let body = body.as_object().expect("an object");
        let new = NewTask {
            id: place.id(),
            project: project.id,
            draft: TaskDraft::parse(body, Unknown::Reject).expect("a title is enough"),
            subtask_ids: Vec::new(),
            creator: owner(),
            once: Some(Once {
                user: owner(),
                kind: OnceKind::Header,
                key: key.into(),
            }),
            now: Timestamp::from_millis(at).expect("a time of today"),
            random: 0,
        };
        ok(store.create_task(new)).await;
    }
    let keys: i64 =
        ok(store.read(|db| db.query_row("SELECT count(*) FROM once", [], |row| row.get(0)))).await;
    assert_eq!(keys, 2);
}

/// A disk that is full refuses writes, and loses nothing of what it acknowledged.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_keeps_what_it_has() {
    let place = Place::new();
    ok(place.write(&place.open(), "first")).await;
    let store = place.open_with(&Options {
        pages_max: Some(60),
        ..Options::default()
    });
    let long = "x".repeat(2_000);
    let mut kept = 1;
    let refusal = loop {
        match place.write(&store, &long).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1_000, "it never fills up");
    };
    assert!(is_unavailable::<()>(&Err(refusal)));
    assert_eq!(place.names(&store).await.len(), kept);
    ok(store.ping()).await;
    // A deletion makes room.
    let list = ok(store.workspaces_of(owner())).await;
    for workspace in &list[..kept / 2] {
        ok(store.delete_workspace(workspace.id)).await;
    }
    ok(place.write(&store, &long)).await;
    drop(store);
    let left = kept - kept / 2 + 1;
    assert_eq!(place.names(&place.open()).await.len(), left);
}

/// SQLite ends the whole transaction where the disk is full: nobody is told of a success that was undone by that.
#[tokio::test]
async fn a_full_disk_refuses_the_whole_group() {
    let place = Place::new();
    let store = place.open_with(&Options {
        pages_max: Some(60),
        ..Options::default()
    });
    ok(place.write(&store, "before")).await;
    let (release, blocked) = block(&store);
    let small = place.write(&store, "small");
    let large = place.write(&store, &"x".repeat(1_000_000));
    let late = place.write(&store, "late");
    drop(release);
    for answer in [small, large, late] {
        assert!(is_unavailable(&answer.await));
    }
    assert!(is_unavailable(&blocked.await));
    assert_eq!(place.names(&store).await, ["before"]);
    ok(place.write(&store, "after")).await;
    assert_eq!(place.names(&store).await, ["before", "after"]);
}
