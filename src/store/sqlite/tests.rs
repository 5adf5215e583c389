use super::*;

fn id(n: u8) -> collabflow_protocol::id::ObjectId {
    collabflow_protocol::id::ObjectId::from_bytes([n; 12])
}

#[tokio::test]
async fn smoke() {
    let dir = tempfile::tempdir().expect("a folder");
    let store =
        SqliteStore::open(&dir.path().join("x/collabflow.db"), &Options::default()).expect("opens");
    store.ping().await.expect("pings");
    let now = Timestamp::from_millis(5).expect("time");
    let w = store
        .create_workspace(WorkspaceId(id(1)), "w".into(), UserId(id(2)), now)
        .await
        .expect("made");
    assert_eq!(w.members.len(), 1);
    let p = store
        .create_project(
            ProjectId(id(3)),
            ProjectDraft {
                name: "p".into(),
                description: None,
                workspace: w.id,
            },
            UserId(id(2)),
            now,
        )
        .await
        .expect("made");
    assert_eq!(store.project(ProjectId(id(3))).await.expect("read"), p);
    store.close().await;
    assert!(store.ping().await.is_err());
}
