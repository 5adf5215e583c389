//! Who may be in a room: of a project, of a workspace, of a channel however it came to be.

use collabflow_protocol::{
    id::{ChannelId, ProjectId, UserId, WorkspaceId},
    model::{Channel, Role},
};

use super::{
    Odd,
    stage::{Stage, found, ok},
};
use crate::store::{Access, Membered, Membership};

super::cases![
    a_project_is_open_to_its_members,
    a_workspace_is_open_to_its_members,
    a_channel_is_open_to_the_members_of_its_project,
    a_channels_own_members_come_first,
    a_channel_without_a_project_is_open_to_its_workspace,
    a_channel_without_anything_is_open_to_nobody,
    a_project_and_a_workspace_are_channels_too,
    what_is_not_there_is_open_to_nobody,
    a_role_that_is_not_known_counts_as_member,
];

async fn check(
    stage: &Stage,
    of: Access,
    workspace: Option<WorkspaceId>,
    roles: impl IntoIterator<Item = (UserId, Role)>,
) {
    let expected = Membership {
        roles: roles.into_iter().collect(),
        workspace,
    };
    assert_eq!(found(stage.store.membership(of)).await, expected, "{of:?}");
}

/// A channel as another program would store it.
async fn plant_channel(
    stage: &Stage,
    project: Option<ProjectId>,
    workspace: Option<WorkspaceId>,
    members: Vec<(UserId, Role)>,
) -> ChannelId {
    let now = stage.now();
    let document = Channel {
        id: stage.id(),
        name: "Old".into(),
        project,
        workspace,
        created_by: None,
        created_at: now,
        updated_at: now,
    };
    let id = document.id;
    let by = stage.id();
    stage
        .plant(Odd::Channel {
            document,
            by,
            members,
        })
        .await;
    id
}

async fn a_project_is_open_to_its_members(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    stage
        .put(Membered::Project(project.id), &ada, Role::Viewer)
        .await;
    let roles = [(owner.id, Role::Owner), (ada.id, Role::Viewer)];
    let of = Access::Project(project.id);
    check(&stage, of, Some(project.workspace), roles).await;
    let of = Access::Workspace(project.workspace);
    check(&stage, of, Some(project.workspace), [roles[0]]).await;
    stage.remove(Membered::Project(project.id), &ada).await;
    let of = Access::Project(project.id);
    check(&stage, of, Some(project.workspace), [roles[0]]).await;
}

async fn a_workspace_is_open_to_its_members(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    let workspace = project.workspace;
    stage
        .put(Membered::Workspace(workspace), &ada, Role::Admin)
        .await;
    let roles = [(owner.id, Role::Owner), (ada.id, Role::Admin)];
    let of = Access::Workspace(workspace);
    check(&stage, of, Some(workspace), roles).await;
    let of = Access::Project(project.id);
    check(&stage, of, Some(workspace), [roles[0]]).await;
}

async fn a_channel_is_open_to_the_members_of_its_project(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    let channel = stage.channel(&project, &owner).await;
    stage
        .put(Membered::Project(project.id), &ada, Role::Viewer)
        .await;
    let roles = [(owner.id, Role::Owner), (ada.id, Role::Viewer)];
    let of = Access::Channel(channel.id);
    check(&stage, of, Some(project.workspace), roles).await;
}

async fn a_channels_own_members_come_first(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    let own = vec![(ada.id, Role::Member)];
    let workspace = Some(project.workspace);
    let id = plant_channel(&stage, Some(project.id), workspace, own.clone()).await;
    check(&stage, Access::Channel(id), workspace, own).await;
    let id = plant_channel(&stage, Some(project.id), workspace, Vec::new()).await;
    let roles = [(owner.id, Role::Owner)];
    check(&stage, Access::Channel(id), workspace, roles).await;
}

async fn a_channel_without_a_project_is_open_to_its_workspace(stage: Stage) {
    let owner = stage.account("Owner").await;
    let workspace = stage.workspace(&owner).await;
    let id = plant_channel(&stage, None, Some(workspace.id), Vec::new()).await;
    let roles = [(owner.id, Role::Owner)];
    check(&stage, Access::Channel(id), Some(workspace.id), roles).await;
    let channel = found(stage.store.channel(id)).await;
    assert_eq!((channel.project, channel.created_by), (None, None));
    let deleted = found(stage.store.delete_workspace(workspace.id)).await;
    assert_eq!(deleted.channels, [(id, None)]);
    assert_eq!(ok(stage.store.channel(id)).await, None);
}

async fn a_channel_without_anything_is_open_to_nobody(stage: Stage) {
    let id = plant_channel(&stage, None, None, Vec::new()).await;
    check(&stage, Access::Channel(id), None, []).await;
}

async fn a_project_and_a_workspace_are_channels_too(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    let workspace = Some(project.workspace);
    stage
        .put(Membered::Workspace(project.workspace), &ada, Role::Member)
        .await;
    let owner = (owner.id, Role::Owner);
    let of = Access::Channel(ChannelId(project.id.0));
    check(&stage, of, workspace, [owner]).await;
    let of = Access::Channel(ChannelId(project.workspace.0));
    check(&stage, of, workspace, [owner, (ada.id, Role::Member)]).await;
}

async fn what_is_not_there_is_open_to_nobody(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    for of in [
        Access::Project(stage.id()),
        Access::Workspace(stage.id()),
        Access::Channel(stage.id()),
        Access::Project(ProjectId(project.workspace.0)),
        Access::Workspace(WorkspaceId(project.id.0)),
    ] {
        assert_eq!(ok(stage.store.membership(of)).await, None, "{of:?}");
    }
}

async fn a_role_that_is_not_known_counts_as_member(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let (ada, eve) = (stage.account("Ada").await, stage.account("Eve").await);
    for (user, role) in [(&ada, None), (&eve, Some("superuser".to_owned()))] {
        let of = Membered::Project(project.id);
        let user = user.id;
        stage.plant(Odd::Role { of, user, role }).await;
    }
    let roles = [
        (owner.id, Role::Owner),
        (ada.id, Role::Member),
        (eve.id, Role::Member),
    ];
    let of = Access::Project(project.id);
    check(&stage, of, Some(project.workspace), roles).await;
    let shown = found(stage.store.project(project.id)).await.members;
    assert_eq!((shown[1].role, shown[2].role), (Role::Member, Role::Member));
}
