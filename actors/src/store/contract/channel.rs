//! Channel documents.

use std::slice;

use collabflow_protocol::model::Channel;

use super::stage::{Stage, found, ok};

super::cases![
    a_channel_is_stored_as_it_was_made,
    a_channel_needs_its_project,
    channels_are_listed_oldest_first,
    a_deleted_channel_takes_its_messages_along,
];

async fn a_channel_is_stored_as_it_was_made(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let (id, now) = (stage.id(), stage.now());
    let name = "General".to_owned();
    let made = found(
        stage
            .store
            .create_channel(id, name.clone(), project.id, owner.id, now),
    )
    .await;
    let expected = Channel {
        id,
        name,
        project: Some(project.id),
        workspace: Some(project.workspace),
        created_by: Some(owner.into()),
        created_at: now,
        updated_at: now,
    };
    assert_eq!(made, expected);
    assert_eq!(found(stage.store.channel(id)).await, expected);
}

async fn a_channel_needs_its_project(stage: Stage) {
    let owner = stage.account("Ada").await;
    let name = "General".to_owned();
    let id = stage.id();
    let answer = stage
        .store
        .create_channel(id, name, stage.id(), owner.id, stage.now());
    assert_eq!(ok(answer).await, None);
    assert_eq!(ok(stage.store.channel(id)).await, None);
}

async fn channels_are_listed_oldest_first(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let other = stage.project(&owner).await;
    let mut list = Vec::new();
    for _ in 0..3 {
        list.push(stage.channel(&project, &owner).await);
        stage.channel(&other, &owner).await;
    }
    assert_eq!(ok(stage.store.channels(project.id)).await, list);
    assert_eq!(ok(stage.store.channels(stage.id())).await, []);
}

async fn a_deleted_channel_takes_its_messages_along(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let doomed = stage.channel(&project, &owner).await;
    let other = stage.channel(&project, &owner).await;
    stage.post(doomed.id, &owner, "doomed").await;
    let kept = stage.post(other.id, &owner, "kept").await;
    let deleted = found(stage.store.delete_channel(doomed.id)).await;
    assert_eq!(deleted, doomed);
    assert_eq!(ok(stage.store.channel(doomed.id)).await, None);
    assert_eq!(
        ok(stage.store.channels(project.id)).await,
        slice::from_ref(&other)
    );
    let page = found(stage.store.messages(doomed.id, 10, None)).await;
    assert_eq!(page.messages, []);
    let page = found(stage.store.messages(other.id, 10, None)).await;
    assert_eq!(page.messages, [kept]);
    assert_eq!(ok(stage.store.delete_channel(doomed.id)).await, None);
}
