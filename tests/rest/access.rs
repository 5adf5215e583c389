//! Who may do what with workspaces, projects, members and channels.

use serde_json::{Value, json};

use crate::app::{App, Person};

/// Somebody of each role, and a stranger.
struct Company {
    app: App,
    workspace: String,
    project: String,
    /// In the order of [`ROLES`].
    people: Vec<Person>,
}

const ROLES: [&str; 5] = ["stranger", "viewer", "member", "admin", "owner"];

impl Company {
    async fn new() -> Self {
        let app = App::new().await;
        let owner = app.person("Olga").await;
        let (workspace, project) = app.project(&owner).await;
        let mut people = vec![app.person("Stranger").await];
        for role in &ROLES[1..4] {
            let person = app.person(role).await;
            let draft = json!({ "userId": person.id, "role": role });
            for place in [
                format!("workspaces/{workspace}"),
                format!("projects/{project}"),
            ] {
                app.post(&format!("/api/{place}/members"), &owner, draft.clone())
                    .await
                    .expect(200);
            }
            people.push(person);
        }
        people.push(owner);
        Self {
            app,
            workspace,
            project,
            people,
        }
    }

    fn owner(&self) -> &Person {
        &self.people[4]
    }

    /// A new member of the project with this role.
    async fn newcomer(&self, role: &str) -> Person {
        let person = self.app.person("Nina").await;
        let path = format!("/api/projects/{}/members", self.project);
        let draft = json!({ "userId": person.id, "role": role });
        self.app.post(&path, self.owner(), draft).await.expect(200);
        person
    }

    /// Tries a request as each role; gives the statuses.
    async fn tried(&self, method: &str, path: &str, body: Value) -> Vec<u16> {
        let mut statuses = Vec::new();
        for person in &self.people {
            let reply = self
                .app
                .call(method, path, Some(person), body.clone(), &[])
                .await;
            statuses.push(reply.status.as_u16());
        }
        statuses
    }

    async fn channel(&self) -> String {
        let draft = json!({ "name": "C", "projectId": self.project });
        self.app
            .post("/api/channels", self.owner(), draft)
            .await
            .expect(201)
            .id()
    }
}

#[tokio::test]
async fn members_read_and_strangers_find_nothing() {
    let company = Company::new().await;
    let Company {
        workspace, project, ..
    } = &company;
    let channel = company.channel().await;
    for path in [
        format!("/api/workspaces/{workspace}"),
        format!("/api/projects/{project}"),
        format!("/api/tasks/project/{project}"),
        format!("/api/channels/project/{project}"),
    ] {
        assert_eq!(
            company.tried("GET", &path, Value::Null).await,
            [404, 200, 200, 200, 200],
            "{path}"
        );
    }
    let task = company.app.task(company.owner(), project).await.id();
    for path in [
        format!("/api/tasks/{task}"),
        format!("/api/channels/{channel}/messages"),
        format!("/api/channels/{project}/messages"),
        format!("/api/channels/{workspace}/messages"),
    ] {
        assert_eq!(
            company.tried("GET", &path, Value::Null).await,
            [403, 200, 200, 200, 200],
            "{path}"
        );
    }
}

#[tokio::test]
async fn lists_hold_what_one_is_a_member_of() {
    let company = Company::new().await;
    for (person, count) in [(&company.people[0], 0), (&company.people[1], 1)] {
        for path in [
            "/api/workspaces",
            "/api/projects",
            &format!("/api/projects?workspaceId={}", company.workspace),
        ] {
            let list = company.app.get(path, person).await.expect(200).body;
            assert_eq!(list.as_array().map(Vec::len), Some(count), "{path}");
        }
    }
}

#[tokio::test]
async fn members_write_and_viewers_do_not() {
    let company = Company::new().await;
    let Company {
        workspace, project, ..
    } = &company;
    let channel = company.channel().await;
    let task = company.app.task(company.owner(), project).await.id();
    for (method, path, body, statuses) in [
        (
            "POST",
            "/api/projects".into(),
            json!({ "name": "N", "workspaceId": workspace }),
            [404, 403, 201, 201, 201],
        ),
        (
            "PATCH",
            format!("/api/projects/{project}"),
            json!({ "name": "N" }),
            [404, 403, 200, 200, 200],
        ),
        (
            "POST",
            "/api/channels".into(),
            json!({ "name": "N", "projectId": project }),
            [404, 403, 201, 201, 201],
        ),
        (
            "POST",
            format!("/api/channels/{channel}/messages"),
            json!({ "content": "N" }),
            [403, 403, 201, 201, 201],
        ),
        (
            "POST",
            "/api/tasks".into(),
            json!({ "title": "N", "projectId": project }),
            [404, 403, 201, 201, 201],
        ),
        (
            "PATCH",
            format!("/api/tasks/{task}"),
            json!({ "title": "N" }),
            [403, 403, 200, 200, 200],
        ),
        (
            "POST",
            format!("/api/tasks/{task}/move"),
            json!({ "toStatus": "done" }),
            [403, 403, 200, 200, 200],
        ),
    ] {
        assert_eq!(
            company.tried(method, &path, body).await,
            statuses,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn admins_manage_members_and_delete_channels_and_projects() {
    let company = Company::new().await;
    let Company {
        app,
        workspace,
        project,
        people,
    } = &company;
    let add = json!({ "email": "stranger@example.com", "role": "viewer" });
    for place in [
        format!("workspaces/{workspace}"),
        format!("projects/{project}"),
    ] {
        let path = format!("/api/{place}/members");
        // From the first success on, the stranger is no stranger.
        assert_eq!(
            company.tried("POST", &path, add.clone()).await,
            [404, 403, 403, 200, 200],
            "{path}"
        );
        let path = format!("{path}/{}", people[0].id);
        app.delete(&path, &people[2]).await.expect(403);
        app.delete(&path, &people[3]).await.expect(200);
        app.delete(&path, &people[3]).await.expect(404);
    }
    let rename = json!({ "name": "N" });
    let path = format!("/api/workspaces/{workspace}");
    assert_eq!(
        company.tried("PATCH", &path, rename).await,
        [404, 403, 403, 200, 200]
    );
    let path = format!("/api/channels/{}", company.channel().await);
    assert_eq!(
        company.tried("DELETE", &path, Value::Null).await,
        [403, 403, 403, 200, 404]
    );
    let path = format!("/api/projects/{project}");
    assert_eq!(
        company.tried("DELETE", &path, Value::Null).await,
        [404, 403, 403, 200, 404]
    );
    let path = format!("/api/workspaces/{workspace}");
    assert_eq!(
        company.tried("DELETE", &path, Value::Null).await,
        [404, 403, 403, 403, 200]
    );
}

#[tokio::test]
async fn only_owners_make_demote_and_remove_owners() {
    let company = Company::new().await;
    let Company {
        app,
        project,
        people,
        ..
    } = &company;
    let path = format!("/api/projects/{project}/members");
    let second = company.newcomer("member").await;
    let admin = &people[3];
    let role = |role: &str| json!({ "userId": second.id, "role": role });
    app.post(&path, admin, role("owner")).await.expect(403);
    app.post(&path, company.owner(), role("owner"))
        .await
        .expect(200);
    app.post(&path, admin, role("member")).await.expect(403);
    app.delete(&format!("{path}/{}", second.id), admin)
        .await
        .expect(403);
    // Without a role, nothing is asked of an owner that is one.
    app.post(&path, admin, json!({ "userId": second.id }))
        .await
        .expect(200);
    app.post(&path, company.owner(), role("member"))
        .await
        .expect(200);
    app.delete(&format!("{path}/{}", second.id), admin)
        .await
        .expect(200);
}

#[tokio::test]
async fn everybody_may_leave() {
    let company = Company::new().await;
    let viewer = &company.people[1];
    let path = format!("/api/projects/{}/members/{}", company.project, viewer.id);
    company.app.delete(&path, viewer).await.expect(200);
    company
        .app
        .get(&format!("/api/projects/{}", company.project), viewer)
        .await
        .expect(404);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let company = Company::new().await;
    let Company {
        app,
        workspace,
        project,
        ..
    } = &company;
    let owner = company.owner();
    for place in [
        format!("workspaces/{workspace}"),
        format!("projects/{project}"),
    ] {
        let path = format!("/api/{place}/members");
        let reply = app
            .delete(&format!("{path}/{}", owner.id), owner)
            .await
            .expect(403);
        assert_eq!(
            reply.text("message"),
            "The last owner stays: make somebody else an owner first"
        );
        app.post(&path, owner, json!({ "userId": owner.id, "role": "admin" }))
            .await
            .expect(403);
    }
}

#[tokio::test]
async fn leaving_a_workspace_ends_the_memberships_in_its_projects_or_nothing() {
    let company = Company::new().await;
    let Company {
        app,
        workspace,
        project,
        people,
    } = &company;
    let members = format!("/api/workspaces/{workspace}/members");
    let member = &people[2];
    let own = json!({ "name": "Mine", "workspaceId": workspace });
    let own = app
        .post("/api/projects", member, own)
        .await
        .expect(201)
        .id();
    let reply = app
        .delete(&format!("{members}/{}", member.id), member)
        .await
        .expect(403);
    let message =
        "The project \"Mine\" would lose its last owner: make somebody else its owner first";
    assert_eq!(reply.text("message"), message);
    app.get(&format!("/api/projects/{project}"), member)
        .await
        .expect(200);

    app.delete(&format!("/api/projects/{own}"), member)
        .await
        .expect(200);
    app.delete(&format!("{members}/{}", member.id), member)
        .await
        .expect(200);
    app.get(&format!("/api/projects/{project}"), member)
        .await
        .expect(404);
}

#[tokio::test]
async fn a_deleted_workspace_takes_everything_with_it() {
    let company = Company::new().await;
    let Company {
        app,
        workspace,
        project,
        ..
    } = &company;
    let owner = company.owner();
    let (channel, task) = (company.channel().await, app.task(owner, project).await.id());
    app.delete(&format!("/api/workspaces/{workspace}"), owner)
        .await
        .expect(200);
    for path in [
        format!("/api/workspaces/{workspace}"),
        format!("/api/projects/{project}"),
        format!("/api/tasks/project/{project}"),
        format!("/api/tasks/{task}"),
        format!("/api/channels/{channel}/messages"),
        format!("/api/channels/{project}/messages"),
    ] {
        app.get(&path, owner).await.expect(404);
    }
}

#[tokio::test]
async fn a_member_is_found_by_the_email_of_an_account_before_one_of_claims() {
    let company = Company::new().await;
    let app = &company.app;
    // Known from claims, this stranger owns no email: an account gets it.
    let draft =
        json!({ "name": "S", "email": "stranger@example.com", "password": "correct horse" });
    let account = app
        .call("POST", "/api/auth/register", None, draft, &[])
        .await
        .expect(201);
    let path = format!("/api/projects/{}/members", company.project);
    let add = json!({ "email": "Stranger@Example.com" });
    let project = app.post(&path, company.owner(), add).await.expect(200);
    let newest = project.body["members"]
        .as_array()
        .and_then(|members| members.last())
        .expect("members");
    assert_eq!(newest["user"]["_id"], account.body["user"]["_id"]);
    assert_eq!(newest["role"], "member");
    app.post(
        &path,
        company.owner(),
        json!({ "email": "nobody@example.com" }),
    )
    .await
    .expect(404);
}
