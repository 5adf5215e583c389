//! How MongoDB does what the store asks: by indexes alone; and what becomes of an index that cannot be made.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use collabflow::store::MongoStore;
use collabflow_actors::{
    id::{IdSource, now},
    store::{
        Access, Claim, MemberChange, Membered, NewMessage, NewTask, Once, OnceKind, Store,
        TaskChange, TaskMove, TaskQuery,
    },
};
use collabflow_protocol::{
    id::{MessageId, ProjectId, SubtaskId, TaskId, UserId, WorkspaceId},
    model::{
        MessageDraft, Priority, ProjectDraft, Role, Status, SubtaskDraft, TaskDraft, TaskField,
        TaskPatch, User, UserPatch,
    },
};
use futures_util::TryStreamExt as _;
use mongodb::{
    Database,
    bson::{Document, doc, oid::ObjectId},
};

use crate::{
    contract::options,
    mongod::{Deployment, Mongod},
};

/// Everything that rooms and REST ask for, at least once.
pub(crate) async fn ask_for_everything(store: &dyn Store) {
    let ids = IdSource::default();
    let user: UserId = ids.next();
    let claims = User {
        id: user,
        name: "Ada".into(),
        email: Some("ada@example.com".into()),
        avatar: None,
        extra: Default::default(),
    };
    store.remember(claims).await.expect("it answers");
    store.user(user).await.expect("it answers");
    store
        .user_by_email("ada@example.com".into())
        .await
        .expect("it answers");
    store
        .account("ada@example.com".into())
        .await
        .expect("it answers");
    store
        .update_user(user, UserPatch::default(), now())
        .await
        .expect("it answers");
    let workspace: WorkspaceId = ids.next();
    store
        .create_workspace(workspace, "w".into(), user, now())
        .await
        .expect("it answers");
    let (project, draft): (ProjectId, _) = (
        ids.next(),
        ProjectDraft {
            name: "p".into(),
            description: None,
            workspace,
        },
    );
    store
        .create_project(project, draft, user, now())
        .await
        .expect("it answers");
    let put = MemberChange::Put(ids.next(), Some(Role::Member));
    for of in [Membered::Project(project), Membered::Workspace(workspace)] {
        store
            .change_member(of, put, now())
            .await
            .expect("it answers");
    }
    store.workspaces_of(user).await.expect("it answers");
    store.projects_of(user, None).await.expect("it answers");
    store
        .projects_of(user, Some(workspace))
        .await
        .expect("it answers");
    let channel = ids.next();
    store
        .create_channel(channel, "c".into(), project, user, now())
        .await
        .expect("it answers");
    store.channels(project).await.expect("it answers");
    for access in [
        Access::Project(project),
        Access::Workspace(workspace),
        Access::Channel(channel),
    ] {
        store.membership(access).await.expect("it answers");
    }
    ask_for_tasks(store, &ids, project, user).await;
    let mut last: Option<MessageId> = None;
    for number in 0..3 {
        let message = NewMessage {
            id: ids.next(),
            channel,
            sender: user,
            draft: MessageDraft {
                content: "words".into(),
                client_id: (number > 0).then(|| number.to_string()),
            },
            now: now(),
        };
        last = Some(message.id);
        store.post_message(message).await.expect("it answers");
    }
    store.messages(channel, 50, None).await.expect("it answers");
    store.messages(channel, 50, last).await.expect("it answers");
    store.greatest_message().await.expect("it answers");
    let leave = store.change_member(
        Membered::Workspace(workspace),
        MemberChange::Remove(user),
        now(),
    );
    leave.await.expect("it answers");
    store.delete_workspace(workspace).await.expect("it answers");
}

async fn ask_for_tasks(store: &dyn Store, ids: &IdSource, project: ProjectId, user: UserId) {
    let mut task: Option<TaskId> = None;
    for number in 0..3 {
        let new = NewTask {
            id: ids.next(),
            project,
            draft: TaskDraft {
                title: "t".into(),
                description: None,
                status: Status::Todo,
                priority: Priority::Medium,
                assignee: Some(user),
                due_date: None,
                subtasks: vec![SubtaskDraft {
                    id: None,
                    title: "s".into(),
                    completed: false,
                }],
                labels: Vec::new(),
            },
            subtask_ids: vec![ids.next::<SubtaskId>()],
            creator: user,
            once: Some(Once {
                user,
                kind: OnceKind::Header,
                key: number.to_string(),
            }),
            now: now(),
            random: 1,
        };
        task = Some(new.id);
        store.create_task(new).await.expect("it answers");
    }
    let id = task.expect("three were made");
    store.task(id).await.expect("it answers");
    store.placed_task(id).await.expect("it answers");
    let patch = TaskPatch {
        title: Some("u".into()),
        status: Some(Status::Review),
        ..TaskPatch::default()
    };
    let change = TaskChange {
        project,
        id,
        patch,
        subtask_ids: Vec::new(),
        expected: None,
        announces: false,
        now: now(),
        random: 1,
    };
    store.update_task(change).await.expect("it answers");
    let to_top = TaskMove {
        project,
        id,
        to: Status::Todo,
        index: Some(1),
        expected: None,
        announces: false,
        now: now(),
        random: 1,
    };
    store.move_task(to_top).await.expect("it answers");
    let claim = Claim::Fields(vec![TaskField::Title]);
    store
        .announced(project, id, claim, now())
        .await
        .expect("it answers");
    let parts = TaskQuery {
        limit: Some(1),
        ..TaskQuery::default()
    };
    let page = store
        .tasks(project, parts.clone())
        .await
        .expect("it answers");
    let queries = [
        TaskQuery::default(),
        TaskQuery {
            after: page.next,
            ..parts
        },
        TaskQuery {
            status: Some(Status::Todo),
            ..TaskQuery::default()
        },
        TaskQuery {
            assignee: Some(user),
            ..TaskQuery::default()
        },
    ];
    for query in queries {
        store.tasks(project, query).await.expect("it answers");
    }
    store.delete_task(project, id).await.expect("it answers");
}

/// What the server has written down of each operation.
pub(crate) async fn profile(database: &Database) -> Vec<Document> {
    let own = doc! { "ns": { "$not": { "$regex": "system\\.profile$" } } };
    let cursor = database.collection("system.profile").find(own).await;
    cursor
        .expect("it answers")
        .try_collect()
        .await
        .expect("it answers to the end")
}

#[tokio::test]
async fn nothing_that_is_asked_for_scans_a_collection() {
    let server = Mongod::start(Deployment::Standalone).await;
    let store = MongoStore::connect(&options(&server, "asked")).await;
    let store = store.expect("it opens");
    let database = server.client().await.database("asked");
    database
        .run_command(doc! { "profile": 2 })
        .await
        .expect("it answers");
    ask_for_everything(&store).await;
    database
        .run_command(doc! { "profile": 0 })
        .await
        .expect("it answers");
    let operations = profile(&database).await;
    let plans: Vec<_> = operations
        .iter()
        .filter_map(|one| one.get_str("planSummary").ok())
        .collect();
    assert!(
        plans.iter().any(|plan| plan.contains("project")),
        "{plans:?}"
    );
    assert!(plans.len() > 60, "{}", plans.len());
    let scans: Vec<_> = operations
        .iter()
        .filter(|one| {
            one.get_str("planSummary")
                .is_ok_and(|plan| plan.contains("COLLSCAN"))
        })
        .map(|one| one.get_document("command").cloned().unwrap_or_default())
        .collect();
    assert!(scans.is_empty(), "{scans:#?}");
    // Messages with a key are found by it, and not among all of their channel.
    let by_key = operations.iter().filter(|one| {
        one.get_str("ns").is_ok_and(|ns| ns == "asked.messages")
            && one.get_document("command").is_ok_and(|command| {
                command
                    .get_document("filter")
                    .is_ok_and(|filter| filter.contains_key("clientId"))
            })
    });
    let by_key: Vec<_> = by_key
        .filter_map(|one| one.get_str("planSummary").ok())
        .collect();
    assert_eq!(by_key.len(), 2);
    assert!(
        by_key.iter().all(|plan| plan.contains("clientId")),
        "{by_key:?}"
    );
}

/// So that a start after a crash can end it.
#[tokio::test]
async fn what_is_done_in_steps_is_written_down_before_the_first_and_forgotten_after_the_last() {
    let server = Mongod::start(Deployment::Standalone).await;
    let store = MongoStore::connect(&options(&server, "steps")).await;
    let (store, ids) = (store.expect("it opens"), IdSource::default());
    let (owner, member): (UserId, UserId) = (ids.next(), ids.next());
    let workspace: WorkspaceId = ids.next();
    let made = store.create_workspace(workspace, "w".into(), owner, now());
    made.await.expect("it answers");
    let (project, draft) = (
        ids.next(),
        ProjectDraft {
            name: "p".into(),
            description: None,
            workspace,
        },
    );
    let made = store.create_project(project, draft, owner, now());
    made.await.expect("it answers");
    for of in [Membered::Workspace(workspace), Membered::Project(project)] {
        let put = MemberChange::Put(member, Some(Role::Member));
        store
            .change_member(of, put, now())
            .await
            .expect("it answers");
    }
    let database = server.client().await.database("steps");
    let profile_from_now = async |level: i32| {
        let answer = database.run_command(doc! { "profile": level }).await;
        answer.expect("it answers");
    };
    profile_from_now(2).await;
    let leave = MemberChange::Remove(member);
    let left = store.change_member(Membered::Workspace(workspace), leave, now());
    left.await.expect("it answers");
    store.delete_workspace(workspace).await.expect("it answers");
    profile_from_now(0).await;
    let writes: Vec<_> = profile(&database)
        .await
        .iter()
        .filter_map(|one| {
            let op = one.get_str("op").ok()?;
            let is_write = match op {
                "update" | "remove" | "insert" => true,
                _ => one
                    .get_document("command")
                    .ok()?
                    .contains_key("findAndModify"),
            };
            let collection = one.get_str("ns").ok()?.strip_prefix("steps.")?;
            let is_known_to_be_gone = collection == "collabflow_gone";
            (is_write && !is_known_to_be_gone).then(|| collection.to_owned())
        })
        .collect();
    let leaving = [
        "collabflow_intents",
        "projects",
        "workspaces",
        "collabflow_intents",
    ];
    let deleting = [
        "collabflow_intents",
        "workspaces",
        "projects",
        "tasks",
        "messages",
        "collabflow_intents",
    ];
    assert_eq!(writes, [&leaving[..], &deleting].concat());
}

#[tokio::test]
async fn an_index_that_cannot_be_made_is_a_warning_that_names_the_documents() {
    let server = Mongod::start(Deployment::Standalone).await;
    let database = server.client().await.database("doubled");
    let ids = [ObjectId::new(), ObjectId::new(), ObjectId::new()];
    let users = [
        doc! { "_id": ids[0], "name": "Ada", "email": "ada@example.com" },
        doc! { "_id": ids[1], "name": "Ada", "email": "Ada@Example.com" },
        doc! { "_id": ids[2], "name": "Ben", "email": "ben@example.com" },
    ];
    database
        .collection("users")
        .insert_many(users)
        .await
        .expect("it answers");
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_collabflow"))
        .env_clear()
        .envs([
            ("MONGODB_URI", server.uri_of("doubled")),
            ("JWT_SECRET", "x".repeat(32)),
            ("PORT", "0".to_owned()),
        ])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let log = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut said = Vec::new();
    for line in log.lines() {
        let line = line.expect("text");
        let is_up = line.contains("listening on");
        said.push(line);
        if is_up {
            break;
        }
    }
    child.kill().expect("it runs");
    child.wait().expect("a child of ours");
    let warning = said
        .iter()
        .find(|line| line.contains("WARN") && line.contains("an index cannot be made"));
    let warning = warning.unwrap_or_else(|| panic!("no warning: {said:#?}"));
    for id in &ids[..2] {
        assert!(warning.contains(&id.to_hex()), "{warning}");
    }
    assert!(!warning.contains(&ids[2].to_hex()), "{warning}");
    assert!(
        said.last()
            .is_some_and(|line| line.contains("listening on")),
        "{said:#?}"
    );
}
