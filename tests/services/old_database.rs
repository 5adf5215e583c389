//! A database that Mongoose made, with all its oddities: read as it is, and changed without losing anything in it.

use std::sync::Arc;

use collabflow::store::MongoStore;
use collabflow_actors::{
    id::now,
    store::{
        Access, Announced, Claim, MemberChange, Membered, Store, TaskChange, TaskOutcome, TaskQuery,
    },
};
use collabflow_protocol::{
    id::{ChannelId, ProjectId, TaskId, UserId, WorkspaceId},
    model::{ProjectPatch, Role, SubtaskDraft, TaskField, TaskPatch},
    time::Timestamp,
};
use mongodb::{
    Database,
    bson::{Bson, DateTime, Document, doc, oid::ObjectId},
};

use crate::{
    contract::options,
    fixture,
    mongod::{Deployment, Mongod},
};

struct Old {
    store: Arc<MongoStore>,
    database: Database,
    // Last: it ends after those that use it.
    _server: Mongod,
}

impl Old {
    async fn open() -> Self {
        let server = Mongod::start(Deployment::Standalone).await;
        let database = server.client().await.database("test");
        fixture::load(&database).await;
        let store = MongoStore::connect(&options(&server, "")).await;
        Self {
            store: Arc::new(store.expect("it opens")),
            database,
            _server: server,
        }
    }

    async fn stored(&self, collection: &str, n: u32) -> Document {
        let found = self
            .database
            .collection::<Document>(collection)
            .find_one(doc! { "_id": oid(n) })
            .await;
        found.expect("it answers").expect("it is there")
    }

    async fn tasks(&self) -> Vec<collabflow_protocol::model::Task> {
        let page = self.store.tasks(id(0x20), TaskQuery::default()).await;
        page.expect("an odd task makes no list fail").tasks
    }

    fn change(&self, n: u32, patch: TaskPatch) -> TaskChange {
        let fresh = patch.subtasks.as_ref().map_or(0, Vec::len);
        TaskChange {
            project: id(0x20),
            id: id(n),
            subtask_ids: (0..fresh).map(|_| id(0xffff)).collect(),
            patch,
            expected: None,
            announces: false,
            now: now(),
            random: 1,
        }
    }

    async fn patch(&self, n: u32, patch: TaskPatch) -> collabflow_protocol::model::Task {
        match self.store.update_task(self.change(n, patch)).await {
            Ok(TaskOutcome::Changed { after, .. }) => *after,
            other => panic!("not changed: {other:?}"),
        }
    }
}

/// The ids that the fixture counts up.
fn oid(n: u32) -> ObjectId {
    ObjectId::parse_str(format!("64b7f3a2c9e77a001200{n:04x}")).expect("an id")
}

fn id<T: From<collabflow_protocol::id::ObjectId>>(n: u32) -> T {
    collabflow_protocol::id::ObjectId::from_bytes(oid(n).bytes()).into()
}

fn title(text: &str) -> TaskPatch {
    TaskPatch {
        title: Some(text.into()),
        ..TaskPatch::default()
    }
}

#[tokio::test]
async fn odd_tasks_are_listed_newest_first_at_version_0_with_places() {
    let old = Old::open().await;
    let tasks = old.tasks().await;
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    // The one that does not say when it was made comes last, as it did with Mongoose.
    assert_eq!(ids, [0x36, 0x35, 0x34, 0x30, 0x37].map(id));
    assert!(tasks.iter().all(|task| task.version == 0));
    let odd = &tasks[0];
    assert_eq!(
        (odd.status.as_str(), odd.priority.as_str()),
        ("blocked", "urgent")
    );
    assert_eq!((&odd.assignee, &odd.created_by), (&None, &None));
    assert_eq!(odd.labels[1].color, "");
    let (twin, bare) = (&tasks[1], &tasks[2]);
    assert!(twin.created_at == bare.created_at && twin.position < bare.position);
    let last = &tasks[4];
    assert_eq!(
        (last.status.as_str(), last.priority.as_str()),
        ("todo", "medium")
    );
    assert_eq!((last.title.len(), last.subtasks.len()), (250, 0));
    let plain = &tasks[3];
    let assignee = plain.assignee.as_ref().expect("Ben");
    assert_eq!(assignee.name, "Ben");
    assert_eq!(plain.subtasks[1].id, id(0x32));
    // A list in parts is the same list.
    let mut query = TaskQuery {
        limit: Some(2),
        ..TaskQuery::default()
    };
    let mut parts = Vec::new();
    loop {
        let page = old
            .store
            .tasks(id(0x20), query.clone())
            .await
            .expect("a page");
        parts.extend(page.tasks);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(parts, tasks);
}

#[tokio::test]
async fn a_change_keeps_every_field_and_gives_a_version_and_a_place() {
    let old = Old::open().await;
    let before = old.stored("tasks", 0x36).await;
    let shown = old.store.task(id(0x36)).await.expect("it answers");
    let shown = shown.expect("it is there");
    let mut steps: Vec<_> = shown
        .subtasks
        .iter()
        .map(|step| SubtaskDraft {
            id: Some(step.id),
            title: step.title.clone(),
            completed: true,
        })
        .collect();
    steps.push(SubtaskDraft {
        id: None,
        title: "second".into(),
        completed: false,
    });
    let patch = TaskPatch {
        subtasks: Some(steps),
        ..title("Changed")
    };
    let after = old.patch(0x36, patch).await;
    assert_eq!((after.version, after.subtasks.len()), (1, 2));
    assert_eq!(after.position, shown.position);
    let mut stored = old.stored("tasks", 0x36).await;
    for name in [
        "estimate",
        "watchers",
        "labels",
        "assignee",
        "createdBy",
        "status",
        "createdAt",
    ] {
        assert_eq!(stored.get(name), before.get(name), "{name}");
    }
    assert_eq!(stored.get("version"), Some(&Bson::Int64(1)));
    assert_eq!(
        stored.get_str("position").ok(),
        Some(after.position.as_str())
    );
    assert!(matches!(stored.get("updatedAt"), Some(Bson::DateTime(_))));
    // A copy that Mongoose holds of the list is out of date.
    assert_eq!(stored.get_i32("__v").ok(), Some(8));
    let steps = stored.remove("subtasks").expect("a list");
    let steps = steps.as_array().expect("a list");
    assert!(steps.iter().all(|step| {
        let step = step.as_document().expect("a document");
        matches!(step.get("_id"), Some(Bson::ObjectId(_)))
    }));
}

#[tokio::test]
async fn what_is_written_has_the_types_that_mongoose_reads() {
    let old = Old::open().await;
    let patch = TaskPatch {
        assignee: Some(Some(id(1))),
        due_date: Some(Timestamp::parse("2026-01-02").ok()),
        description: Some(Some("words".into())),
        ..TaskPatch::default()
    };
    old.patch(0x34, patch).await;
    let stored = old.stored("tasks", 0x34).await;
    assert_eq!(stored.get("assignee"), Some(&Bson::ObjectId(oid(1))));
    assert!(matches!(stored.get("dueDate"), Some(Bson::DateTime(_))));
    let cleared = TaskPatch {
        assignee: Some(None),
        due_date: Some(None),
        description: Some(None),
        ..TaskPatch::default()
    };
    let after = old.patch(0x34, cleared).await;
    assert_eq!(
        (after.assignee, after.due_date, after.description),
        (None, None, None)
    );
    let stored = old.stored("tasks", 0x34).await;
    for name in ["assignee", "dueDate", "description"] {
        assert!(!stored.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn odd_groups_are_read_with_the_roles_that_can_be_told() {
    let old = Old::open().await;
    let (ada, ben, ghost): (UserId, UserId, UserId) = (id(1), id(2), id(0xdead));
    let of = |access| old.store.membership(access);
    let odd: ProjectId = id(0x21);
    let roles = of(Access::Project(odd))
        .await
        .expect("it answers")
        .expect("it is there")
        .roles;
    assert_eq!(roles.len(), 3);
    assert_eq!(
        (roles[&ada], roles[&ben], roles[&ghost]),
        (Role::Member, Role::Member, Role::Admin)
    );
    let nobodys = of(Access::Project(id::<ProjectId>(0x22)))
        .await
        .expect("it answers");
    assert!(nobodys.expect("it is there").roles.is_empty());
    let bare: WorkspaceId = id(0x11);
    let roles = of(Access::Workspace(bare))
        .await
        .expect("it answers")
        .expect("it is there")
        .roles;
    assert_eq!(roles.len(), 1);
    assert_eq!(roles[&ada], Role::Owner);
    let own_channel: ChannelId = id(0x20);
    let roles = of(Access::Channel(own_channel))
        .await
        .expect("it answers")
        .expect("the project's")
        .roles;
    assert_eq!(roles[&ben], Role::Viewer);
    let listed = old.store.workspaces_of(ada).await.expect("no list fails");
    assert_eq!(listed.len(), 2);
    let listed = old
        .store
        .projects_of(ada, None)
        .await
        .expect("no list fails");
    assert_eq!(
        listed.iter().map(|project| project.id).collect::<Vec<_>>(),
        [id(0x20), id(0x21)]
    );
    assert_eq!(listed[1].members[2].user, None);
}

#[tokio::test]
async fn fields_of_other_programs_are_passed_through_and_survive() {
    let old = Old::open().await;
    let odd = old
        .store
        .project(id(0x21))
        .await
        .expect("it answers")
        .expect("it is there");
    let json = serde_json::to_value(&odd).expect("JSON");
    assert_eq!(json["archived"], false);
    assert!(json.get("__v").is_none() && json.get("collabflow").is_none());
    let patch = ProjectPatch {
        name: Some("Odder".into()),
        ..ProjectPatch::default()
    };
    old.store
        .update_project(odd.id, patch, now())
        .await
        .expect("it answers");
    let put = MemberChange::Put(id(3), Some(Role::Viewer));
    old.store
        .change_member(Membered::Project(odd.id), put, now())
        .await
        .expect("it answers");
    let stored = old.stored("projects", 0x21).await;
    assert_eq!(stored.get_bool("archived").ok(), Some(false));
    let members = stored.get_array("members").expect("a list");
    assert_eq!(members.len(), 5);
    assert_eq!(
        members[1]
            .as_document()
            .and_then(|ben| ben.get_str("role").ok()),
        Some("superhero")
    );
    let bare = old
        .store
        .workspace(id(0x11))
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!(serde_json::to_value(&bare).expect("JSON")["plan"], "free");
    let cleo = old
        .store
        .user(id(3))
        .await
        .expect("it answers")
        .expect("she is there");
    let json = serde_json::to_value(&cleo).expect("JSON");
    assert_eq!(
        (json["theme"].as_str(), json["settings"]["lang"].as_str()),
        (Some("dark"), Some("el"))
    );
    assert!(json.get("password").is_none());
}

#[tokio::test]
async fn an_old_account_is_found_by_its_email_in_any_case() {
    let old = Old::open().await;
    let account = old
        .store
        .account("cleo@example.com".into())
        .await
        .expect("it answers");
    let account = account.expect("she has one");
    assert_eq!(account.user.id, id(3));
    assert!(account.password_hash.starts_with("$2b$10$"));
}

/// The Node backend took emails as they came.
#[tokio::test]
async fn of_accounts_whose_emails_differ_in_case_each_is_found_as_it_is_typed() {
    let server = Mongod::start(Deployment::Standalone).await;
    let database = server.client().await.database("test");
    let emails = ["dup@x.example", "Dup@X.Example", "DUP@x.example"];
    let users = (1..).zip(emails).map(|(n, email)| {
        doc! { "_id": oid(n), "name": email, "email": email, "password": "a hash" }
    });
    database
        .collection::<Document>("users")
        .insert_many(users)
        .await
        .expect("it takes them");
    let store = MongoStore::connect(&options(&server, "")).await;
    let store = Arc::new(store.expect("it opens"));
    for (n, typed) in [
        (1, emails[0]),
        (2, emails[1]),
        (3, emails[2]),
        (1, "dUp@x.example"),
    ] {
        let account = store.account(typed.into()).await.expect("it answers");
        assert_eq!(account.expect("there is one").user.id, id(n), "{typed}");
    }
}

#[tokio::test]
async fn a_gone_sender_and_a_long_message_make_no_history_fail() {
    let old = Old::open().await;
    let page = old
        .store
        .messages(id(0x40), 50, None)
        .await
        .expect("it answers")
        .expect("from the end");
    assert_eq!(page.messages.len(), 2);
    assert_eq!(page.messages[1].sender, None);
    let own = old
        .store
        .messages(id(0x20), 50, None)
        .await
        .expect("it answers")
        .expect("from the end");
    assert_eq!(own.messages[0].content.len(), 5_000);
}

/// What the Node backend does: it sets what it changes, and the time.
#[tokio::test]
async fn a_change_of_another_program_is_claimed_once_and_a_version_of_its_own() {
    let old = Old::open().await;
    let project: ProjectId = id(0x20);
    let ours = old.patch(0x30, title("ours")).await;
    assert_eq!(ours.version, 1);
    let tasks = old.database.collection::<Document>("tasks");
    // The clock's next millisecond, so that the time of the change differs from that of ours.
    while now() <= ours.updated_at {
        tokio::task::yield_now().await;
    }
    let at = DateTime::from_millis(now().millis());
    let theirs = doc! { "$set": { "description": "theirs", "updatedAt": at } };
    tasks
        .update_one(doc! { "_id": oid(0x30) }, theirs)
        .await
        .expect("it answers");
    let shown = old
        .store
        .task(ours.id)
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!(shown.version, 2);
    // A page that has read our version is behind.
    let stale = TaskChange {
        expected: Some(1),
        ..old.change(0x30, title("stale"))
    };
    let outcome = old.store.update_task(stale).await.expect("it answers");
    assert!(matches!(outcome, TaskOutcome::Conflict(_)), "{outcome:?}");
    let claim = || {
        let named = vec![TaskField::Title];
        old.store
            .announced(project, ours.id, Claim::Fields(named), now())
    };
    let (first, second) = (
        claim().await.expect("it answers"),
        claim().await.expect("it answers"),
    );
    let Announced::Stored { task, news, .. } = first else {
        panic!("it is there");
    };
    assert_eq!((task.version, news), (3, vec![TaskField::Description]));
    let Announced::Stored { task, news, .. } = second else {
        panic!("it is there");
    };
    assert_eq!((task.version, news), (3, vec![]));
    let gone = || {
        old.store
            .announced(project, id(0xabc), Claim::Deleted, now())
    };
    assert_eq!(
        gone().await.expect("it answers"),
        Announced::Gone { is_news: true }
    );
    assert_eq!(
        gone().await.expect("it answers"),
        Announced::Gone { is_news: false }
    );
    old.store
        .delete_task(project, ours.id)
        .await
        .expect("it answers");
    let own = old.store.announced(project, ours.id, Claim::Deleted, now());
    assert_eq!(
        own.await.expect("it answers"),
        Announced::Gone { is_news: false }
    );
}
