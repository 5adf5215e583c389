//! Workspaces.

use collabflow_protocol::model::{Extra, Member, Role, Workspace};

use super::stage::{Stage, found, ok, time};
use crate::store::{Access, Membered};

super::cases![
    a_workspace_begins_with_its_owner,
    workspaces_are_listed_to_members_oldest_first,
    a_workspace_is_renamed,
    a_name_that_is_the_same_writes_nothing,
    deleting_a_workspace_takes_everything_in_it,
    deleting_a_workspace_leaves_others_alone,
    a_workspace_that_is_not_there_is_none,
];

async fn a_workspace_begins_with_its_owner(stage: Stage) {
    let owner = stage.account("Ada").await;
    let (id, now) = (stage.id(), stage.now());
    let made = ok(stage
        .store
        .create_workspace(id, "Engines".into(), owner.id, now))
    .await;
    let expected = Workspace {
        id,
        name: "Engines".into(),
        owner: owner.id,
        members: vec![Member {
            user: Some(owner),
            role: Role::Owner,
        }],
        created_at: now,
        updated_at: now,
        extra: Extra::default(),
    };
    assert_eq!(made, expected);
    assert_eq!(found(stage.store.workspace(id)).await, expected);
}

async fn workspaces_are_listed_to_members_oldest_first(stage: Stage) {
    let (ada, eve) = (stage.account("Ada").await, stage.account("Eve").await);
    let make = |at| {
        let name = "Workspace".to_owned();
        ok(stage.store.create_workspace(stage.id(), name, ada.id, at))
    };
    let now = stage.now().millis();
    let (young, old) = (make(time(now)).await.id, make(time(now - 1)).await.id);
    let twin = make(time(now)).await.id;
    let foreign = stage.workspace(&eve).await.id;
    let list = async |user| -> Vec<_> {
        let list = ok(stage.store.workspaces_of(user)).await;
        list.iter().map(|workspace| workspace.id).collect()
    };
    assert_eq!(list(ada.id).await, [old, young, twin]);
    assert_eq!(list(eve.id).await, [foreign]);
    stage
        .put(Membered::Workspace(foreign), &ada, Role::Viewer)
        .await;
    assert_eq!(list(ada.id).await, [old, young, twin, foreign]);
    assert_eq!(list(stage.id()).await, []);
}

async fn a_workspace_is_renamed(stage: Stage) {
    let owner = stage.account("Ada").await;
    let before = stage.workspace(&owner).await;
    let now = stage.now();
    let after = found(stage.store.rename_workspace(before.id, "New".into(), now)).await;
    let expected = Workspace {
        name: "New".into(),
        updated_at: now,
        ..before
    };
    assert_eq!(after, expected);
    assert_eq!(found(stage.store.workspace(after.id)).await, expected);
}

async fn a_name_that_is_the_same_writes_nothing(stage: Stage) {
    let owner = stage.account("Ada").await;
    let before = stage.workspace(&owner).await;
    let name = before.name.clone();
    let answer = stage.store.rename_workspace(before.id, name, stage.now());
    assert_eq!(found(answer).await, before);
}

async fn deleting_a_workspace_takes_everything_in_it(stage: Stage) {
    let owner = stage.account("Ada").await;
    let workspace = stage.workspace(&owner).await;
    let first = stage.project_in(&workspace, &owner).await;
    let second = stage.project_in(&workspace, &owner).await;
    let channel = stage.channel(&second, &owner).await;
    let task = stage.task(&first, "task").await;
    let own = collabflow_protocol::id::ChannelId(workspace.id.0);
    stage.post(own, &owner, "to all").await;
    let mut deleted = found(stage.store.delete_workspace(workspace.id)).await;
    deleted.projects.sort_unstable();
    assert_eq!(deleted.projects, [first.id, second.id]);
    assert_eq!(deleted.channels, [(channel.id, Some(second.id))]);
    assert_eq!(ok(stage.store.workspace(workspace.id)).await, None);
    assert_eq!(ok(stage.store.project(first.id)).await, None);
    assert_eq!(ok(stage.store.channel(channel.id)).await, None);
    assert_eq!(ok(stage.store.task(task.id)).await, None);
    assert_eq!(ok(stage.store.workspaces_of(owner.id)).await, []);
    assert_eq!(ok(stage.store.projects_of(owner.id, None)).await, []);
    for gone in [
        Access::Workspace(workspace.id),
        Access::Project(second.id),
        Access::Channel(channel.id),
        Access::Channel(own),
    ] {
        assert_eq!(ok(stage.store.membership(gone)).await, None, "{gone:?}");
    }
    let messages = found(stage.store.messages(own, 10, None)).await;
    assert_eq!(messages.messages, []);
    assert_eq!(ok(stage.store.delete_workspace(workspace.id)).await, None);
}

async fn deleting_a_workspace_leaves_others_alone(stage: Stage) {
    let owner = stage.account("Ada").await;
    let (doomed, other) = (stage.workspace(&owner).await, stage.workspace(&owner).await);
    let project = stage.project_in(&other, &owner).await;
    let task = stage.task(&project, "task").await;
    found(stage.store.delete_workspace(doomed.id)).await;
    assert_eq!(found(stage.store.workspace(other.id)).await, other);
    assert_eq!(found(stage.store.project(project.id)).await, project);
    assert_eq!(found(stage.store.task(task.id)).await, task);
}

async fn a_workspace_that_is_not_there_is_none(stage: Stage) {
    assert_eq!(ok(stage.store.workspace(stage.id())).await, None);
    let rename = stage
        .store
        .rename_workspace(stage.id(), "New".into(), stage.now());
    assert_eq!(ok(rename).await, None);
    assert_eq!(ok(stage.store.delete_workspace(stage.id())).await, None);
}
