//! Who leaves a workspace leaves its projects: one transaction where the deployment has them, else an intent that a
//! restart takes up.

use collabflow_actors::store::{MemberChange, MemberOutcome, MemberStep, StoreError, member_step};
use collabflow_protocol::{
    id::{ProjectId, UserId, WorkspaceId},
    time::Timestamp,
};
use mongodb::bson::{Document, doc};

use super::{
    db::{Db, names},
    fields::{Fields, oid},
    intent::Intent,
    member,
    operation::Operation,
    roster,
    together::{self, Write},
    workspace,
};

/// Who leaves what, and when.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    pub(super) workspace: WorkspaceId,
    pub(super) user: UserId,
    pub(super) now: Timestamp,
}

/// One attempt: the workspace as it is after it, or why not; `None` where somebody came between.
pub(super) async fn leave(
    db: &Db,
    operation: &mut Operation,
    before: &Document,
    leaving: Leaving,
    left: &mut Vec<ProjectId>,
) -> Result<Option<Result<Document, MemberOutcome>>, StoreError> {
    let projects = projects_of(db, leaving).await?;
    for project in &projects {
        let step = member_step(&roster::roles(project), MemberChange::Remove(leaving.user));
        if step == MemberStep::LastOwner {
            let name = project.owned("name").unwrap_or_default();
            let last = project.id("_id").map(|id| (id, name));
            ended(db, operation).await?;
            return Ok(Some(Err(MemberOutcome::LastOwner(last))));
        }
    }
    for id in projects.iter().filter_map(|project| project.id("_id")) {
        if !left.contains(&id) {
            left.push(id);
        }
    }
    let mut writes: Vec<_> = projects
        .into_iter()
        .map(|one| without(one, leaving))
        .collect();
    let is_in_steps = !db.is_replicated() && !writes.is_empty();
    writes.push(leave_workspace(before.clone(), leaving));
    let intent = if is_in_steps {
        Some(Intent::to_leave(db, operation, leaving).await?)
    } else {
        None
    };
    if !together::write(db, operation, writes).await? {
        return Ok(None);
    }
    if let Some(intent) = intent {
        intent.forget(db, operation).await?;
    }
    let after = db
        .find(names::WORKSPACES, doc! { "_id": before.get("_id") })
        .await?;
    Ok(Some(after.ok_or(MemberOutcome::NotFound)))
}

/// Nothing is left for a restart to take up of what an earlier try of this operation has written down.
pub(super) async fn ended(db: &Db, operation: &mut Operation) -> Result<(), StoreError> {
    if db.is_replicated() || !operation.has_tried() {
        return Ok(());
    }
    Intent::of(operation).forget(db, operation).await
}

/// Ends what was begun; `false` where somebody came between.
pub(super) async fn finish(
    db: &Db,
    operation: &mut Operation,
    leaving: Leaving,
) -> Result<bool, StoreError> {
    let projects = projects_of(db, leaving).await?;
    let mut writes: Vec<_> = projects
        .into_iter()
        .map(|one| without(one, leaving))
        .collect();
    writes.extend(
        workspace::find_stored(db, leaving.workspace)
            .await?
            .filter(|workspace| roster::roles(workspace).contains_key(&leaving.user))
            .map(|workspace| leave_workspace(workspace, leaving)),
    );
    together::write(db, operation, writes).await
}

fn without(project: Document, leaving: Leaving) -> Write {
    leave_group(names::PROJECTS, project, leaving)
}

fn leave_workspace(workspace: Document, leaving: Leaving) -> Write {
    leave_group(names::WORKSPACES, workspace, leaving)
}

fn leave_group(collection: &'static str, before: Document, leaving: Leaving) -> Write {
    let list = roster::without(&before, leaving.user);
    Write::Update {
        collection,
        update: member::list_update(&before, list, leaving.now),
        before,
        guards: &member::GUARDS,
    }
}

async fn projects_of(db: &Db, leaving: Leaving) -> Result<Vec<Document>, StoreError> {
    let mut filter = roster::has_member(leaving.user);
    filter.insert("workspace", oid(leaving.workspace));
    let collection = db.collection(names::PROJECTS);
    let call = collection
        .find(filter)
        .sort(doc! { "createdAt": 1, "_id": 1 });
    db.list(call).await
}
