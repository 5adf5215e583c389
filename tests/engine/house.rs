//! A server of a test's own, and the people who use it.

use std::time::Duration;

use collabflow::{
    auth::Tokens,
    config::{Config, Secret},
    server::Server,
};
use collabflow_actors::id::IdSource;
use collabflow_protocol::model::UserBrief;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Polls, Socket};

/// Longer than anything here takes, shorter than a defect is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Fails the test where something that has to happen does not.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("not in time: {what}"),
    }
}

/// A running server, in a folder of its own.
pub(crate) struct House {
    server: Server,
    tokens: Tokens,
    ids: IdSource,
    pub(crate) http: Client,
    _folder: TempDir,
}

/// Somebody with a token.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) token: String,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With some settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = Secret::new("the secret of the tests, long enough");
        let mut config = Config::defaults();
        config.server.port = 0;
        config.data.dir = folder.path().to_owned();
        config.auth.secret = Some(secret.clone());
        change(&mut config);
        let tokens = Tokens::new(&secret, &config.auth);
        let server = Server::start(config).await.expect("the server starts");
        // No connection is kept for another request, so that each test sees its own.
        let http = Client::builder()
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client");
        Self {
            server,
            tokens,
            ids: IdSource::default(),
            http,
            _folder: folder,
        }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.address()))
    }

    /// Ends the server.
    pub(crate) async fn end(self) {
        soon("the server ends", self.server.stop())
            .await
            .expect("an orderly end");
    }

    /// Somebody whom the server has met.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let user = UserBrief {
            id: self.ids.next(),
            name: name.into(),
            email: Some(format!("{}@example.com", name.to_lowercase())),
        };
        let token = self.tokens.issue_for(&user, Duration::from_secs(600));
        let person = Person {
            id: user.id.to_string(),
            token,
        };
        self.call(Method::GET, "/api/auth/me", &person, Value::Null)
            .await;
        person
    }

    /// A request that is granted.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        person: &Person,
        body: Value,
    ) -> Value {
        let mut request = self.request(method, path).bearer_auth(&person.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = soon(path, request.send()).await.expect("an answer");
        assert!(
            response.status().is_success(),
            "{path}: {}",
            response.status()
        );
        response.json().await.expect("JSON")
    }

    /// A new project of `owner`, with `others` as members; its id is the id of its own channel too.
    pub(crate) async fn project(&self, owner: &Person, others: &[&Person]) -> String {
        let workspace = self
            .make("/api/workspaces", owner, json!({ "name": "W" }))
            .await;
        let draft = json!({ "name": "P", "workspaceId": workspace });
        let project = self.make("/api/projects", owner, draft).await;
        for other in others {
            for place in [
                format!("workspaces/{workspace}"),
                format!("projects/{project}"),
            ] {
                let path = format!("/api/{place}/members");
                let member = json!({ "userId": other.id });
                self.call(Method::POST, &path, owner, member).await;
            }
        }
        project
    }

    async fn make(&self, path: &str, person: &Person, draft: Value) -> String {
        let made = self.call(Method::POST, path, person, draft).await;
        made["_id"].as_str().expect("an id").to_owned()
    }

    /// A WebSocket after its handshake.
    pub(crate) async fn socket(&self) -> Socket {
        Socket::open(self).await
    }

    /// A WebSocket with a session of `person`.
    pub(crate) async fn session(&self, person: &Person) -> Socket {
        let mut socket = self.socket().await;
        socket.connect(person).await;
        socket
    }

    /// A polling session after its handshake.
    pub(crate) async fn polls(&self) -> Polls {
        Polls::open(self).await
    }
}

/// An answer: its status and body.
pub(crate) async fn read(response: Response) -> (StatusCode, String) {
    let status = response.status();
    (status, response.text().await.expect("a whole body"))
}
