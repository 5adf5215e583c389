//! Memberships: of workspaces, projects and, where another program made them, of channels.

use std::collections::HashMap;

use collabflow_actors::store::{
    Access, MemberChange, MemberOutcome, MemberStep, Membered, Membership, member_step,
};
use collabflow_protocol::{
    id::{ChannelId, ObjectId, ProjectId, UserId, WorkspaceId},
    model::{Member, Role},
    time::Timestamp,
};
use rusqlite::{Connection, Result, params};

use super::{
    project,
    row::{Columns, all, exists, one, run},
    workspace,
};

/// A role that is missing or not known counts as `member`.
fn role(columns: &mut Columns<'_>) -> Result<Role> {
    let name = columns.value::<Option<String>>()?;
    Ok(name
        .as_deref()
        .and_then(Role::named)
        .unwrap_or(Role::Member))
}

/// The members as they are shown, in the order they came.
pub(super) fn shown(db: &Connection, parent: ObjectId) -> Result<Vec<Member>> {
    let sql = "SELECT u.id, u.name, u.email, u.avatar, m.role
        FROM members m LEFT JOIN users u ON u.id = m.user WHERE m.parent = ?1 ORDER BY m.seq";
    all(db, sql, [parent.bytes()], |columns| {
        Ok(Member {
            user: columns.user()?,
            role: role(columns)?,
        })
    })
}

fn roles(db: &Connection, parent: ObjectId) -> Result<HashMap<UserId, Role>> {
    let sql = "SELECT user, role FROM members WHERE parent = ?1";
    let list = all(db, sql, [parent.bytes()], |columns| {
        Ok((columns.id()?, role(columns)?))
    })?;
    Ok(list.into_iter().collect())
}

/// Whether a user is a member, whatever its role.
pub(super) fn is_member(db: &Connection, parent: ObjectId, user: UserId) -> Result<bool> {
    let sql = "SELECT 1 FROM members WHERE parent = ?1 AND user = ?2";
    exists(db, sql, params![parent.bytes(), user.0.bytes()])
}

/// Adds a member, or changes its role.
pub(super) fn put(db: &Connection, parent: ObjectId, user: UserId, role: Role) -> Result<()> {
    let sql = "INSERT INTO members (parent, user, role) VALUES (?1, ?2, ?3)
        ON CONFLICT (parent, user) DO UPDATE SET role = ?3";
    let params = params![parent.bytes(), user.0.bytes(), role.as_str()];
    run(db, sql, params).map(drop)
}

fn remove(db: &Connection, parent: ObjectId, user: UserId) -> Result<()> {
    let sql = "DELETE FROM members WHERE parent = ?1 AND user = ?2";
    run(db, sql, params![parent.bytes(), user.0.bytes()]).map(drop)
}

/// Forgets the members of what is deleted.
pub(super) fn delete_all(db: &Connection, parent: ObjectId) -> Result<()> {
    let sql = "DELETE FROM members WHERE parent = ?1";
    run(db, sql, [parent.bytes()]).map(drop)
}

pub(super) fn change(
    db: &Connection,
    of: Membered,
    change: MemberChange,
    now: Timestamp,
) -> Result<MemberOutcome> {
    match of {
        Membered::Workspace(id) => change_workspace(db, id, change, now),
        Membered::Project(id) => change_project(db, id, change, now),
    }
}

fn change_project(
    db: &Connection,
    id: ProjectId,
    change: MemberChange,
    now: Timestamp,
) -> Result<MemberOutcome> {
    match member_step(&roles(db, id.0)?, change) {
        MemberStep::NotMember => return Ok(MemberOutcome::NotFound),
        MemberStep::LastOwner => return Ok(MemberOutcome::LastOwner(None)),
        MemberStep::Nothing => {}
        MemberStep::Remove(user) => remove_from_project(db, id, user, now)?,
        MemberStep::Put(user, role) => {
            // A project that is not there has no members, and gets none.
            if !project::exists(db, id)? {
                return Ok(MemberOutcome::NotFound);
            }
            put(db, id.0, user, role)?;
            project::touch(db, id, now)?;
        }
    }
    Ok(
        project::find(db, id)?.map_or(MemberOutcome::NotFound, |project| {
            MemberOutcome::Project(Box::new(project))
        }),
    )
}

fn remove_from_project(db: &Connection, id: ProjectId, user: UserId, now: Timestamp) -> Result<()> {
    remove(db, id.0, user)?;
    project::touch(db, id, now)
}

fn change_workspace(
    db: &Connection,
    id: WorkspaceId,
    change: MemberChange,
    now: Timestamp,
) -> Result<MemberOutcome> {
    let mut left = Vec::new();
    match member_step(&roles(db, id.0)?, change) {
        MemberStep::NotMember => return Ok(MemberOutcome::NotFound),
        MemberStep::LastOwner => return Ok(MemberOutcome::LastOwner(None)),
        MemberStep::Nothing => {}
        MemberStep::Remove(user) => {
            for (project, name) in projects_of_member(db, id, user)? {
                if member_step(&roles(db, project.0)?, change) == MemberStep::LastOwner {
                    return Ok(MemberOutcome::LastOwner(Some((project, name))));
                }
                left.push(project);
            }
            for project in &left {
                remove_from_project(db, *project, user, now)?;
            }
            remove(db, id.0, user)?;
            workspace::touch(db, id, now)?;
        }
        MemberStep::Put(user, role) => {
            if !exists(db, "SELECT 1 FROM workspaces WHERE id = ?1", [id.0.bytes()])? {
                return Ok(MemberOutcome::NotFound);
            }
            put(db, id.0, user, role)?;
            workspace::touch(db, id, now)?;
        }
    }
    Ok(
        workspace::find(db, id)?.map_or(MemberOutcome::NotFound, |after| {
            MemberOutcome::Workspace {
                after: Box::new(after),
                left,
            }
        }),
    )
}

fn projects_of_member(
    db: &Connection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Vec<(ProjectId, String)>> {
    let sql = "SELECT p.id, p.name FROM projects p JOIN members m ON m.parent = p.id
        WHERE p.workspace = ?1 AND m.user = ?2 ORDER BY p.created_at, p.id";
    let params = params![workspace.0.bytes(), user.0.bytes()];
    all(db, sql, params, |columns| {
        Ok((columns.id()?, columns.value()?))
    })
}

pub(super) fn membership(db: &Connection, of: Access) -> Result<Option<Membership>> {
    let place = match of {
        Access::Project(id) => Place::project(db, id)?,
        Access::Workspace(id) => Place::workspace(db, id)?,
        Access::Channel(id) => Place::channel(db, id)?,
    };
    let Some(Place { parent, workspace }) = place else {
        return Ok(None);
    };
    let roles = roles(db, parent)?;
    Ok(Some(Membership { roles, workspace }))
}

/// Whose members count, and in which workspace.
struct Place {
    parent: ObjectId,
    workspace: Option<WorkspaceId>,
}

impl Place {
    fn project(db: &Connection, id: ProjectId) -> Result<Option<Self>> {
        let workspace = project::workspace_of(db, id)?;
        Ok(workspace.map(|workspace| Self {
            parent: id.0,
            workspace: Some(workspace),
        }))
    }

    fn workspace(db: &Connection, id: WorkspaceId) -> Result<Option<Self>> {
        Ok(workspace::exists(db, id)?.then_some(Self {
            parent: id.0,
            workspace: Some(id),
        }))
    }

    fn channel(db: &Connection, id: ChannelId) -> Result<Option<Self>> {
        let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM members WHERE parent = h.id) THEN h.id
                ELSE coalesce(h.project, h.workspace, h.id) END, coalesce(h.workspace, p.workspace)
            FROM channels h LEFT JOIN projects p ON p.id = h.project WHERE h.id = ?1";
        let of_document = one(db, sql, [id.0.bytes()], |columns| {
            Ok(Self {
                parent: columns.id()?,
                workspace: columns.maybe_id()?,
            })
        })?;
        if of_document.is_some() {
            return Ok(of_document);
        }
        match Self::project(db, ProjectId(id.0))? {
            None => Self::workspace(db, WorkspaceId(id.0)),
            project => Ok(project),
        }
    }
}
