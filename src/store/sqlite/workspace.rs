//! Workspaces, and the deletion of everything in one.

use collabflow_actors::store::Deleted;
use collabflow_protocol::{
    id::{UserId, WorkspaceId},
    model::{Extra, Role, Workspace},
    time::Timestamp,
};
use rusqlite::{Connection, Result, params};

use super::{
    channel, member, message, project,
    row::{self, Columns, all, one, run},
};

macro_rules! select_workspace {
    ($rest:literal) => {
        concat!(
            "SELECT w.id, w.name, w.owner, w.created_at, w.updated_at FROM workspaces w ",
            $rest
        )
    };
}

fn read(columns: &mut Columns<'_>) -> Result<Workspace> {
    Ok(Workspace {
        id: columns.id()?,
        name: columns.value()?,
        owner: columns.id()?,
        members: Vec::new(),
        created_at: columns.time()?,
        updated_at: columns.time()?,
        extra: Extra::default(),
    })
}

fn with_members(db: &Connection, workspace: Workspace) -> Result<Workspace> {
    Ok(Workspace {
        members: member::shown(db, workspace.id.0)?,
        ..workspace
    })
}

pub(super) fn find(db: &Connection, id: WorkspaceId) -> Result<Option<Workspace>> {
    let sql = select_workspace!("WHERE w.id = ?1");
    one(db, sql, [id.0.bytes()], read)?
        .map(|workspace| with_members(db, workspace))
        .transpose()
}

pub(super) fn exists(db: &Connection, id: WorkspaceId) -> Result<bool> {
    let sql = "SELECT 1 FROM workspaces WHERE id = ?1";
    row::exists(db, sql, [id.0.bytes()])
}

pub(super) fn of_user(db: &Connection, user: UserId) -> Result<Vec<Workspace>> {
    let sql = select_workspace!(
        "JOIN members m ON m.parent = w.id WHERE m.user = ?1 ORDER BY w.created_at, w.id"
    );
    all(db, sql, [user.0.bytes()], read)?
        .into_iter()
        .map(|workspace| with_members(db, workspace))
        .collect()
}

pub(super) fn create(
    db: &Connection,
    id: WorkspaceId,
    name: &str,
    owner: UserId,
    now: Timestamp,
) -> Result<Workspace> {
    let sql = "INSERT INTO workspaces (id, name, owner, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?4)";
    let params = params![id.0.bytes(), name, owner.0.bytes(), now.millis()];
    run(db, sql, params)?;
    member::put(db, id.0, owner, Role::Owner)?;
    let workspace = Workspace {
        id,
        name: name.to_owned(),
        owner,
        members: Vec::new(),
        created_at: now,
        updated_at: now,
        extra: Extra::default(),
    };
    with_members(db, workspace)
}

pub(super) fn rename(
    db: &Connection,
    id: WorkspaceId,
    name: &str,
    now: Timestamp,
) -> Result<Option<Workspace>> {
    let sql = "UPDATE workspaces SET name = ?2, updated_at = max(updated_at, ?3)
        WHERE id = ?1 AND name <> ?2";
    run(db, sql, params![id.0.bytes(), name, now.millis()])?;
    find(db, id)
}

/// Says that the members changed.
pub(super) fn touch(db: &Connection, id: WorkspaceId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE workspaces SET updated_at = max(updated_at, ?2) WHERE id = ?1";
    run(db, sql, params![id.0.bytes(), now.millis()]).map(drop)
}

pub(super) fn delete(db: &Connection, id: WorkspaceId) -> Result<Option<Deleted>> {
    let bytes = [id.0.bytes()];
    let mut deleted = Deleted::default();
    let sql = "SELECT id FROM projects WHERE workspace = ?1 ORDER BY created_at, id";
    for project in all(db, sql, bytes, |columns| columns.id())? {
        let inner = project::delete(db, project)?.unwrap_or_default();
        deleted.projects.extend(inner.projects);
        deleted.channels.extend(inner.channels);
    }
    let sql = "SELECT id FROM channels WHERE workspace = ?1 ORDER BY created_at, id";
    for channel in all(db, sql, bytes, |columns| columns.id())? {
        channel::delete(db, channel)?;
        deleted.channels.push((channel, None));
    }
    message::delete_all(db, id.0)?;
    member::delete_all(db, id.0)?;
    let is_deleted = run(db, "DELETE FROM workspaces WHERE id = ?1", bytes)? > 0;
    Ok(is_deleted.then_some(deleted))
}
