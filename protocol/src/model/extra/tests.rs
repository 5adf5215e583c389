use serde_json::json;

use super::*;
use crate::model::{Project, User, Workspace};

const ID: &str = "64b7f3a2c9e77a0012345678";

fn extra(value: Value) -> Extra {
    serde_json::from_value(value).expect("any object will do")
}

fn user(value: Value) -> User {
    serde_json::from_value(value).expect("a user")
}

fn written(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("a document is written")
}

/// A user, a workspace and a project that show all of their fields.
fn documents() -> [Value; 3] {
    let ada = json!({ "_id": ID, "name": "Ada", "email": "ada@x.y", "avatar": "a.png" });
    let at = "2026-01-01T00:00:00.000Z";
    let members = json!([{ "user": ada, "role": "owner" }]);
    let workspace = json!({
        "_id": ID, "name": "w", "owner": ID, "members": members, "createdAt": at, "updatedAt": at,
    });
    let project = json!({
        "_id": ID, "name": "p", "description": "d", "workspace": ID, "members": members,
        "createdBy": { "_id": ID, "name": "Ada", "email": null }, "createdAt": at, "updatedAt": at,
    });
    [ada, workspace, project]
}

/// Reads each of them, puts the same extra fields into it, and writes it.
fn written_with(documents: [Value; 3], extra: &Extra) -> [String; 3] {
    let [user, workspace, project] = documents;
    let mut user = self::user(user);
    let mut workspace: Workspace = serde_json::from_value(workspace).expect("a workspace");
    let mut project: Project = serde_json::from_value(project).expect("a project");
    user.extra = extra.clone();
    workspace.extra = extra.clone();
    project.extra = extra.clone();
    [written(&user), written(&workspace), written(&project)]
}

#[test]
fn fields_that_are_not_known_are_read_and_written_again() {
    let more =
        json!({ "theme": "dark", "plan": null, "nested": { "_id": 1, "list": [{ "$n": 2 }] } });
    for text in written_with(documents(), &extra(more.clone())) {
        let document: Map<String, Value> = serde_json::from_str(&text).expect("an object");
        for (name, value) in more.as_object().expect("an object") {
            assert_eq!(document.get(name), Some(value), "{text}");
        }
    }
    let [mut ada, ..] = documents();
    ada["theme"] = json!("dark");
    let read = user(ada.clone());
    assert_eq!(read.extra, extra(json!({ "theme": "dark" })));
    assert_eq!(json!(read), ada);
}

#[test]
fn a_document_without_extra_fields_is_written_as_it_was_read() {
    for (text, document) in written_with(documents(), &Extra::default())
        .iter()
        .zip(documents())
    {
        let again: Value = serde_json::from_str(text).expect("an object");
        assert_eq!(again, document);
    }
}

/// In the text: `serde_json` reads a name that is there twice without complaint.
#[test]
fn each_name_of_a_document_is_written_once_and_its_own_value_wins() {
    for (index, document) in documents().into_iter().enumerate() {
        let names = document.as_object().expect("an object").keys();
        let taken = Extra(Some(Arc::new(
            names.map(|name| (name.clone(), json!("taken"))).collect(),
        )));
        let text = &written_with(documents(), &taken)[index];
        assert!(!text.contains("taken"), "{text}");
    }
}

#[test]
fn an_own_field_that_is_not_shown_hides_an_extra_one_all_the_same() {
    let [mut ada, _, mut project] = documents();
    ada.as_object_mut().expect("an object").remove("avatar");
    project
        .as_object_mut()
        .expect("an object")
        .remove("description");
    let [_, workspace, _] = documents();
    let taken = extra(json!({ "avatar": "taken", "description": "taken" }));
    let [ada, workspace, project] = written_with([ada, workspace, project], &taken);
    assert_eq!(ada.matches("taken").count(), 1, "the description: {ada}");
    assert_eq!(project.matches("taken").count(), 1, "the avatar: {project}");
    assert_eq!(workspace.matches("taken").count(), 2, "both: {workspace}");
}

#[test]
fn secrets_and_names_of_the_database_are_never_passed_through() {
    for name in [
        "password",
        "oldPassword",
        "passwordChangedAt",
        "resetToken",
        "TOKENS",
        "apiSecret",
        "pwSalt",
        "pinHash",
        "_private",
        "__v",
        "$set",
    ] {
        let extra = Extra::of([(name.to_owned(), json!("hidden"))]);
        assert!(extra.is_empty(), "{name}");
        let [mut ada, ..] = documents();
        ada[name] = json!("hidden");
        assert!(!written(&user(ada)).contains("hidden"), "{name}");
    }
    let kept = Extra::of([
        ("theme".to_owned(), json!("dark")),
        ("hash".to_owned(), json!(1)),
    ]);
    assert_eq!(kept.get("theme"), Some(&json!("dark")));
    assert_eq!(kept, extra(json!({ "theme": "dark" })));
}

#[test]
fn secrets_inside_of_other_fields_are_left_out() {
    let services = json!({
        "services": { "password": { "bcrypt": "x" }, "google": { "accessToken": "x", "id": 7 } },
        "devices": [[{ "pushToken": "x", "name": "phone" }]],
    });
    let kept = json!({ "services": { "google": { "id": 7 } }, "devices": [[{ "name": "phone" }]] });
    assert_eq!(json!(extra(services)), kept);
}

#[test]
fn others_see_a_user_without_extra_fields() {
    let [mut ada, ..] = documents();
    let plain = user(ada.clone());
    ada["theme"] = json!("dark");
    let own = user(ada);
    assert_ne!(own, plain);
    assert_eq!(own.populated(), plain);
}

#[test]
fn no_extra_fields_take_no_memory_and_clones_share_what_there_is() {
    assert_eq!(size_of::<Extra>(), size_of::<usize>());
    assert_eq!(extra(json!({})), Extra::default());
    let one = extra(json!({ "theme": "dark" }));
    let Extra(Some(two)) = one.clone() else {
        panic!("a field is kept");
    };
    assert!(one.0.is_some_and(|one| Arc::ptr_eq(&one, &two)));
}
