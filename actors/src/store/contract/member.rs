//! Memberships: what a change comes to, and that an owner is always left.

use collabflow_protocol::{
    id::{ProjectId, WorkspaceId},
    model::{Member, Project, Role, User, Workspace},
};

use super::stage::{Stage, found, ok};
use crate::store::{
    MemberChange,
    MemberOutcome::{self, LastOwner, NotFound},
    Membered,
};

super::cases![
    a_new_member_is_a_member,
    members_stand_in_the_order_they_came,
    a_role_is_changed,
    a_member_without_a_wish_stays_what_it_is,
    a_member_is_removed,
    who_is_no_member_cannot_be_removed,
    what_is_not_there_has_no_members,
    a_user_that_exists_nowhere_is_shown_as_null,
    the_last_owner_stays,
    an_owner_beside_another_may_go,
    leaving_a_workspace_ends_the_memberships_in_its_projects,
    a_workspace_keeps_who_is_the_last_owner_of_a_project,
];

fn in_project(outcome: MemberOutcome) -> Project {
    match outcome {
        MemberOutcome::Project(project) => *project,
        other => panic!("no project: {other:?}"),
    }
}

fn in_workspace(outcome: MemberOutcome) -> (Workspace, Vec<ProjectId>) {
    match outcome {
        MemberOutcome::Workspace { after, left } => (*after, left),
        other => panic!("no workspace: {other:?}"),
    }
}

fn member(user: &User, role: Role) -> Member {
    Member {
        user: Some(user.clone()),
        role,
    }
}

async fn a_new_member_is_a_member(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let (ada, eve) = (stage.account("Ada").await, stage.account("Eve").await);
    let of = Membered::Project(project.id);
    let plain = MemberChange::Put(ada.id, None);
    in_project(stage.change(of, plain).await);
    let after = in_project(stage.put(of, &eve, Role::Viewer).await);
    let expected = [
        member(&owner, Role::Owner),
        member(&ada, Role::Member),
        member(&eve, Role::Viewer),
    ];
    assert_eq!(after.members, expected);
    assert!(after.updated_at > project.updated_at);
    assert_eq!(found(stage.store.project(project.id)).await, after);
    let of = Membered::Workspace(project.workspace);
    let (after, left) = in_workspace(stage.change(of, plain).await);
    assert_eq!(
        after.members,
        [member(&owner, Role::Owner), member(&ada, Role::Member)]
    );
    assert_eq!(left, []);
    assert_eq!(found(stage.store.workspace(after.id)).await, after);
}

async fn members_stand_in_the_order_they_came(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let of = Membered::Project(project.id);
    let mut people = vec![owner];
    // The latest to register is the first to join.
    let mut newcomers = Vec::new();
    for name in ["A", "B", "C", "D"] {
        newcomers.push(stage.account(name).await);
    }
    for user in newcomers.into_iter().rev() {
        stage.put(of, &user, Role::Member).await;
        people.push(user);
    }
    stage.put(of, &people[2], Role::Admin).await;
    let shown = found(stage.store.project(project.id)).await.members;
    let shown: Vec<_> = shown.into_iter().filter_map(|member| member.user).collect();
    assert_eq!(shown, people);
}

async fn a_role_is_changed(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    let of = Membered::Project(project.id);
    stage.put(of, &ada, Role::Viewer).await;
    let after = in_project(stage.put(of, &ada, Role::Admin).await);
    assert_eq!(after.members[1], member(&ada, Role::Admin));
    assert_eq!(after.members.len(), 2);
}

async fn a_member_without_a_wish_stays_what_it_is(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    for of in [
        Membered::Project(project.id),
        Membered::Workspace(project.workspace),
    ] {
        stage.change(of, MemberChange::Put(owner.id, None)).await;
        stage.put(of, &owner, Role::Owner).await;
    }
    assert_eq!(found(stage.store.project(project.id)).await, project);
}

async fn a_member_is_removed(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    let of = Membered::Project(project.id);
    stage.put(of, &ada, Role::Admin).await;
    let after = in_project(stage.remove(of, &ada).await);
    assert_eq!(after.members, [member(&owner, Role::Owner)]);
    assert_eq!(ok(stage.store.projects_of(ada.id, None)).await, []);
    assert_eq!(stage.remove(of, &ada).await, NotFound);
}

async fn who_is_no_member_cannot_be_removed(stage: Stage) {
    let (project, _) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    for of in [
        Membered::Project(project.id),
        Membered::Workspace(project.workspace),
    ] {
        assert_eq!(stage.remove(of, &ada).await, NotFound);
    }
}

async fn what_is_not_there_has_no_members(stage: Stage) {
    let ada = stage.account("Ada").await;
    for of in [
        Membered::Project(stage.id::<ProjectId>()),
        Membered::Workspace(stage.id::<WorkspaceId>()),
    ] {
        assert_eq!(stage.put(of, &ada, Role::Owner).await, NotFound);
        assert_eq!(stage.remove(of, &ada).await, NotFound);
    }
}

async fn a_user_that_exists_nowhere_is_shown_as_null(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ghost = User {
        id: stage.id(),
        ..owner
    };
    let of = Membered::Project(project.id);
    let after = in_project(stage.put(of, &ghost, Role::Member).await);
    assert_eq!(after.members[1].user, None);
    in_project(stage.remove(of, &ghost).await);
}

async fn the_last_owner_stays(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    for of in [
        Membered::Project(project.id),
        Membered::Workspace(project.workspace),
    ] {
        stage.put(of, &ada, Role::Admin).await;
        assert_eq!(stage.remove(of, &owner).await, LastOwner(None));
        assert_eq!(stage.put(of, &owner, Role::Admin).await, LastOwner(None));
    }
    let members = found(stage.store.project(project.id)).await.members;
    assert_eq!(members[0], member(&owner, Role::Owner));
}

async fn an_owner_beside_another_may_go(stage: Stage) {
    let (project, owner) = stage.owned_project().await;
    let ada = stage.account("Ada").await;
    let of = Membered::Project(project.id);
    stage.put(of, &ada, Role::Owner).await;
    let after = in_project(stage.put(of, &owner, Role::Viewer).await);
    assert_eq!(after.members[0], member(&owner, Role::Viewer));
    assert_eq!(stage.remove(of, &ada).await, LastOwner(None));
    in_project(stage.put(of, &owner, Role::Owner).await);
    let after = in_project(stage.remove(of, &ada).await);
    assert_eq!(after.members, [member(&owner, Role::Owner)]);
}

async fn leaving_a_workspace_ends_the_memberships_in_its_projects(stage: Stage) {
    let owner = stage.account("Owner").await;
    let ada = stage.account("Ada").await;
    let workspace = stage.workspace(&owner).await;
    let first = stage.project_in(&workspace, &owner).await;
    let second = stage.project_in(&workspace, &owner).await;
    let not_hers = stage.project_in(&workspace, &owner).await;
    let elsewhere = stage.project(&owner).await;
    stage
        .put(Membered::Workspace(workspace.id), &ada, Role::Member)
        .await;
    for project in [&first, &second, &elsewhere] {
        stage
            .put(Membered::Project(project.id), &ada, Role::Member)
            .await;
    }
    let outcome = stage.remove(Membered::Workspace(workspace.id), &ada).await;
    let (after, mut left) = in_workspace(outcome);
    assert_eq!(after.members, [member(&owner, Role::Owner)]);
    left.sort_unstable();
    assert_eq!(left, [first.id, second.id]);
    for project in [&first, &second, &not_hers] {
        let members = found(stage.store.project(project.id)).await.members;
        assert_eq!(members, [member(&owner, Role::Owner)]);
    }
    let hers: Vec<_> = ok(stage.store.projects_of(ada.id, None)).await;
    assert_eq!(hers.len(), 1);
    assert_eq!(hers[0].id, elsewhere.id);
}

async fn a_workspace_keeps_who_is_the_last_owner_of_a_project(stage: Stage) {
    let owner = stage.account("Owner").await;
    let ada = stage.account("Ada").await;
    let workspace = stage.workspace(&owner).await;
    let shared = stage.project_in(&workspace, &owner).await;
    let hers = stage.project_in(&workspace, &ada).await;
    let of = Membered::Workspace(workspace.id);
    stage.put(of, &ada, Role::Member).await;
    stage
        .put(Membered::Project(shared.id), &ada, Role::Member)
        .await;
    let refusal = LastOwner(Some((hers.id, hers.name.clone())));
    assert_eq!(stage.remove(of, &ada).await, refusal);
    let kept = found(stage.store.project(shared.id)).await.members;
    assert_eq!(kept[1], member(&ada, Role::Member));
    let kept = found(stage.store.workspace(workspace.id)).await.members;
    assert_eq!(kept[1], member(&ada, Role::Member));
    stage
        .put(Membered::Project(hers.id), &owner, Role::Owner)
        .await;
    let (_, mut left) = in_workspace(stage.remove(of, &ada).await);
    left.sort_unstable();
    assert_eq!(left, [shared.id, hers.id]);
}
