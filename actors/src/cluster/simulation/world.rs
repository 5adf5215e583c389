//! What the clients of a simulation live in: the nodes, what joins them, and what is stored.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use collabflow_protocol::{
    id::{MessageId, ProjectId, TaskId},
    model::{ProjectDraft, Role, User, UserBrief},
};
use futures_util::FutureExt;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{sync::mpsc, time::Instant};

use super::{
    client::Client,
    dice::Dice,
    engine::Engine,
    line::{Line, Weather},
    plan::Plan,
};
use crate::{
    cluster::Joined,
    id::{IdSource, now},
    key::RoomKey,
    node::{Node, Settings},
    room::fixture::{settings, user},
    store::{MemberChange, Membered, Store, TaskQuery, memory::MemoryStore},
};

pub(super) struct World {
    pub(super) store: Arc<MemoryStore>,
    pub(super) engine: Arc<Engine>,
    pub(super) project: RoomKey,
    pub(super) chat: RoomKey,
    pub(super) users: Vec<UserBrief>,
    pub(super) drops_lines: bool,
    /// When something went wrong.
    pub(super) faults: Mutex<Vec<Instant>>,
    pub(super) dice: Dice,
    weather: Weather,
    started: Instant,
    nodes: Mutex<Vec<Option<Running>>>,
    clients: Mutex<Vec<std::sync::Weak<Client>>>,
    findings: Mutex<Vec<String>>,
    notes: Mutex<Vec<String>>,
    is_traced: bool,
    texts: AtomicU64,
    tasks: Mutex<HashMap<TaskId, u64>>,
    messages: Mutex<Vec<MessageId>>,
}

#[derive(Clone)]
pub(super) struct Running {
    pub(super) node: Node,
    pub(super) line: Arc<Line>,
}

impl World {
    pub(super) async fn new(plan: &Plan, dice: Dice, is_traced: bool) -> Arc<Self> {
        let (store, ids) = (Arc::new(MemoryStore::new()), IdSource::default());
        let users: Vec<UserBrief> = (1..=plan.users).map(|n| (*user(n)).clone()).collect();
        for user in &users {
            let known = User {
                id: user.id,
                name: user.name.clone(),
                email: user.email.clone(),
                avatar: None,
                extra: collabflow_protocol::model::Extra::default(),
            };
            store.remember(known).await.expect("remembered");
        }
        let owner = users[0].id;
        let workspace = store.create_workspace(ids.next(), "W".into(), owner, now());
        let draft = ProjectDraft {
            name: "P".into(),
            description: None,
            workspace: workspace.await.expect("a workspace").id,
        };
        let project: ProjectId = ids.next();
        let made = store.create_project(project, draft, owner, now()).await;
        made.expect("stored").expect("a project");
        for user in &users[1..] {
            let change = MemberChange::Put(user.id, Some(Role::Member));
            let of = Membered::Project(project);
            store
                .change_member(of, change, now())
                .await
                .expect("a member");
        }
        let channel = store.create_channel(ids.next(), "C".into(), project, owner, now());
        let channel = channel.await.expect("stored").expect("a channel").id;
        Arc::new(Self {
            store,
            engine: Arc::new(Engine::new(plan.log_length)),
            project: RoomKey::Project(project),
            chat: RoomKey::Chat(channel),
            users,
            drops_lines: plan.drops_lines,
            faults: Mutex::default(),
            dice,
            weather: plan.weather,
            started: Instant::now(),
            nodes: Mutex::default(),
            clients: Mutex::default(),
            findings: Mutex::default(),
            notes: Mutex::default(),
            is_traced,
            texts: AtomicU64::new(0),
            tasks: Mutex::default(),
            messages: Mutex::default(),
        })
    }

    /// Starts a node in the place of the one with this number, or as one more.
    pub(super) async fn start_node(&self, number: usize) {
        let (incoming, received) = mpsc::unbounded_channel();
        let (engine, dice) = (Arc::clone(&self.engine), self.dice.fork());
        let line = Line::new(number, engine, dice, self.weather, incoming);
        let joined = Joined {
            backplane: Arc::<Line>::clone(&line),
            incoming: received,
            name: format!("node {number}"),
        };
        let settings = Settings {
            rooms_per_session_max: 10,
            ..settings()
        };
        let store = Arc::<MemoryStore>::clone(&self.store);
        let node = Node::start_joined(store, settings, Some(joined)).await;
        {
            let mut nodes = self.nodes.lock();
            while nodes.len() <= number {
                nodes.push(None);
            }
            nodes[number] = Some(Running {
                node,
                line: Arc::clone(&line),
            });
        }
        self.note(&format!("node {number} starts"));
        line.connect().await;
    }

    pub(super) fn running(&self) -> Vec<(usize, Running)> {
        let nodes = self.nodes.lock();
        let running = nodes.iter().enumerate();
        running
            .filter_map(|(number, node)| Some((number, node.clone()?)))
            .collect()
    }

    /// Takes a node away.
    fn take(&self, number: usize) -> Option<Running> {
        self.nodes.lock().get_mut(number)?.take()
    }

    /// Takes a node away; its clients find their lines gone.
    pub(super) fn take_node(&self, number: usize) -> Option<Running> {
        let running = self.take(number)?;
        let clients = self.clients.lock().clone();
        for client in clients.iter().filter_map(std::sync::Weak::upgrade) {
            if client.node() == number {
                client.lose_line();
            }
        }
        Some(running)
    }

    /// A client that loses its line with its node.
    pub(super) fn add_client(&self, client: &Arc<Client>) {
        self.clients.lock().push(Arc::downgrade(client));
    }

    pub(super) fn run_of(&self, number: usize) -> Option<Running> {
        self.nodes.lock().get(number)?.clone()
    }

    pub(super) fn node(&self, number: usize) -> Option<Node> {
        Some(self.run_of(number)?.node)
    }

    pub(super) fn some_node(&self, dice: &Dice) -> Option<usize> {
        dice.pick(&self.running()).map(|(number, _)| *number)
    }

    /// What should not be.
    pub(super) fn find(&self, finding: String) {
        self.note(&format!("FOUND: {finding}"));
        self.findings.lock().push(finding);
    }

    pub(super) fn findings(&self) -> Vec<String> {
        self.findings.lock().clone()
    }

    /// A part of the schedule, for whoever looks for the cause of a finding.
    pub(super) fn note(&self, text: &str) {
        let at = self.started.elapsed().as_millis();
        let note = format!("{at:>6} {text}");
        if self.is_traced {
            let mut out = std::io::stdout().lock();
            let _ = std::io::Write::write_all(&mut out, format!("{note}\n").as_bytes());
        } else {
            self.notes.lock().push(note);
        }
    }

    pub(super) fn trace(&self, text: impl FnOnce() -> String) {
        if self.is_traced {
            self.note(&text());
        }
    }

    pub(super) fn notes(&self) -> String {
        self.notes.lock().join("\n")
    }

    /// A text that nobody else writes.
    pub(super) fn text(&self) -> String {
        format!("text {}", self.texts.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) async fn stored_tasks(&self) -> Vec<TaskId> {
        let RoomKey::Project(project) = self.project else {
            return Vec::new();
        };
        let page = self.store.tasks(project, TaskQuery::default()).await;
        page.expect("tasks")
            .tasks
            .iter()
            .map(|task| task.id)
            .collect()
    }

    pub(super) fn is_stored(&self, task: TaskId) -> bool {
        let stored = self.store.task(task).now_or_never();
        stored.and_then(Result::ok).flatten().is_some()
    }

    pub(super) fn acknowledged_task(&self, task: &Value) {
        let id = task["_id"].as_str().and_then(|id| id.parse().ok());
        let version = task["version"].as_u64().unwrap_or(0);
        let mut tasks = self.tasks.lock();
        let known = tasks.entry(id.expect("an id")).or_default();
        *known = (*known).max(version);
    }

    pub(super) fn acknowledged_message(&self, message: &Value) {
        let id = message["_id"].as_str().and_then(|id| id.parse().ok());
        self.messages.lock().push(id.expect("an id"));
    }

    /// The room that an event is of.
    pub(super) fn room_of(&self, name: &str, payload: &Value) -> Option<RoomKey> {
        match name {
            "room:resync" => match payload["room"].as_str()? {
                room if room == self.project.to_string() => Some(self.project),
                room if room == self.chat.to_string() => Some(self.chat),
                _ => None,
            },
            "chat:newMessage" => Some(self.chat),
            "task:created" | "task:updated" | "task:moved" | "task:deleted" | "room:users"
            | "user:joined" | "user:left" => Some(self.project),
            _ => None,
        }
    }

    /// What was acknowledged is stored.
    pub(super) async fn check_acknowledged(&self, messages: &[MessageId]) {
        let tasks = self.tasks.lock().clone();
        for (id, version) in tasks {
            let stored = self.store.task(id).await.expect("answered");
            if let Some(stored) = stored.filter(|stored| stored.version < version) {
                let stored = stored.version;
                self.find(format!(
                    "version {version} of {id} was acknowledged, and {stored} is stored"
                ));
            }
        }
        let acknowledged = self.messages.lock().clone();
        if let Some(lost) = acknowledged.iter().find(|id| !messages.contains(id)) {
            self.find(format!(
                "message {lost} was acknowledged, and is not stored"
            ));
        }
    }
}
