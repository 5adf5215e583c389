//! MongoDB that does what it is told, and does not say so, or fails just after it: what was stored is answered so.

use std::time::Duration;

use collabflow::store::{MongoOptions, MongoStore};
use collabflow_actors::{
    id::{IdSource, NodeId, now},
    store::{
        Announced, Claim, CreateOutcome, Elsewhere, MemberChange, MemberOutcome, Membered, NewTask,
        Store, TaskChange, TaskOutcome,
    },
};
use collabflow_protocol::{
    id::{ProjectId, TaskId, UserId, WorkspaceId},
    model::{
        Priority, ProjectDraft, ProjectPatch, Role, Status, Task, TaskDraft, TaskField, TaskPatch,
    },
};
use mongodb::bson::{DateTime, Document, doc, oid::ObjectId};

use crate::{
    contract::options,
    mongod::{Deployment, Mongod},
};

/// It cannot reach the others for a moment.
const UNREACHABLE: i32 = 6;
/// It has done what it was told, and cannot say whether that lasts.
const NOT_REPLICATED: i32 = 64;

/// A store with a project of two members, on a server of its own.
struct Subject {
    server: Mongod,
    store: MongoStore,
    ids: IdSource,
    owner: UserId,
    member: UserId,
    workspace: WorkspaceId,
    project: ProjectId,
}

impl Subject {
    async fn new(deployment: Deployment) -> Self {
        let server = Mongod::start(deployment).await;
        let options = MongoOptions {
            timeout: Duration::from_secs(5),
            ..options(&server, "faults")
        };
        let store = MongoStore::connect(&options).await.expect("it answers");
        let ids = IdSource::default();
        let subject = Self {
            owner: ids.next(),
            member: ids.next(),
            workspace: ids.next(),
            project: ids.next(),
            server,
            store,
            ids,
        };
        let Self { owner, .. } = subject;
        let made = subject
            .store
            .create_workspace(subject.workspace, "w".into(), owner, now());
        made.await.expect("it answers");
        subject.make_project(subject.project).await;
        for of in [
            Membered::Workspace(subject.workspace),
            Membered::Project(subject.project),
        ] {
            subject.join(of).await;
        }
        subject
    }

    async fn join(&self, of: Membered) {
        let put = MemberChange::Put(self.member, Some(Role::Member));
        let joined = self.store.change_member(of, put, now()).await;
        joined.expect("it answers");
    }

    async fn make_project(&self, id: ProjectId) {
        let draft = ProjectDraft {
            name: "p".into(),
            description: None,
            workspace: self.workspace,
        };
        let made = self.store.create_project(id, draft, self.owner, now());
        made.await
            .expect("it answers")
            .expect("its workspace is there");
    }

    async fn make_task(&self) -> Task {
        let new = NewTask {
            id: self.ids.next(),
            project: self.project,
            draft: TaskDraft {
                title: "task".into(),
                description: None,
                status: Status::Todo,
                priority: Priority::Medium,
                assignee: None,
                due_date: None,
                subtasks: Vec::new(),
                labels: Vec::new(),
            },
            subtask_ids: Vec::new(),
            creator: self.owner,
            once: None,
            now: now(),
            random: 1,
        };
        match self.store.create_task(new).await.expect("it answers") {
            CreateOutcome::Created(task) => *task,
            other => panic!("{other:?}"),
        }
    }

    /// The next calls of this command fail.
    async fn fail(&self, command: &str, times: i32, how: Document) {
        let mut data = doc! { "failCommands": [command] };
        data.extend(how);
        let fault = doc! {
            "configureFailPoint": "failCommand", "mode": { "times": times }, "data": data,
        };
        let client = self.server.client().await;
        client
            .database("admin")
            .run_command(fault)
            .await
            .expect("it takes test commands");
    }

    /// They are done, and that is not known.
    async fn lose_answer(&self, command: &str) {
        let error = doc! { "code": NOT_REPLICATED, "errmsg": "they do not answer" };
        self.fail(command, 1, doc! { "writeConcernError": error })
            .await;
    }

    async fn count(&self, collection: &str) -> u64 {
        self.collection(collection)
            .await
            .count_documents(doc! {})
            .await
            .expect("it answers")
    }

    async fn collection(&self, name: &str) -> mongodb::Collection<Document> {
        self.server
            .client()
            .await
            .database("faults")
            .collection(name)
    }

    async fn leave(&self) -> MemberOutcome {
        let of = Membered::Workspace(self.workspace);
        let leaves = MemberChange::Remove(self.member);
        let left = self.store.change_member(of, leaves, now()).await;
        left.expect("it answers")
    }
}

#[tokio::test]
async fn a_task_that_is_made_twice_is_told_with_the_place_that_is_stored() {
    let subject = Subject::new(Deployment::Standalone).await;
    subject.lose_answer("insert").await;
    let told = subject.make_task().await;
    let stored = subject.store.task(told.id).await.expect("it answers");
    assert_eq!(stored, Some(told));
}

/// Twice: once for the answer, and once for that of the try that finds its own mark.
#[tokio::test]
async fn a_change_is_answered_though_the_reads_after_it_fail() {
    let subject = Subject::new(Deployment::Standalone).await;
    let task = subject.make_task().await;
    let (times, away) = (4, doc! { "errorCode": UNREACHABLE });
    subject.fail("aggregate", times, away).await;
    let change = TaskChange {
        project: subject.project,
        id: task.id,
        patch: TaskPatch {
            title: Some("changed".into()),
            ..TaskPatch::default()
        },
        subtask_ids: Vec::new(),
        expected: Some(1),
        announces: false,
        now: now(),
        random: 1,
    };
    match subject.store.update_task(change).await.expect("it answers") {
        TaskOutcome::Changed { before, after, .. } => {
            assert_eq!((before.title.as_str(), before.version), ("task", 1));
            assert_eq!((after.title.as_str(), after.version), ("changed", 2));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_change_of_a_project_is_answered_though_its_people_cannot_be_read_at_once() {
    let subject = Subject::new(Deployment::Standalone).await;
    // The driver tries a read twice itself.
    let (times, away) = (
        2,
        doc! { "namespace": "faults.users", "errorCode": UNREACHABLE },
    );
    subject.fail("find", times, away).await;
    let patch = ProjectPatch {
        name: Some("q".into()),
        ..ProjectPatch::default()
    };
    let update = subject.store.update_project(subject.project, patch, now());
    let (before, after) = update.await.expect("it answers").expect("it is there");
    assert_eq!((before.name.as_str(), after.name.as_str()), ("p", "q"));
}

#[tokio::test]
async fn who_leaves_a_workspace_leaves_no_intent_behind() {
    let subject = Subject::new(Deployment::Standalone).await;
    let closed = doc! { "closeConnection": true };
    subject.fail("delete", 1, closed).await;
    let left = subject.leave().await;
    assert!(matches!(left, MemberOutcome::Workspace { .. }), "{left:?}");
    // A restart would take it up, and put out who has joined again.
    assert_eq!(subject.count("collabflow_intents").await, 0);
}

/// A start right after the crash comes upon an intent that may still be another node's.
#[tokio::test]
async fn what_a_crash_has_interrupted_is_ended_though_the_start_is_too_early_for_it() {
    let subject = Subject::new(Deployment::Standalone).await;
    let oid = |id: &dyn ToString| ObjectId::parse_str(id.to_string()).expect("an id");
    let intent = doc! {
        "_id": ObjectId::new(), "kind": "leaving", "workspace": oid(&subject.workspace),
        "user": oid(&subject.member), "at": DateTime::from_millis(now().millis() - 28_000),
    };
    let intents = subject.collection("collabflow_intents").await;
    intents.insert_one(intent).await.expect("it answers");
    let started = MongoStore::connect(&options(&subject.server, "faults")).await;
    let started = started.expect("it answers");
    let ended = async {
        let left = async || intents.count_documents(doc! {}).await.expect("it answers");
        while left().await > 0 {}
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
    ended.expect("it is taken up later");
    let project = started.project(subject.project).await.expect("it answers");
    assert_eq!(project.expect("it is there").members.len(), 1);
}

#[tokio::test]
async fn a_transaction_that_the_server_has_forgotten_is_tried_again() {
    let subject = Subject::new(Deployment::ReplicaSet).await;
    let forgotten = doc! { "errorCode": 251, "errorLabels": ["TransientTransactionError"] };
    subject.fail("commitTransaction", 1, forgotten).await;
    match subject.leave().await {
        MemberOutcome::Workspace { after, left } => {
            assert_eq!((after.members.len(), left), (1, vec![subject.project]));
        }
        other => panic!("{other:?}"),
    }
}

/// Nobody is told of the tasks, and a large project does not hold the watch up.
#[tokio::test]
async fn the_tasks_of_a_project_that_is_deleted_here_are_nothing_to_remember() {
    let subject = Subject::new(Deployment::ReplicaSet).await;
    subject.make_task().await;
    let mut watch = subject.store.watch().await.expect("it has streams");
    let deleted = subject.store.delete_project(subject.project).await;
    deleted.expect("it answers").expect("it is there");
    let message = doc! { "channel": ObjectId::new(), "content": "theirs" };
    let messages = subject.collection("messages").await;
    messages.insert_one(message).await.expect("it answers");
    let seen = watch.next().await;
    let seen: Vec<_> = seen.into_iter().map(|watched| watched.change).collect();
    assert!(matches!(&seen[..], [Elsewhere::Message(_)]), "{seen:?}");
    assert_eq!(subject.count("collabflow_gone").await, 1, "the project");
}

/// Each node of a cluster has a watch of its own.
#[tokio::test]
async fn all_who_watch_see_a_change_by_one_name() {
    let subject = Subject::new(Deployment::ReplicaSet).await;
    let mut watches = Vec::new();
    for _ in 0..2 {
        watches.push(subject.store.watch().await.expect("it has streams"));
    }
    let messages = subject.collection("messages").await;
    for content in ["one", "two"] {
        let message = doc! { "channel": ObjectId::new(), "content": content };
        messages.insert_one(message).await.expect("it answers");
    }
    let mut names = Vec::new();
    for watch in &mut watches {
        for _ in 0..2 {
            names.extend(watch.next().await.into_iter().map(|watched| watched.id));
        }
    }
    assert_eq!(names[..2], names[2..]);
    assert_ne!(names[0], names[1]);
}

/// A watch that was broken off comes upon what happened long ago.
#[tokio::test]
async fn what_the_database_shows_is_news_however_long_ago_it_was() {
    let subject = Subject::new(Deployment::Standalone).await;
    let oid = |id: &dyn ToString| ObjectId::parse_str(id.to_string()).expect("an id");
    let (id, then) = (
        ObjectId::new(),
        DateTime::from_millis(now().millis() - 300_000),
    );
    let task = doc! {
        "_id": id, "title": "theirs", "status": "todo", "project": oid(&subject.project),
        "createdAt": then, "updatedAt": then,
    };
    let tasks = subject.collection("tasks").await;
    tasks.insert_one(task).await.expect("it answers");
    let id: TaskId = id.to_hex().parse().expect("an id");
    let claim = async |claim| {
        let found = subject.store.announced(subject.project, id, claim, now());
        match found.await.expect("it answers") {
            Announced::Stored { news, .. } => news,
            gone => panic!("{gone:?}"),
        }
    };
    assert_eq!(claim(Claim::Fields(vec![TaskField::Title])).await, []);
    assert!(claim(Claim::Seen).await.contains(&TaskField::Title));
    assert_eq!(claim(Claim::Seen).await, []);
}

#[tokio::test]
async fn the_marks_of_nodes_that_are_cut_off_are_kept_until_they_are_taken_away() {
    let subject = Subject::new(Deployment::Standalone).await;
    let [one, other] = [(); 2].map(|()| NodeId::random());
    let (first, later) = (now(), now());
    for (node, at) in [(one, first), (other, first), (one, later)] {
        let kept = subject.store.mark_cut_off(node, Some(at)).await;
        kept.expect("it answers");
    }
    let marks = async || {
        let mut marks = subject.store.cut_off().await.expect("it answers");
        marks.sort_by_key(|(node, _)| *node != one);
        marks
    };
    assert_eq!(marks().await, [(one, later), (other, first)]);
    for _ in 0..2 {
        let gone = subject.store.mark_cut_off(one, None).await;
        gone.expect("it answers");
    }
    assert_eq!(marks().await, [(other, first)]);
}
