//! `collabflow demo`: two users, a workspace, a project with tasks in all four columns and a channel, to try things with.
//!
//! It writes through the store like anybody else, so a server may run on the same data. What is there already is left
//! as it is: a second run adds nothing.

mod sample;

use std::fmt;

use anyhow::Context;
use collabflow_actors::{
    id::{IdSource, now},
    store::{MemberChange, Membered, NewAccount, NewMessage, NewTask, Store, TaskQuery},
};
use collabflow_protocol::{
    id::{ChannelId, ProjectId, SubtaskId, UserId, WorkspaceId},
    model::{Label, MessageDraft, ProjectDraft, SubtaskDraft, TaskDraft, User},
    time::Timestamp,
};

use sample::{SAMPLES, Sample};

use crate::{auth::Passwords, config::Config, store::Opened};

const PASSWORD: &str = "collabflow-demo";
const USERS: [(&str, &str); 2] = [("Ada", "ada@demo.example"), ("Grace", "grace@demo.example")];
const WORKSPACE: &str = "Demo workspace";
const PROJECT: &str = "Demo project";
const CHANNEL: &str = "general";
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// What can be used now.
pub struct Demo {
    place: String,
    workspace: WorkspaceId,
    project: ProjectId,
    channel: ChannelId,
}

impl fmt::Display for Demo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The demo is ready in {}.", self.place)?;
        writeln!(f, "\nLogins, for POST /api/auth/login:")?;
        for (name, email) in USERS {
            writeln!(f, "  {name:<6} {email:<20} password: {PASSWORD}")?;
        }
        writeln!(f, "\nworkspace {}", self.workspace)?;
        writeln!(f, "project   {}", self.project)?;
        writeln!(f, "channel   {}", self.channel)
    }
}

/// Fills the store.
///
/// # Errors
/// When the store cannot be opened or written.
pub async fn run(config: &Config) -> anyhow::Result<Demo> {
    let place = config.place();
    let opened = Opened::open(&place).await?;
    let filler = Filler {
        store: &*opened.store(),
        passwords: Passwords::new(config.password_scheme()),
        ids: IdSource::default(),
        now: now(),
    };
    let (workspace, project, channel) = filler.fill().await?;
    opened.close().await;
    Ok(Demo {
        place: place.to_string(),
        workspace,
        project,
        channel,
    })
}

struct Filler<'a> {
    store: &'a dyn Store,
    passwords: Passwords,
    ids: IdSource,
    now: Timestamp,
}

impl Filler<'_> {
    async fn fill(&self) -> anyhow::Result<(WorkspaceId, ProjectId, ChannelId)> {
        let ada = self.user(USERS[0]).await?.id;
        let grace = self.user(USERS[1]).await?.id;
        let workspace = self.workspace(ada).await?;
        let project = self.project(ada, workspace).await?;
        for place in [Membered::Workspace(workspace), Membered::Project(project)] {
            self.store
                .change_member(place, MemberChange::Put(grace, None), self.now)
                .await?;
        }
        if self
            .store
            .tasks(project, TaskQuery::default())
            .await?
            .tasks
            .is_empty()
        {
            self.tasks(project, ada, grace).await?;
        }
        let channel = self.channel(project, ada).await?;
        let page = self.store.messages(channel, 1, None).await?;
        if page.is_none_or(|page| page.messages.is_empty()) {
            self.messages(channel, ada, grace).await?;
        }
        Ok((workspace, project, channel))
    }

    async fn user(&self, (name, email): (&str, &str)) -> anyhow::Result<User> {
        if let Some(account) = self.store.account(email.into()).await? {
            return Ok(account.user);
        }
        let account = NewAccount {
            id: self.ids.next(),
            name: name.into(),
            email: email.into(),
            password_hash: self.passwords.hash(PASSWORD.into()).await?,
            now: self.now,
        };
        let user = self.store.register(account).await?;
        user.with_context(|| format!("{email} was registered by somebody else just now; try again"))
    }

    async fn workspace(&self, owner: UserId) -> anyhow::Result<WorkspaceId> {
        let mine = self.store.workspaces_of(owner).await?;
        if let Some(workspace) = mine.iter().find(|workspace| workspace.name == WORKSPACE) {
            return Ok(workspace.id);
        }
        let made = self
            .store
            .create_workspace(self.ids.next(), WORKSPACE.into(), owner, self.now);
        Ok(made.await?.id)
    }

    async fn project(&self, owner: UserId, workspace: WorkspaceId) -> anyhow::Result<ProjectId> {
        let mine = self.store.projects_of(owner, Some(workspace)).await?;
        if let Some(project) = mine.iter().find(|project| project.name == PROJECT) {
            return Ok(project.id);
        }
        let draft = ProjectDraft {
            name: PROJECT.into(),
            description: Some("Everything here may be changed, moved and deleted.".into()),
            workspace,
        };
        let made = self
            .store
            .create_project(self.ids.next(), draft, owner, self.now)
            .await?;
        Ok(made
            .context("the demo workspace was deleted just now; try again")?
            .id)
    }

    async fn channel(&self, project: ProjectId, creator: UserId) -> anyhow::Result<ChannelId> {
        let all = self.store.channels(project).await?;
        if let Some(channel) = all.iter().find(|channel| channel.name == CHANNEL) {
            return Ok(channel.id);
        }
        let made =
            self.store
                .create_channel(self.ids.next(), CHANNEL.into(), project, creator, self.now);
        Ok(made
            .await?
            .context("the demo project was deleted just now; try again")?
            .id)
    }

    async fn tasks(&self, project: ProjectId, ada: UserId, grace: UserId) -> anyhow::Result<()> {
        // A new task goes to the top of its column: the first of the list is made last.
        for (place, sample) in SAMPLES.iter().enumerate().rev() {
            let creator = if place % 2 == 0 { ada } else { grace };
            let draft = self.draft(sample, (ada, grace));
            let new = NewTask {
                id: self.ids.next(),
                project,
                subtask_ids: draft
                    .subtasks
                    .iter()
                    .map(|_| self.ids.next::<SubtaskId>())
                    .collect(),
                draft,
                creator,
                once: None,
                now: self.now,
                random: rand::random(),
            };
            self.store.create_task(new).await?;
        }
        Ok(())
    }

    fn draft(&self, sample: &Sample, (ada, grace): (UserId, UserId)) -> TaskDraft {
        let due = sample
            .due_days
            .map(|days| self.now.millis() + days * DAY_MILLIS);
        TaskDraft {
            title: sample.title.into(),
            description: None,
            status: sample.status.clone(),
            priority: sample.priority.clone(),
            assignee: sample
                .assignee
                .map(|name| if name == USERS[0].0 { ada } else { grace }),
            due_date: due.and_then(|millis| Timestamp::from_millis(millis).ok()),
            subtasks: sample
                .steps
                .iter()
                .map(|&(title, completed)| SubtaskDraft {
                    id: None,
                    title: title.into(),
                    completed,
                })
                .collect(),
            labels: sample
                .label
                .map(|(name, color)| Label {
                    name: name.into(),
                    color: color.into(),
                })
                .into_iter()
                .collect(),
        }
    }

    async fn messages(&self, channel: ChannelId, ada: UserId, grace: UserId) -> anyhow::Result<()> {
        for (sender, content) in [
            (
                ada,
                "Welcome! Open this board in two windows and drag a card.",
            ),
            (grace, "I see it move. Who is online shows up as well."),
            (ada, "And you see me typing, I hope."),
        ] {
            let draft = MessageDraft {
                content: content.into(),
                client_id: None,
            };
            let message = NewMessage {
                id: self.ids.next(),
                channel,
                sender,
                draft,
                now: self.now,
            };
            self.store.post_message(message).await?;
        }
        Ok(())
    }
}
