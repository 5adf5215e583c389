//! What is written by the contract is read as what it was, and reading is lenient where the contract is.

use collabflow_protocol::engine::{Query, Transport};
use collabflow_protocol::id::{ObjectId, UserId};
use collabflow_protocol::model::{Priority, Status, TaskDraft, TaskPatch};
use collabflow_protocol::time::Timestamp;
use collabflow_protocol::validate::Unknown;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}

fn a_status() -> impl Strategy<Value = Status> {
    let words = ["todo", "in-progress", "done"];
    proptest::sample::select(words.to_vec()).prop_map(|word| Status::named(word).expect("a word"))
}

fn a_priority() -> impl Strategy<Value = Priority> {
    let words = ["low", "medium", "high"];
    proptest::sample::select(words.to_vec()).prop_map(|word| Priority::named(word).expect("a word"))
}

fn a_date() -> impl Strategy<Value = Timestamp> {
    (0_i64..253_402_300_799_999).prop_map(|millis| Timestamp::from_millis(millis).expect("a date"))
}

fn an_id() -> impl Strategy<Value = ObjectId> {
    any::<[u8; 12]>().prop_map(ObjectId::from_bytes)
}

proptest! {
    #[test]
    fn dates_and_ids_are_read_as_they_were_written(date in a_date(), id in an_id()) {
        prop_assert_eq!(Timestamp::parse(&date.to_string()), Ok(date));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn a_task_is_read_as_it_was_written(
        title in "[a-zé€]{1,200}",
        description in proptest::option::of("[a-zé€]{1,50}"),
        status in a_status(),
        priority in a_priority(),
        assignee in proptest::option::of(an_id()),
        due_date in proptest::option::of(a_date()),
        subtasks in proptest::collection::vec(("[a-z]{1,20}", any::<bool>()), 0..5),
        pad in "[ \n\t]{0,3}",
    ) {
        let body = object(json!({
            "title": format!("{pad}{title}{pad}"),
            "description": description,
            "status": status,
            "priority": priority,
            "assignee": assignee,
            "dueDate": due_date,
            "subtasks": subtasks.iter().map(|(title, completed)| json!({ "title": title, "completed": completed })).collect::<Vec<_>>(),
        }));
        let draft = TaskDraft::parse(&body, Unknown::Reject).expect("it keeps to the contract");
        prop_assert_eq!(&draft.title, &title);
        prop_assert_eq!(&draft.description, &description);
        prop_assert_eq!((draft.status.clone(), draft.priority), (status.clone(), priority));
        prop_assert_eq!(draft.assignee, assignee.map(UserId::from));
        prop_assert_eq!(draft.due_date, due_date);
        let read: Vec<_> = draft.subtasks.into_iter().map(|subtask| (subtask.title, subtask.completed)).collect();
        prop_assert_eq!(read, subtasks);
        let patch = TaskPatch::parse(&body, Unknown::Reject).expect("a change as well");
        prop_assert_eq!((patch.title, patch.status), (Some(title), Some(status)));
        prop_assert_eq!(patch.assignee, Some(assignee.map(UserId::from)));
    }

    #[test]
    fn unknown_fields_are_passed_over_or_refused_as_it_is_set(name in "x[a-z]{0,10}", value in any::<i64>()) {
        let body = object(json!({ "title": "t", name: value }));
        prop_assert!(TaskDraft::parse(&body, Unknown::Ignore).is_ok());
        prop_assert!(TaskDraft::parse(&body, Unknown::Reject).is_err());
    }

    #[test]
    fn a_query_is_read_as_it_was_written(sid in "\\PC{1,30}", junk in "[a-z]{0,9}") {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("EIO", "4").append_pair("transport", "websocket");
        query.append_pair("sid", &sid).append_pair("t", &junk);
        let query = Query::parse(&query.finish()).expect("a transport");
        prop_assert_eq!((query.transport, query.sid.as_deref()), (Transport::Websocket, Some(sid.as_str())));
        prop_assert!(query.check_protocol().is_ok());
    }
}
