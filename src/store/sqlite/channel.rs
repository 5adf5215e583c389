//! Channel documents.

use collabflow_protocol::{
    id::{ChannelId, ProjectId, UserId},
    model::Channel,
    time::Timestamp,
};
use rusqlite::{Connection, Result, params};

use super::{
    member, message, project,
    row::{Columns, all, one, run},
};

macro_rules! select_channel {
    ($rest:literal) => {
        concat!(
            "SELECT h.id, h.name, h.project, h.workspace, c.id, c.name, c.email, h.created_at,
                h.updated_at
            FROM channels h LEFT JOIN users c ON c.id = h.created_by ",
            $rest
        )
    };
}

fn read(columns: &mut Columns<'_>) -> Result<Channel> {
    Ok(Channel {
        id: columns.id()?,
        name: columns.value()?,
        project: columns.maybe_id()?,
        workspace: columns.maybe_id()?,
        created_by: columns.user_brief()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

pub(super) fn find(db: &Connection, id: ChannelId) -> Result<Option<Channel>> {
    let sql = select_channel!("WHERE h.id = ?1");
    one(db, sql, [id.0.bytes()], read)
}

pub(super) fn of_project(db: &Connection, project: ProjectId) -> Result<Vec<Channel>> {
    let sql = select_channel!("WHERE h.project = ?1 ORDER BY h.created_at, h.id");
    all(db, sql, [project.0.bytes()], read)
}

pub(super) fn create(
    db: &Connection,
    id: ChannelId,
    name: &str,
    project: ProjectId,
    creator: UserId,
    now: Timestamp,
) -> Result<Option<Channel>> {
    let Some(workspace) = project::workspace_of(db, project)? else {
        return Ok(None);
    };
    let sql = "INSERT INTO channels
            (id, name, project, workspace, created_by, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
    let params = params![
        id.0.bytes(),
        name,
        project.0.bytes(),
        workspace.0.bytes(),
        creator.0.bytes(),
        now.millis(),
    ];
    run(db, sql, params)?;
    find(db, id)
}

pub(super) fn delete(db: &Connection, id: ChannelId) -> Result<Option<Channel>> {
    let Some(channel) = find(db, id)? else {
        return Ok(None);
    };
    message::delete_all(db, id.0)?;
    member::delete_all(db, id.0)?;
    run(db, "DELETE FROM channels WHERE id = ?1", [id.0.bytes()])?;
    Ok(Some(channel))
}
