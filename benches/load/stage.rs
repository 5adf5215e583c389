//! The binary with its data: one channel, and everybody a member of it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context as _;
use collabflow::{
    auth::Tokens,
    config::{Config, Secret},
    store::{Options, SqliteStore},
};
use collabflow_actors::{
    id::{IdSource, now},
    store::{MemberChange, Membered, Store},
};
use collabflow_protocol::{
    id::{ChannelId, UserId},
    model::{Extra, ProjectDraft, User, UserBrief},
};
use futures_util::future::try_join_all;
use tempfile::TempDir;

/// The variable that names another binary to measure.
const BINARY: &str = "COLLABFLOW_BIN";
const SECRET: &str = "the secret of the benches, long enough";
/// Longer than any run.
const TOKEN_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// What a server needs to know, and its clients.
pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) channel: ChannelId,
    /// One token a member.
    pub(crate) tokens: Vec<String>,
}

impl Stage {
    /// A channel with so many members, in a new store.
    pub(crate) async fn set(members: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = Config::defaults();
        let tokens = Tokens::new(&Secret::new(SECRET), &config.auth);
        let (ids, now) = (IdSource::default(), now());
        let users: Vec<UserBrief> = (0..members)
            .map(|n| UserBrief {
                id: ids.next(),
                name: format!("Member {n}"),
                email: Some(format!("member{n}@example.com")),
            })
            .collect();

        let store = SqliteStore::open(&folder.path().join("collabflow.db"), &Options::default())?;
        try_join_all(users.iter().map(|user| store.remember(known(user)))).await?;
        let owner: UserId = users.first().context("at least one member")?.id;
        let workspace = store.create_workspace(ids.next(), "Bench".into(), owner, now);
        let draft = ProjectDraft {
            name: "Bench".into(),
            description: None,
            workspace: workspace.await?.id,
        };
        let project = store.create_project(ids.next(), draft, owner, now).await?;
        let project = project.context("the workspace is there")?.id;
        let of = Membered::Project(project);
        try_join_all(users.iter().skip(1).map(|user| {
            let change = MemberChange::Put(user.id, None);
            store.change_member(of, change, now)
        }))
        .await?;
        let channel = store.create_channel(ids.next(), "general".into(), project, owner, now);
        let channel = channel.await?.context("the project is there")?.id;
        store.close().await;

        let tokens = users
            .iter()
            .map(|user| tokens.issue_for(user, TOKEN_TTL))
            .collect();
        Ok(Self {
            folder,
            channel,
            tokens,
        })
    }

    /// The binary over this data: the one that was built for this bench, or the one that [`BINARY`] names.
    pub(crate) fn collabflow(&self) -> Command {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_collabflow"));
        self.collabflow_of(&std::env::var_os(BINARY).map_or(built, PathBuf::from))
    }

    /// Another build of the binary over the same data.
    pub(crate) fn collabflow_of(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        command
            .envs(self.env())
            // The server would take it for a setting.
            .env_remove(BINARY)
            .env("RUST_LOG", "error")
            .env("DATA_DIR", self.folder.path())
            // A bench may look at connections that have not joined for as long as it likes.
            .env("COLLABFLOW_LIMITS__CONNECT_TIMEOUT", "1h");
        command
    }

    /// What any server is told.
    pub(crate) fn env(&self) -> [(&'static str, &'static str); 2] {
        [("PORT", "0"), ("JWT_SECRET", SECRET)]
    }
}

fn known(brief: &UserBrief) -> User {
    User {
        id: brief.id,
        name: brief.name.clone(),
        email: brief.email.clone(),
        avatar: None,
        extra: Extra::default(),
    }
}
