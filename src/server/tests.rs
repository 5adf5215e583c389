use std::collections::BTreeSet;

use collabflow_protocol::model::UserBrief;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{connect_async, tungstenite::Message};

use super::*;
use crate::config::Secret;

const PATIENCE: Duration = Duration::from_secs(10);

/// A server, and a client of it who is called for by REST.
struct Stage {
    server: Server,
    token: String,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::defaults();
        config.data.dir = folder.path().to_owned();
        config.server.port = 0;
        let secret = Secret::new("the secret of the tests, long enough");
        config.auth.secret = Some(secret.clone());
        let tokens = Tokens::new(&secret, &config.auth);
        let server = Server::start(config).await.expect("a server");
        let user = UserBrief {
            id: server.node().ids().next(),
            name: "Ada".into(),
            email: None,
        };
        Self {
            token: tokens.issue_for(&user, Duration::from_secs(600)),
            server,
            _folder: folder,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    async fn get(&self, path: &str) -> String {
        let request = reqwest::Client::new().get(self.url(path));
        let answer = request.bearer_auth(&self.token).send().await;
        answer.expect("an answer").text().await.expect("text")
    }

    /// Makes something; gives its id.
    async fn make(&self, path: &str, draft: &Value) -> String {
        let request = reqwest::Client::new().post(self.url(path)).json(draft);
        let answer = request.bearer_auth(&self.token).send().await;
        let made: Value = answer.expect("an answer").json().await.expect("JSON");
        made["_id"].as_str().expect("an id").to_owned()
    }
}

/// The blueprint supervises it like the actors: what was not written is not acknowledged, and the rest goes on.
#[tokio::test]
async fn a_store_writer_that_breaks_under_traffic_costs_nobody_their_connection() {
    const TASKS: usize = 200;
    let stage = Stage::set().await;
    let workspace = stage.make("/api/workspaces", &json!({ "name": "W" })).await;
    let draft = json!({ "name": "P", "workspaceId": workspace });
    let project = stage.make("/api/projects", &draft).await;
    let url = format!("ws://{}/ws?token={}", stage.server.address(), stage.token);
    let (mut socket, _) = connect_async(url).await.expect("a websocket");
    for number in 0..TASKS {
        if number % 50 == 25 {
            stage.server.store.break_writer();
        }
        let task = json!({ "projectId": project, "task": { "title": format!("t{number}") } });
        let create = json!({ "event": "task:create", "data": task, "id": number });
        let sent = socket.send(Message::text(create.to_string())).await;
        sent.expect("the connection stays");
        tokio::task::yield_now().await;
    }
    let (mut acknowledged, mut answers) = (BTreeSet::new(), 0);
    while answers < TASKS {
        let message = timeout(PATIENCE, socket.next()).await.expect("in time");
        let message = message.expect("the connection stays").expect("a message");
        let frame: Value = serde_json::from_str(message.to_text().expect("text")).expect("JSON");
        if frame["event"] != "ack" {
            continue;
        }
        answers += 1;
        if frame["data"]["ok"] == true {
            let title = &frame["data"]["task"]["title"];
            acknowledged.insert(title.as_str().expect("a title").to_owned());
        } else {
            assert_eq!(frame["data"]["error"]["code"], "unavailable", "{frame}");
        }
    }
    let stored = stage.get(&format!("/api/tasks/project/{project}")).await;
    let stored: Vec<Value> = serde_json::from_str(&stored).expect("JSON");
    let title = |task: &Value| task["title"].as_str().expect("a title").to_owned();
    let titles: BTreeSet<_> = stored.iter().map(title).collect();
    assert_eq!(titles.len(), stored.len(), "each once");
    assert!(
        acknowledged.is_subset(&titles),
        "what is acknowledged is stored"
    );
    assert!(acknowledged.len() > TASKS / 2, "{}", acknowledged.len());
    let numbers = stage.get("/metrics").await;
    let restarts = "collabflow_actor_restarts_total{kind=\"store_writer\"}";
    assert!(numbers.contains(restarts), "{numbers}");
    stage.server.stop().await.expect("an orderly end");
}
