//! MongoDB that ends or freezes under writes, and comes back: what was answered is there, and nothing is there twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use collabflow::store::{MongoOptions, MongoStore};
use collabflow_actors::{
    id::{IdSource, now},
    store::{NewMessage, NewTask, Store, StoreError, TaskChange, TaskOutcome},
};
use collabflow_protocol::{
    id::{ProjectId, TaskId, UserId},
    model::{MessageDraft, Priority, ProjectDraft, Status, TaskDraft, TaskPatch},
};
use tokio::task::JoinSet;

use crate::{
    contract::options,
    mongod::{Deployment, Mongod},
};

const WRITERS: usize = 8;
/// Answers between one fault and the next.
const BETWEEN: u64 = 100;

/// As a server in production is set up, but for shorter waits.
fn impatient(server: &Mongod) -> MongoOptions {
    MongoOptions {
        server_selection_timeout: Duration::from_millis(300),
        timeout: Duration::from_secs(1),
        ..options(server, "outage")
    }
}

struct Traffic {
    store: Arc<MongoStore>,
    ids: IdSource,
    project: ProjectId,
    user: UserId,
    has_ended: AtomicBool,
    answered: AtomicU64,
}

impl Traffic {
    async fn begin(server: &Mongod) -> Arc<Self> {
        let store = MongoStore::connect(&impatient(server)).await;
        let (store, ids) = (store.expect("it answers"), IdSource::default());
        let user: UserId = ids.next();
        let workspace = store.create_workspace(ids.next(), "w".into(), user, now());
        let draft = ProjectDraft {
            name: "p".into(),
            description: None,
            workspace: workspace.await.expect("it answers").id,
        };
        let project: ProjectId = ids.next();
        let made = store.create_project(project, draft, user, now());
        made.await
            .expect("it answers")
            .expect("its workspace is there");
        Arc::new(Self {
            store: Arc::new(store),
            ids,
            project,
            user,
            has_ended: AtomicBool::new(false),
            answered: AtomicU64::new(0),
        })
    }

    async fn task(&self) -> TaskId {
        let id: TaskId = self.ids.next();
        let draft = TaskDraft {
            title: "task".into(),
            description: None,
            status: Status::Todo,
            priority: Priority::Medium,
            assignee: None,
            due_date: None,
            subtasks: Vec::new(),
            labels: Vec::new(),
        };
        let new = NewTask {
            id,
            project: self.project,
            draft,
            subtask_ids: Vec::new(),
            creator: self.user,
            once: None,
            now: now(),
            random: 1,
        };
        self.store.create_task(new).await.expect("it answers");
        id
    }

    /// Changes one task again and again: each success is one version, and a refusal is none.
    async fn change(self: Arc<Self>, task: TaskId) -> u64 {
        let (mut version, mut number) = (1, 0);
        while !self.has_ended.load(Ordering::Relaxed) {
            number += 1;
            let title = format!("title {number}");
            let change = TaskChange {
                project: self.project,
                id: task,
                patch: TaskPatch {
                    title: Some(title.clone()),
                    ..TaskPatch::default()
                },
                subtask_ids: Vec::new(),
                expected: None,
                announces: false,
                now: now(),
                random: 1,
            };
            match self.store.update_task(change).await {
                Ok(TaskOutcome::Changed { before, after, .. }) => {
                    assert_eq!((before.version, after.version), (version, version + 1));
                    assert_eq!(after.title, title);
                    version += 1;
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(StoreError::Unavailable(_)) => {}
                other => panic!("neither changed nor refused: {other:?}"),
            }
        }
        version
    }

    /// Writes messages to a channel of its own; the answer is those that were stored.
    async fn post(self: Arc<Self>) -> Vec<collabflow_protocol::id::MessageId> {
        let (channel, mut stored) = (self.ids.next(), Vec::new());
        while !self.has_ended.load(Ordering::Relaxed) {
            let message = NewMessage {
                id: self.ids.next(),
                channel,
                sender: self.user,
                draft: MessageDraft {
                    content: "words".into(),
                    client_id: None,
                },
                now: now(),
            };
            let id = message.id;
            match self.store.post_message(message).await {
                Ok(_) => stored.push(id),
                Err(StoreError::Unavailable(_)) => {}
                Err(other) => panic!("neither stored nor refused: {other}"),
            }
        }
        let page = self.store.messages(channel, u32::MAX >> 1, None).await;
        let page = page.expect("it answers").expect("from the end");
        let there: Vec<_> = page.messages.iter().map(|message| message.id).collect();
        let missing = stored.iter().filter(|id| !there.contains(id)).count();
        let unanswered = there.iter().filter(|id| !stored.contains(id)).count();
        assert_eq!((missing, unanswered, there.len()), (0, 0, stored.len()));
        stored
    }

    async fn more_answers(&self) {
        let wanted = self.answered.load(Ordering::Relaxed) + BETWEEN;
        while self.answered.load(Ordering::Relaxed) < wanted {
            tokio::task::yield_now().await;
        }
    }
}

/// `fault` breaks the server and mends it.
async fn survive(deployment: Deployment, mut fault: impl AsyncFnMut(&mut Mongod)) {
    let mut server = Mongod::start(deployment).await;
    let traffic = Traffic::begin(&server).await;
    let (mut changing, mut posting) = (JoinSet::new(), JoinSet::new());
    let mut tasks = Vec::new();
    for _ in 0..WRITERS {
        let task = traffic.task().await;
        tasks.push(task);
        let writer = Arc::clone(&traffic).change(task);
        changing.spawn(async move { (task, writer.await) });
        posting.spawn(Arc::clone(&traffic).post());
    }
    for _ in 0..3 {
        traffic.more_answers().await;
        fault(&mut server).await;
    }
    traffic.more_answers().await;
    traffic.has_ended.store(true, Ordering::Relaxed);
    while let Some(ended) = changing.join_next().await {
        let (task, version) = ended.expect("no writer breaks");
        let stored = traffic.store.task(task).await.expect("it answers");
        assert_eq!(stored.expect("it is there").version, version);
    }
    while let Some(ended) = posting.join_next().await {
        assert!(!ended.expect("no writer breaks").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_where_the_server_is_killed() {
    survive(Deployment::Standalone, async |server| {
        server.restart().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_where_a_replica_set_is_killed() {
    survive(Deployment::ReplicaSet, async |server| {
        server.restart().await;
    })
    .await;
}

/// The server freezes for longer than a call may take, and then does what it had been sent.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_where_the_server_freezes() {
    survive(Deployment::Standalone, async |server| {
        server.freeze();
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        server.thaw();
    })
    .await;
}
