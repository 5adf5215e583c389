//! Projects.

use collabflow_protocol::{
    id::ChannelId,
    model::{Extra, Member, Project, ProjectDraft, ProjectPatch, Role},
};

use super::stage::{Stage, found, ok};
use crate::store::{Access, Membered, TaskQuery};

super::cases![
    a_project_begins_with_its_creator,
    a_project_needs_its_workspace,
    projects_are_listed_to_members_oldest_first,
    a_patch_changes_what_it_names,
    a_patch_that_changes_nothing_writes_nothing,
    people_are_shown_as_they_are_now,
    deleting_a_project_takes_everything_in_it,
    deleting_a_project_leaves_others_alone,
    a_project_that_is_not_there_is_none,
];

async fn a_project_begins_with_its_creator(stage: Stage) {
    let owner = stage.account("Ada").await;
    let workspace = stage.workspace(&owner).await;
    let draft = ProjectDraft {
        name: "Mill".into(),
        description: Some("Store and mill".into()),
        workspace: workspace.id,
    };
    let (id, now) = (stage.id(), stage.now());
    let made = found(stage.store.create_project(id, draft, owner.id, now)).await;
    let expected = Project {
        id,
        name: "Mill".into(),
        description: Some("Store and mill".into()),
        workspace: workspace.id,
        members: vec![Member {
            user: Some(owner.clone()),
            role: Role::Owner,
        }],
        created_by: Some(owner.into()),
        created_at: now,
        updated_at: now,
        extra: Extra::default(),
    };
    assert_eq!(made, expected);
    assert_eq!(found(stage.store.project(id)).await, expected);
}

async fn a_project_needs_its_workspace(stage: Stage) {
    let owner = stage.account("Ada").await;
    let draft = ProjectDraft {
        name: "Mill".into(),
        description: None,
        workspace: stage.id(),
    };
    let answer = stage
        .store
        .create_project(stage.id(), draft, owner.id, stage.now());
    assert_eq!(ok(answer).await, None);
    assert_eq!(ok(stage.store.projects_of(owner.id, None)).await, []);
}

async fn projects_are_listed_to_members_oldest_first(stage: Stage) {
    let (ada, eve) = (stage.account("Ada").await, stage.account("Eve").await);
    let workspace = stage.workspace(&ada).await;
    let first = stage.project_in(&workspace, &ada).await;
    let second = stage.project(&ada).await;
    let third = stage.project_in(&workspace, &ada).await;
    stage.project_in(&workspace, &eve).await;
    let list = async |of| -> Vec<_> {
        let list = ok(stage.store.projects_of(ada.id, of)).await;
        list.iter().map(|project| project.id).collect()
    };
    assert_eq!(list(None).await, [first.id, second.id, third.id]);
    assert_eq!(list(Some(workspace.id)).await, [first.id, third.id]);
    assert_eq!(list(Some(stage.id())).await, []);
}

async fn a_patch_changes_what_it_names(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let patch = ProjectPatch {
        name: None,
        description: Some(Some("New".into())),
        workspace: None,
    };
    let now = stage.now();
    let (before, after) = found(stage.store.update_project(project.id, patch, now)).await;
    assert_eq!(before, project);
    let described = Project {
        description: Some("New".into()),
        updated_at: now,
        ..project
    };
    assert_eq!(after, described);
    let patch = ProjectPatch {
        name: Some("Mill".into()),
        description: Some(None),
        workspace: None,
    };
    let now = stage.now();
    let (before, after) = found(stage.store.update_project(before.id, patch, now)).await;
    assert_eq!(before, described);
    let cleared = Project {
        name: "Mill".into(),
        description: None,
        updated_at: now,
        ..described
    };
    assert_eq!(after, cleared);
    assert_eq!(found(stage.store.project(before.id)).await, cleared);
}

async fn a_patch_that_changes_nothing_writes_nothing(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let patch = ProjectPatch {
        name: Some(project.name.clone()),
        description: Some(None),
        workspace: None,
    };
    let answer = stage.store.update_project(project.id, patch, stage.now());
    assert_eq!(found(answer).await, (project.clone(), project.clone()));
    assert_eq!(found(stage.store.project(project.id)).await, project);
}

async fn people_are_shown_as_they_are_now(stage: Stage) {
    let owner = stage.account("Ada").await;
    let ghost = stage.id();
    let workspace = stage.workspace(&owner).await;
    let draft = ProjectDraft {
        name: "Mill".into(),
        description: None,
        workspace: workspace.id,
    };
    let project = found(
        stage
            .store
            .create_project(stage.id(), draft, ghost, stage.now()),
    )
    .await;
    assert_eq!(project.created_by, None);
    assert_eq!(project.members[0].user, None);
    let known = collabflow_protocol::model::User { id: ghost, ..owner };
    ok(stage.store.remember(known.clone())).await;
    let project = found(stage.store.project(project.id)).await;
    assert_eq!(project.created_by, Some((&known).into()));
    assert_eq!(project.members[0].user, Some(known));
}

async fn deleting_a_project_takes_everything_in_it(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let channel = stage.channel(&project, &owner).await;
    let own = ChannelId(project.id.0);
    stage.post(channel.id, &owner, "to some").await;
    stage.post(own, &owner, "to all").await;
    let task = stage.task(&project, "task").await;
    let deleted = found(stage.store.delete_project(project.id)).await;
    assert_eq!(deleted.projects, [project.id]);
    assert_eq!(deleted.channels, [(channel.id, Some(project.id))]);
    assert_eq!(ok(stage.store.project(project.id)).await, None);
    assert_eq!(ok(stage.store.task(task.id)).await, None);
    assert_eq!(ok(stage.store.channels(project.id)).await, []);
    let tasks = ok(stage.store.tasks(project.id, TaskQuery::default())).await;
    assert_eq!(tasks.tasks, []);
    for gone in [
        Access::Project(project.id),
        Access::Channel(channel.id),
        Access::Channel(own),
    ] {
        assert_eq!(ok(stage.store.membership(gone)).await, None, "{gone:?}");
    }
    for gone in [channel.id, own] {
        let page = found(stage.store.messages(gone, 10, None)).await;
        assert_eq!(page.messages, []);
    }
    let in_workspace = Access::Workspace(project.workspace);
    assert!(ok(stage.store.membership(in_workspace)).await.is_some());
    assert_eq!(ok(stage.store.delete_project(project.id)).await, None);
}

async fn deleting_a_project_leaves_others_alone(stage: Stage) {
    let (doomed, owner) = stage.owned_project().await;
    let other = stage.project(&owner).await;
    let channel = stage.channel(&other, &owner).await;
    let message = stage.post(channel.id, &owner, "still here").await;
    let task = stage.task(&other, "task").await;
    found(stage.store.delete_project(doomed.id)).await;
    assert_eq!(found(stage.store.project(other.id)).await, other);
    assert_eq!(found(stage.store.task(task.id)).await, task);
    let page = found(stage.store.messages(channel.id, 10, None)).await;
    assert_eq!(page.messages, [message]);
    let change = stage.put(Membered::Project(doomed.id), &owner, Role::Admin);
    assert_eq!(change.await, crate::store::MemberOutcome::NotFound);
}

async fn a_project_that_is_not_there_is_none(stage: Stage) {
    assert_eq!(ok(stage.store.project(stage.id())).await, None);
    let patch = ProjectPatch::default();
    let update = stage.store.update_project(stage.id(), patch, stage.now());
    assert_eq!(ok(update).await, None);
    assert_eq!(ok(stage.store.delete_project(stage.id())).await, None);
}
