//! The router as tests drive it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use collabflow::{
    auth::{Auth, Tokens},
    config::{Config, Secret},
    edge::{health, rejection, rest::Rest},
    store::{Options, SqliteStore},
};
use collabflow_actors::{id::IdSource, node::Node, store::Store};
use collabflow_protocol::model::UserBrief;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower_service::Service;
use warp::{
    Filter,
    filters::BoxedFilter,
    http::{HeaderMap, Method, Request, StatusCode, header},
    reply::Response,
};

/// A router over an empty store of its own.
pub(crate) struct App {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) folder: tempfile::TempDir,
    tokens: Tokens,
    ids: IdSource,
    routes: BoxedFilter<(Response,)>,
}

/// Somebody with a token.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With some settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::defaults();
        change(&mut config);
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(folder, config).await
    }

    /// A new process over the data of this one.
    pub(crate) async fn restarted(self) -> Self {
        self.store.close().await;
        Self::over(self.folder, Config::defaults()).await
    }

    async fn over(folder: tempfile::TempDir, config: Config) -> Self {
        let path = folder.path().join("collabflow.db");
        let store = Arc::new(SqliteStore::open(&path, &Options::default()).expect("a store"));
        let shared: Arc<dyn Store> = Arc::clone(&store) as _;
        let secret = Secret::new("dev-secret");
        let auth = Auth::new(Tokens::new(&secret, &config.auth), Arc::clone(&shared));
        let tokens = Tokens::new(&secret, &config.auth);
        let node = Node::start(Arc::clone(&shared), config.engine_settings()).await;
        let rest = Rest::new(node.clone(), Arc::new(auth), Arc::new(config));
        let routes = health::routes(node, || false).or(rest.routes()).unify();
        let routes = routes.recover(rejection::recover).unify().boxed();
        Self {
            store,
            folder,
            tokens,
            ids: IdSource::default(),
            routes,
        }
    }

    /// Somebody whom the server has met by their token alone.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let user = UserBrief {
            id: self.ids.next(),
            name: name.into(),
            email: Some(format!("{}@example.com", name.to_lowercase())),
        };
        let token = self.tokens.issue_for(&user, Duration::from_secs(60));
        let person = Person {
            id: user.id.to_string(),
            token,
        };
        self.get("/api/auth/me", &person).await.expect(200);
        person
    }

    pub(crate) async fn request(&self, request: Request<Full<Bytes>>) -> Reply {
        let response = warp::service(self.routes.clone())
            .call(request)
            .await
            .expect("never fails");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).expect("JSON")
        };
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// A request with a JSON body, unless that is null, and some headers.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        person: Option<&Person>,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = Request::builder()
            .method(method.parse::<Method>().expect("a method"))
            .uri(path);
        if let Some(person) = person {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", person.token));
        }
        if !body.is_null() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        self.request(request.body(Full::new(body)).expect("a request"))
            .await
    }

    pub(crate) async fn get(&self, path: &str, person: &Person) -> Reply {
        self.call("GET", path, Some(person), Value::Null, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, person: &Person, body: Value) -> Reply {
        self.call("POST", path, Some(person), body, &[]).await
    }

    pub(crate) async fn patch(&self, path: &str, person: &Person, body: Value) -> Reply {
        self.call("PATCH", path, Some(person), body, &[]).await
    }

    pub(crate) async fn delete(&self, path: &str, person: &Person) -> Reply {
        self.call("DELETE", path, Some(person), Value::Null, &[])
            .await
    }

    /// A workspace of this owner with a project in it.
    pub(crate) async fn project(&self, owner: &Person) -> (String, String) {
        let workspace = self
            .post("/api/workspaces", owner, json!({ "name": "W" }))
            .await
            .expect(201)
            .id();
        let draft = json!({ "name": "P", "workspaceId": workspace });
        let project = self
            .post("/api/projects", owner, draft)
            .await
            .expect(201)
            .id();
        (workspace, project)
    }

    /// A task of the project.
    pub(crate) async fn task(&self, author: &Person, project: &str) -> Reply {
        let draft = json!({ "title": "T", "projectId": project });
        self.post("/api/tasks", author, draft).await.expect(201)
    }
}

impl Reply {
    /// Itself, where it has this status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    pub(crate) fn id(&self) -> String {
        self.text("_id")
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field]
            .as_str()
            .unwrap_or_else(|| panic!("{field} is in {}", self.body))
            .into()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }
}
