//! Tasks: versions, repeats, pages.

use serde_json::{Value, json};

use crate::app::App;

#[tokio::test]
async fn a_task_is_shown_with_its_project_and_version() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let (workspace, project) = app.project(&ada).await;
    let made = app.task(&ada, &project).await;
    assert_eq!(
        (made.header("etag"), &made.body["project"]),
        ("\"1\"", &json!(project))
    );
    let shown = app
        .get(&format!("/api/tasks/{}", made.id()), &ada)
        .await
        .expect(200);
    assert_eq!(shown.header("etag"), "\"1\"");
    let populated = &shown.body["project"];
    assert_eq!(
        (&populated["_id"], &populated["workspace"]),
        (&json!(project), &json!(workspace))
    );
    assert_eq!(
        populated["members"],
        json!([{ "user": ada.id, "role": "owner" }])
    );
    assert_eq!(populated["createdBy"], json!(ada.id));
    let mut plain = shown.body.clone();
    plain["project"] = json!(project);
    assert_eq!(plain, made.body);
}

#[tokio::test]
async fn a_change_is_made_to_the_version_that_was_seen() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let (_, project) = app.project(&ada).await;
    let path = format!("/api/tasks/{}", app.task(&ada, &project).await.id());
    let patch = async |title: &str, tag: &str| {
        app.call(
            "PATCH",
            &path,
            Some(&ada),
            json!({ "title": title }),
            &[("if-match", tag)],
        )
        .await
    };
    let second = patch("Two", "\"1\"").await.expect(200);
    assert_eq!(second.header("etag"), "\"2\"");
    for tag in ["\"1\"", "W/\"1\"", "\"two\""] {
        let reply = patch("Three", tag).await.expect(409);
        assert_eq!(
            (&reply.body["code"], &reply.body["task"]),
            (&json!("conflict"), &second.body),
            "{tag}"
        );
    }
    patch("Three", "2").await.expect(400);
    patch("Three", "*").await.expect(200);
    patch("Four", "\"1\", \"3\"").await.expect(200);
}

#[tokio::test]
async fn a_conflict_shows_a_stranger_nothing() {
    let app = App::new().await;
    let (ada, eve) = (app.person("Ada").await, app.person("Eve").await);
    let (_, project) = app.project(&ada).await;
    let path = format!("/api/tasks/{}", app.task(&ada, &project).await.id());
    let reply = app
        .call(
            "PATCH",
            &path,
            Some(&eve),
            json!({ "title": "X" }),
            &[("if-match", "\"9\"")],
        )
        .await
        .expect(403);
    assert_eq!(
        reply.body,
        json!({ "message": "Access denied", "code": "forbidden" })
    );
}

#[tokio::test]
async fn a_repeated_key_answers_the_first_task() {
    let app = App::new().await;
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    let (_, project) = app.project(&ada).await;
    let members = format!("/api/projects/{project}/members");
    app.post(&members, &ada, json!({ "userId": ben.id }))
        .await
        .expect(200);
    let create = async |person, title: &str, key: &str| {
        let draft = json!({ "title": title, "projectId": project });
        app.call(
            "POST",
            "/api/tasks",
            Some(person),
            draft,
            &[("idempotency-key", key)],
        )
        .await
    };
    let first = create(&ada, "One", "k1").await.expect(201);
    assert_eq!(create(&ada, "Two", "k1").await.expect(201).body, first.body);
    assert_ne!(create(&ada, "Two", "k2").await.expect(201).id(), first.id());
    assert_ne!(create(&ben, "Two", "k1").await.expect(201).id(), first.id());
    for key in ["", &"k".repeat(65)] {
        create(&ada, "One", key).await.expect(400);
    }
}

#[tokio::test]
async fn every_bad_field_of_a_task_is_named_its_project_too() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let draft =
        json!({ "title": " ", "projectId": "x", "status": "later", "labels": [{ "name": "" }] });
    let reply = app.post("/api/tasks", &ada, draft).await.expect(400);
    let fields: Vec<_> = reply.body["fields"]
        .as_object()
        .expect("fields")
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        fields,
        [
            "labels.0.color",
            "labels.0.name",
            "projectId",
            "status",
            "title"
        ]
    );
}

#[tokio::test]
async fn a_list_comes_newest_first_and_in_pages() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let (_, project) = app.project(&ada).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(app.task(&ada, &project).await.id());
    }
    made.reverse();
    let path = format!("/api/tasks/project/{project}");
    let ids = |body: &Value| -> Vec<String> {
        let list = body.as_array().expect("a list");
        list.iter()
            .map(|task| task["_id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let all = app
        .get(&format!("{path}?status=&assignee=&limit=&cursor="), &ada)
        .await
        .expect(200);
    assert_eq!(
        (ids(&all.body), all.header("x-next-cursor")),
        (made.clone(), "")
    );

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app
            .get(&format!("{path}?limit=2&cursor={cursor}"), &ada)
            .await
            .expect(200);
        seen.extend(ids(&page.body));
        cursor = page.header("x-next-cursor").to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, made);
    for query in [
        "limit=0",
        "limit=x",
        "status=later",
        "assignee=ada",
        "cursor=x",
    ] {
        app.get(&format!("{path}?{query}"), &ada).await.expect(400);
    }
}

#[tokio::test]
async fn a_header_that_names_no_socket_is_as_good_as_absent() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let (_, project) = app.project(&ada).await;
    let create = async |socket: &str| {
        let draft = json!({ "title": "T", "projectId": project });
        app.call(
            "POST",
            "/api/tasks",
            Some(&ada),
            draft,
            &[("x-socket-id", socket)],
        )
        .await
    };
    for socket in ["undefined", "mine", ""] {
        create(socket).await.expect(201);
    }
    create(&collabflow_actors::id::SessionId::random().to_string())
        .await
        .expect(201);
}

/// Else who was put out of a project would read on in it.
#[tokio::test]
async fn a_key_of_another_project_answers_nothing_of_it() {
    let app = App::new().await;
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    let (_, of_ada) = app.project(&ada).await;
    let (_, of_ben) = app.project(&ben).await;
    let members = format!("/api/projects/{of_ada}/members");
    app.post(&members, &ada, json!({ "userId": ben.id }))
        .await
        .expect(200);
    let create = async |project: &str| {
        let draft = json!({ "title": "Secret", "projectId": project });
        let headers = [("idempotency-key", "key")];
        app.call("POST", "/api/tasks", Some(&ben), draft, &headers)
            .await
    };
    create(&of_ada).await.expect(201);
    app.delete(&format!("{members}/{}", ben.id), &ada)
        .await
        .expect(200);
    let reply = create(&of_ben).await.expect(409);
    assert_eq!(reply.body["code"], "conflict");
    assert!(!reply.body.to_string().contains("Secret"), "{}", reply.body);
}

/// Forms send what they have not filled in as null.
#[tokio::test]
async fn what_is_null_is_absent_or_empty() {
    let app = App::new().await;
    let ada = app.person("Ada").await;
    let (workspace, project) = app.project(&ada).await;
    let draft = json!({ "title": "T", "projectId": project, "labels": null, "subtasks": null });
    let task = app.post("/api/tasks", &ada, draft).await.expect(201);
    let lists = |task: &Value| (task["labels"].clone(), task["subtasks"].clone());
    assert_eq!(lists(&task.body), (json!([]), json!([])));
    let path = format!("/api/tasks/{}", task.id());
    let labels = json!([{ "name": "L", "color": "red" }]);
    let full = json!({ "labels": labels, "subtasks": [{ "title": "S" }] });
    let full = app.patch(&path, &ada, full).await.expect(200).body;
    assert_eq!(full["labels"], labels);
    let empty = json!({ "labels": null, "subtasks": null });
    let empty = app.patch(&path, &ada, empty).await.expect(200).body;
    assert_eq!(lists(&empty), (json!([]), json!([])));

    let path = format!("/api/channels/{project}/messages");
    let message = json!({ "content": "C", "clientId": null });
    let message = app.post(&path, &ada, message).await.expect(201).body;
    assert_eq!(message.get("clientId"), None);

    let path = format!("/api/projects/{project}");
    for field in ["workspace", "workspaceId"] {
        let same = json!({ "name": field, field: workspace });
        let renamed = app.patch(&path, &ada, same).await.expect(200);
        assert_eq!(renamed.text("name"), field);
        for wrong in [json!(project), json!(null)] {
            let other = json!({ "name": "N", field: wrong });
            let reply = app.patch(&path, &ada, other).await.expect(400);
            assert!(reply.body.to_string().contains("cannot be changed"));
        }
    }
}
