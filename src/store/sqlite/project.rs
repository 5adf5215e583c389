//! Projects, and the deletion of everything in one.

use collabflow_actors::store::{Deleted, apply_project_patch};
use collabflow_protocol::{
    id::{ProjectId, UserId, WorkspaceId},
    model::{Extra, Project, ProjectDraft, ProjectPatch, Role},
    time::Timestamp,
};
use rusqlite::{Connection, Result, params};

use super::{
    channel, member, message,
    row::{self, Columns, all, one, run},
    workspace,
};

macro_rules! select_project {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.name, p.description, p.workspace, c.id, c.name, c.email, p.created_at,
                p.updated_at
            FROM projects p LEFT JOIN users c ON c.id = p.created_by ",
            $rest
        )
    };
}

fn read(columns: &mut Columns<'_>) -> Result<Project> {
    Ok(Project {
        id: columns.id()?,
        name: columns.value()?,
        description: columns.value()?,
        workspace: columns.id()?,
        members: Vec::new(),
        created_by: columns.user_brief()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        extra: Extra::default(),
    })
}

fn with_members(db: &Connection, project: Project) -> Result<Project> {
    Ok(Project {
        members: member::shown(db, project.id.0)?,
        ..project
    })
}

pub(super) fn find(db: &Connection, id: ProjectId) -> Result<Option<Project>> {
    let sql = select_project!("WHERE p.id = ?1");
    one(db, sql, [id.0.bytes()], read)?
        .map(|project| with_members(db, project))
        .transpose()
}

pub(super) fn exists(db: &Connection, id: ProjectId) -> Result<bool> {
    let sql = "SELECT 1 FROM projects WHERE id = ?1";
    row::exists(db, sql, [id.0.bytes()])
}

/// The workspace that a project belongs to.
pub(super) fn workspace_of(db: &Connection, id: ProjectId) -> Result<Option<WorkspaceId>> {
    let sql = "SELECT workspace FROM projects WHERE id = ?1";
    one(db, sql, [id.0.bytes()], |columns| columns.id())
}

pub(super) fn of_user(
    db: &Connection,
    user: UserId,
    workspace: Option<WorkspaceId>,
) -> Result<Vec<Project>> {
    let sql = select_project!(
        "JOIN members m ON m.parent = p.id
        WHERE m.user = ?1 AND (?2 IS NULL OR p.workspace = ?2) ORDER BY p.created_at, p.id"
    );
    let params = params![user.0.bytes(), workspace.map(|id| id.0.bytes())];
    all(db, sql, params, read)?
        .into_iter()
        .map(|project| with_members(db, project))
        .collect()
}

pub(super) fn create(
    db: &Connection,
    id: ProjectId,
    draft: &ProjectDraft,
    creator: UserId,
    now: Timestamp,
) -> Result<Option<Project>> {
    if !workspace::exists(db, draft.workspace)? {
        return Ok(None);
    }
    let sql = "INSERT INTO projects
            (id, name, description, workspace, created_by, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
    let params = params![
        id.0.bytes(),
        draft.name,
        draft.description,
        draft.workspace.0.bytes(),
        creator.0.bytes(),
        now.millis(),
    ];
    run(db, sql, params)?;
    member::put(db, id.0, creator, Role::Owner)?;
    find(db, id)
}

pub(super) fn update(
    db: &Connection,
    id: ProjectId,
    patch: ProjectPatch,
    now: Timestamp,
) -> Result<Option<(Project, Project)>> {
    let Some(before) = find(db, id)? else {
        return Ok(None);
    };
    let Some(after) = apply_project_patch(&before, patch, now) else {
        return Ok(Some((before.clone(), before)));
    };
    let sql = "UPDATE projects SET name = ?2, description = ?3, updated_at = ?4 WHERE id = ?1";
    let params = params![
        id.0.bytes(),
        after.name,
        after.description,
        after.updated_at.millis(),
    ];
    run(db, sql, params)?;
    Ok(Some((before, after)))
}

/// Says that the members changed.
pub(super) fn touch(db: &Connection, id: ProjectId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE projects SET updated_at = max(updated_at, ?2) WHERE id = ?1";
    run(db, sql, params![id.0.bytes(), now.millis()]).map(drop)
}

/// Its tasks go with it by their foreign key.
pub(super) fn delete(db: &Connection, id: ProjectId) -> Result<Option<Deleted>> {
    let mut deleted = Deleted {
        projects: vec![id],
        ..Deleted::default()
    };
    for channel in channel::of_project(db, id)? {
        channel::delete(db, channel.id)?;
        deleted.channels.push((channel.id, Some(id)));
    }
    message::delete_all(db, id.0)?;
    member::delete_all(db, id.0)?;
    let is_deleted = run(db, "DELETE FROM projects WHERE id = ?1", [id.0.bytes()])? > 0;
    Ok(is_deleted.then_some(deleted))
}
