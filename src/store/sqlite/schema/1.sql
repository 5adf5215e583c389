CREATE TABLE users (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT,
    email_key TEXT, -- the email in lower case
    avatar TEXT,
    renamed INTEGER NOT NULL -- whether the name is the user's own, and not its claims'
) STRICT, WITHOUT ROWID;
CREATE INDEX users_by_email ON users (email_key, id);

CREATE TABLE accounts (
    email TEXT PRIMARY KEY,
    user BLOB NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workspaces (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    owner BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT,
    workspace BLOB NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    created_by BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX projects_by_workspace ON projects (workspace);

CREATE TABLE members (
    seq INTEGER PRIMARY KEY, -- the order in which they are shown
    parent BLOB NOT NULL, -- a workspace, project or channel
    user BLOB NOT NULL,
    role TEXT,
    UNIQUE (parent, user)
) STRICT;
CREATE INDEX members_by_user ON members (user, parent);

CREATE TABLE tasks (
    id BLOB PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    assignee BLOB,
    project BLOB NOT NULL REFERENCES projects ON DELETE CASCADE,
    workspace BLOB NOT NULL,
    due_date INTEGER,
    subtasks TEXT NOT NULL, -- JSON, as labels
    labels TEXT NOT NULL,
    created_by BLOB NOT NULL,
    position TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tasks_by_column ON tasks (project, status, position, id);
CREATE INDEX tasks_by_age ON tasks (project, created_at, id);

CREATE TABLE once (
    user BLOB NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    task BLOB NOT NULL,
    made TEXT NOT NULL, -- JSON: the task as it was made
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user, kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX once_by_age ON once (created_at);

CREATE TABLE channels (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    project BLOB REFERENCES projects ON DELETE CASCADE,
    workspace BLOB REFERENCES workspaces ON DELETE CASCADE,
    created_by BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX channels_by_project ON channels (project, created_at, id);
CREATE INDEX channels_by_workspace ON channels (workspace);

CREATE TABLE messages (
    channel BLOB NOT NULL, -- a channel's id, or a project's or workspace's own
    id BLOB NOT NULL,
    sender BLOB NOT NULL,
    content TEXT NOT NULL,
    client_id TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (channel, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX messages_by_client_id ON messages (channel, sender, client_id)
    WHERE client_id IS NOT NULL;
