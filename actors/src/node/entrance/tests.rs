//! Beginnings of sessions over a store that is slow or away.

use collabflow_protocol::{
    event::{ClientEvent, Scope, ServerEvent},
    id::ProjectId,
    model::{ProjectDraft, UserBrief},
};
use tokio::time::timeout;

use super::*;
use crate::{
    id::now,
    node::{AckId, Ended, Inbound, Request, Settings},
    outbox::Outbox,
    room::fixture::{settings, user},
    store::{
        Store, StoreError,
        memory::{Calls, MemoryStore},
    },
};

mod rejoin;
mod renamed;

const PATIENCE: Duration = Duration::from_secs(5);

struct Stage {
    node: Node,
    store: Arc<MemoryStore>,
    project: ProjectId,
    user: Arc<UserBrief>,
    asks_recovery: bool,
}

/// A connection that polls.
struct Line {
    session: Session,
    outbox: Arc<Outbox>,
    pid: String,
}

impl Stage {
    /// A user's project, whose memberships are read at each question.
    async fn set() -> Self {
        Self::with(settings().recovery_window).await
    }

    /// The same, where one may be away for so long.
    async fn with(recovery_window: Duration) -> Self {
        let (store, user) = (Arc::new(MemoryStore::new()), user(1));
        let settings = Settings {
            membership_max_age: Duration::ZERO,
            recovery_window,
            ..settings()
        };
        let node = Node::start(Arc::<MemoryStore>::clone(&store), settings).await;
        let ids = node.ids();
        let workspace = store
            .create_workspace(ids.next(), "W".into(), user.id, now())
            .await
            .expect("a workspace");
        let draft = ProjectDraft {
            name: "P".into(),
            description: None,
            workspace: workspace.id,
        };
        let project = store
            .create_project(ids.next(), draft, user.id, now())
            .await
            .expect("stored")
            .expect("a project")
            .id;
        Self {
            node,
            store,
            project,
            user,
            asks_recovery: true,
        }
    }

    /// Connects, in the place of `before` if that is given, and with the offset.
    async fn connect(&self, before: Option<(&Line, &str)>) -> Line {
        let hello = self.hello(before);
        let outbox = Arc::clone(&hello.outbox);
        let session = timeout(PATIENCE, self.node.open_session(hello))
            .await
            .expect("it does not hang")
            .expect("a session");
        let pid = session.entry.pid.to_string();
        Line {
            session,
            outbox,
            pid,
        }
    }

    /// What a client says that connects, on a connection of its own.
    fn hello(&self, before: Option<(&Line, &str)>) -> Hello {
        Hello {
            user: (*self.user).clone(),
            expires_at: None,
            outbox: Outbox::for_tests(),
            pid: before.map(|(line, _)| line.pid.parse().expect("a pid")),
            asks_recovery: self.asks_recovery,
            offset: before.and_then(|(_, offset)| offset.parse().ok()),
        }
    }

    async fn tell(&self, name: &str) {
        // Any durable event will do; this one is short.
        let deleted = ServerEvent::ProjectDeleted {
            project_id: self.project,
            deleted_by: UserBrief {
                name: name.to_owned(),
                ..(*self.user).clone()
            },
        };
        self.node
            .tell(&[RoomKey::Project(self.project)], deleted, None)
            .await;
    }
}

impl Line {
    /// What has come, up to what contains `last`.
    async fn heard(&self, last: &str) -> Vec<String> {
        let mut heard: Vec<String> = Vec::new();
        while !heard.iter().any(|text| text.contains(last)) {
            let frames = self.outbox.take(usize::MAX);
            if frames.is_empty() {
                timeout(PATIENCE, self.outbox.polled())
                    .await
                    .unwrap_or_else(|_| panic!("no {last} after {heard:?}"));
            }
            let text = |frame: &collabflow_protocol::frame::Frame| {
                String::from_utf8_lossy(frame.as_text()).into_owned()
            };
            heard.extend(frames.iter().map(text));
        }
        heard
    }

    async fn join(&self, project: ProjectId) -> Vec<String> {
        let inbound = Inbound {
            name: "join:project".into(),
            event: Ok(Request::Event(ClientEvent::Join(Scope::Project(project)))),
            ack: Some(AckId::Number(1)),
        };
        self.session.receive(Box::new(inbound)).await;
        self.heard("431[").await
    }
}

/// The names that the events told, each with its offset.
fn told(heard: &[String]) -> Vec<(String, String)> {
    let events = heard
        .iter()
        .filter(|text| text.contains("project:deleted"))
        .map(|text| serde_json::from_str::<serde_json::Value>(&text[2..]).expect("JSON"));
    events
        .map(|event| {
            let name = event[1]["deletedBy"]["name"].as_str().unwrap_or_default();
            let offset = event[2].as_str().unwrap_or_default();
            (name.to_owned(), offset.to_owned())
        })
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, offset): &(&str, &str)| ((*name).to_owned(), (*offset).to_owned());
    expected.iter().map(own).collect()
}

#[tokio::test]
async fn what_is_told_while_the_rooms_are_asked_comes_behind_what_was_missed() {
    let stage = Stage::set().await;
    let before = stage.connect(None).await;
    before.join(stage.project).await;
    before.session.end(Ended::Dropped);
    stage.tell("missed").await;
    stage.store.hold(Calls::All);
    let coming = stage.connect(Some((&before, "0")));
    let meanwhile = async {
        stage.tell("meanwhile").await;
        stage.store.release();
    };
    let (after, ()) = tokio::join!(coming, meanwhile);
    stage.tell("after").await;
    let heard = after.heard(r#""name":"after""#).await;
    assert_eq!(after.session.id(), before.session.id());
    assert!(heard[0].starts_with("40{"), "{heard:?}");
    assert_eq!(
        told(&heard),
        pairs(&[("missed", "1"), ("meanwhile", "2"), ("after", "3")])
    );
    stage.node.stop().await;
}

#[tokio::test]
async fn memberships_that_cannot_be_read_prove_nothing() {
    let stage = Stage::set().await;
    let before = stage.connect(None).await;
    before.join(stage.project).await;
    before.session.end(Ended::Dropped);
    let away = StoreError::Unavailable("away".into());
    stage.store.fail_with(Calls::All, away);
    let after = stage.connect(Some((&before, "0"))).await;
    assert_ne!(after.session.id(), before.session.id());
    assert_ne!(after.pid, before.pid);
    stage.store.mend();
    stage.tell("not for it").await;
    after.join(stage.project).await;
    stage.tell("for it").await;
    let heard = after.heard("for it").await;
    assert_eq!(told(&heard), pairs(&[("for it", "1")]));
    stage.node.stop().await;
}

#[tokio::test]
async fn a_session_recovers_fifty_times_from_connections_that_all_seem_to_live() {
    let stage = Stage::set().await;
    let mut line = stage.connect(None).await;
    line.join(stage.project).await;
    for round in 1..=50 {
        stage.tell(&format!("round {round}")).await;
        let next = stage.connect(Some((&line, "0"))).await;
        assert_eq!(next.session.id(), line.session.id());
        line = next;
    }
    let heard = line.heard(r#""name":"round 50""#).await;
    assert_eq!(told(&heard).len(), 50, "none was ever said to be read");
    stage.node.stop().await;
}
