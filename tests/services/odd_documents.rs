//! Documents that nobody expects: they are worked on all the same.

use std::sync::Arc;

use collabflow::store::MongoStore;
use collabflow_actors::{
    id::{IdSource, now},
    store::{
        CreateOutcome, MemberChange, MemberOutcome, Membered, NewTask, Store, TaskChange,
        TaskOutcome, TaskQuery,
    },
};
use collabflow_protocol::{
    id::{ObjectId, ProjectId, TaskId, UserId},
    model::{Label, Priority, ProjectPatch, Role, Status, TaskDraft, TaskPatch},
};
use mongodb::{
    Database,
    bson::{Bson, DateTime, Document, doc, oid},
};

use crate::{
    contract::options,
    mongod::{Deployment, Mongod},
};

struct Odd {
    store: Arc<MongoStore>,
    database: Database,
    ids: IdSource,
    _server: Mongod,
}

fn id<T: From<ObjectId>>(n: u8) -> T {
    ObjectId::from_bytes([n; 12]).into()
}

fn oid(n: u8) -> oid::ObjectId {
    oid::ObjectId::from_bytes([n; 12])
}

impl Odd {
    /// A project (1) without a workspace, of user 9.
    async fn open() -> Self {
        let server = Mongod::start(Deployment::Standalone).await;
        let store = MongoStore::connect(&options(&server, "odd")).await;
        let odd = Self {
            store: Arc::new(store.expect("it opens")),
            database: server.client().await.database("odd"),
            ids: IdSource::default(),
            _server: server,
        };
        let members = [doc! { "user": oid(9), "role": "owner" }];
        let project = doc! { "_id": oid(1), "name": "p", "members": members, "__v": "x" };
        odd.insert("projects", project).await;
        odd
    }

    async fn insert(&self, collection: &str, document: Document) {
        let collection = self.database.collection(collection);
        collection.insert_one(document).await.expect("it answers");
    }

    /// A task of the project that has these fields.
    async fn task(&self, n: u8, fields: Document) {
        let mut task = doc! { "_id": oid(n), "project": oid(1), "title": "t", "status": "todo" };
        task.extend(fields);
        self.insert("tasks", task).await;
    }

    async fn stored(&self, n: u8) -> Document {
        let tasks = self.database.collection::<Document>("tasks");
        let found = tasks.find_one(doc! { "_id": oid(n) }).await;
        found.expect("it answers").expect("it is there")
    }

    async fn patch(&self, n: u8, patch: TaskPatch) -> TaskOutcome {
        let change = TaskChange {
            project: id(1),
            id: id(n),
            patch,
            subtask_ids: Vec::new(),
            expected: None,
            announces: false,
            now: now(),
            random: 1,
        };
        self.store
            .update_task(change)
            .await
            .expect("it is no fault")
    }
}

fn title() -> TaskPatch {
    TaskPatch {
        title: Some("changed".into()),
        labels: Some(vec![Label {
            name: "bug".into(),
            color: "red".into(),
        }]),
        ..TaskPatch::default()
    }
}

#[tokio::test]
async fn a_task_is_made_in_a_project_that_is_in_no_workspace() {
    let odd = Odd::open().await;
    let new = NewTask {
        id: odd.ids.next(),
        project: id(1),
        draft: TaskDraft {
            title: "t".into(),
            description: None,
            status: Status::Todo,
            priority: Priority::Medium,
            assignee: None,
            due_date: None,
            subtasks: Vec::new(),
            labels: Vec::new(),
        },
        subtask_ids: Vec::new(),
        creator: id::<UserId>(9),
        once: None,
        now: now(),
        random: 1,
    };
    let made = odd.store.create_task(new).await.expect("it is no fault");
    let CreateOutcome::Created(task) = made else {
        panic!("not made: {made:?}");
    };
    let tasks = odd.database.collection::<Document>("tasks");
    let stored = tasks
        .find_one(doc! {})
        .await
        .expect("it answers")
        .expect("it is there");
    assert!(!stored.contains_key("workspace"));
    assert_eq!(
        odd.store.task(task.id).await.expect("it answers"),
        Some(*task)
    );
}

#[tokio::test]
async fn a_list_version_that_is_no_number_stays_as_it_is() {
    let odd = Odd::open().await;
    for (n, version) in [(20, Bson::Null), (21, "x".into()), (22, doc! {}.into())] {
        odd.task(n, doc! { "__v": version.clone() }).await;
        let outcome = odd.patch(n, title()).await;
        assert!(
            matches!(outcome, TaskOutcome::Changed { .. }),
            "{outcome:?}"
        );
        assert_eq!(odd.stored(n).await.get("__v"), Some(&version));
    }
    let put = MemberChange::Put(id(8), Some(Role::Member));
    let added = odd
        .store
        .change_member(Membered::Project(id(1)), put, now())
        .await;
    assert!(matches!(added, Ok(MemberOutcome::Project(_))), "{added:?}");
}

#[tokio::test]
async fn a_version_beyond_all_numbers_is_none() {
    let odd = Odd::open().await;
    for (n, version) in [(20, f64::INFINITY), (21, f64::NAN), (22, -3.0), (23, 1e300)] {
        odd.task(n, doc! { "version": version }).await;
        let TaskOutcome::Changed { after, .. } = odd.patch(n, title()).await else {
            panic!("{version} is no obstacle");
        };
        assert_eq!(after.version, 1, "{version}");
    }
}

#[tokio::test]
async fn a_field_of_our_name_that_is_another_programs_gives_way() {
    let odd = Odd::open().await;
    let theirs: [Bson; 4] = [
        5.into(),
        "x".into(),
        doc! { "ops": "x" }.into(),
        doc! { "marks": [1] }.into(),
    ];
    for (n, theirs) in (20..).zip(theirs) {
        odd.task(n, doc! { "collabflow": theirs, "kept": true })
            .await;
        let outcome = odd.patch(n, title()).await;
        assert!(
            matches!(outcome, TaskOutcome::Changed { .. }),
            "{outcome:?}"
        );
        assert_eq!(odd.stored(n).await.get_bool("kept").ok(), Some(true));
    }
}

#[tokio::test]
async fn what_looks_like_an_operator_is_a_value() {
    let odd = Odd::open().await;
    odd.task(
        20,
        doc! { "updatedAt": { "$gt": 1 }, "version": { "$gt": 1 } },
    )
    .await;
    let outcome = odd.patch(20, title()).await;
    assert!(
        matches!(outcome, TaskOutcome::Changed { .. }),
        "{outcome:?}"
    );
    odd.insert(
        "projects",
        doc! { "_id": oid(2), "name": { "$ne": 1 }, "description": { "$gt": "" } },
    )
    .await;
    let patch = ProjectPatch {
        name: Some("named".into()),
        ..ProjectPatch::default()
    };
    let changed = odd
        .store
        .update_project(id::<ProjectId>(2), patch, now())
        .await;
    assert_eq!(
        changed.expect("it answers").expect("it is there").1.name,
        "named"
    );
}

#[tokio::test]
async fn a_task_whose_project_is_stored_as_text_is_changed_and_deleted() {
    let odd = Odd::open().await;
    odd.task(20, doc! { "project": oid(1).to_hex() }).await;
    let outcome = odd.patch(20, title()).await;
    assert!(
        matches!(outcome, TaskOutcome::Changed { .. }),
        "{outcome:?}"
    );
    let elsewhere = odd
        .store
        .delete_task(id(2), id(20))
        .await
        .expect("it answers");
    assert_eq!(elsewhere, None);
    let deleted = odd
        .store
        .delete_task(id(1), id(20))
        .await
        .expect("it answers");
    assert_eq!(deleted.expect("it was there").title, "changed");
}

#[tokio::test]
async fn a_list_in_parts_has_each_task_once_however_it_says_when_it_was_made() {
    let odd = Odd::open().await;
    let times: [Bson; 8] = [
        DateTime::from_millis(1_750_000_000_000).into(),
        "2025-01-01T00:00:00Z".into(),
        1_750_000_000_000_i64.into(),
        true.into(),
        Bson::Null,
        doc! {}.into(),
        DateTime::from_millis(1_750_000_000_000).into(),
        5.5.into(),
    ];
    for (n, time) in (20..).zip(times) {
        odd.task(n, doc! { "createdAt": time }).await;
    }
    let ids = |tasks: &[collabflow_protocol::model::Task]| -> Vec<TaskId> {
        tasks.iter().map(|task| task.id).collect()
    };
    let all = odd
        .store
        .tasks(id(1), TaskQuery::default())
        .await
        .expect("it answers");
    let all = ids(&all.tasks);
    assert_eq!(all.len(), 8);
    assert_eq!(all[..2], [id(26), id(20)]);
    for limit in 1..=9 {
        let mut query = TaskQuery {
            limit: Some(limit),
            ..TaskQuery::default()
        };
        let mut parts = Vec::new();
        loop {
            let page = odd
                .store
                .tasks(id(1), query.clone())
                .await
                .expect("it answers");
            parts.extend(ids(&page.tasks));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(parts, all, "in parts of {limit}");
    }
}
