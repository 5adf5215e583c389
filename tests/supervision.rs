//! What a panic in an actor does to those who are connected: nothing, or as little as can be.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use collabflow::{
    auth::Tokens,
    config::{Config, Secret},
    server::Server,
};
use collabflow_actors::{
    id::now,
    key::RoomKey,
    node::Node,
    store::{MemberChange, Membered},
};
use collabflow_protocol::{
    id::{ChannelId, ProjectId, UserId, WorkspaceId},
    model::{Extra, ProjectDraft, User, UserBrief},
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(10);

struct Stage {
    server: Server,
    tokens: Tokens,
    workspace: WorkspaceId,
    project: ProjectId,
    users: Vec<UserBrief>,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// A project of three members.
    async fn set() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = Secret::new("dev-secret");
        let mut config = Config::defaults();
        config.data.dir = folder.path().to_owned();
        config.server.port = 0;
        config.auth.secret = Some(secret.clone());
        let tokens = Tokens::new(&secret, &config.auth);
        let server = Server::start(config).await.expect("a server");
        let (store, ids) = (server.node().store(), server.node().ids());
        let mut users = Vec::new();
        for name in ["Ada", "Ben", "Cyd"] {
            let user = User {
                id: ids.next(),
                name: name.into(),
                email: None,
                avatar: None,
                extra: Extra::default(),
            };
            store.remember(user.clone()).await.expect("remembered");
            users.push(UserBrief::from(user));
        }
        let owner = users[0].id;
        let workspace = store
            .create_workspace(ids.next(), "W".into(), owner, now())
            .await
            .expect("a workspace");
        let draft = ProjectDraft {
            name: "P".into(),
            description: None,
            workspace: workspace.id,
        };
        let project = store
            .create_project(ids.next(), draft, owner, now())
            .await
            .expect("stored")
            .expect("a project");
        for user in &users[1..] {
            let put = MemberChange::Put(user.id, None);
            store
                .change_member(Membered::Project(project.id), put, now())
                .await
                .expect("a member");
        }
        Self {
            server,
            tokens,
            workspace: workspace.id,
            project: project.id,
            users,
            _folder: folder,
        }
    }

    async fn join(&self, user: usize) -> Client {
        let token = self
            .tokens
            .issue_for(&self.users[user], Duration::from_secs(60));
        let mut client = Client::connect(&self.server, &token).await;
        client
            .send(&format!("42[\"join:project\",\"{}\"]", self.project))
            .await;
        client.until("room:users").await;
        client
    }

    /// Breaks an actor, and waits until that has been seen.
    async fn breaks(&self, break_one: impl FnOnce(&Node)) {
        let node = self.server.node();
        let before = node.broken_actors();
        break_one(node);
        let is_seen = async {
            while node.broken_actors() == before {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, is_seen).await.expect("it breaks");
    }

    /// What `/metrics` says of a sample.
    async fn metric(&self, name: &str) -> Option<f64> {
        let url = format!("http://{}/metrics", self.server.address());
        let numbers = reqwest::get(url).await.expect("an answer").text().await;
        let numbers = numbers.expect("text");
        let line = numbers.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok())
    }

    fn everybody(&self) -> BTreeSet<String> {
        self.users.iter().map(|user| user.id.to_string()).collect()
    }
}

/// A Socket.IO client over WebSocket, as plain as can be.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    sid: String,
    heard: Vec<(String, Value)>,
    acks: BTreeMap<u64, Value>,
}

impl Client {
    async fn connect(server: &Server, token: &str) -> Self {
        let url = format!(
            "ws://{}/socket.io/?EIO=4&transport=websocket",
            server.address()
        );
        let (socket, _) = connect_async(url).await.expect("a websocket");
        let mut client = Self {
            socket,
            sid: String::new(),
            heard: Vec::new(),
            acks: BTreeMap::new(),
        };
        client
            .send(&format!("40{}", json!({ "token": token })))
            .await;
        while client.sid.is_empty() {
            assert!(client.read().await, "the connection is open");
        }
        client
    }

    async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("sent");
    }

    /// Takes one message; false where the connection is closed.
    async fn read(&mut self) -> bool {
        let Some(Ok(message)) = timeout(PATIENCE, self.socket.next())
            .await
            .expect("a message in time")
        else {
            return false;
        };
        let Message::Text(text) = message else {
            return !message.is_close();
        };
        if let Some(event) = text.strip_prefix("42") {
            let mut event: Vec<Value> = serde_json::from_str(event).expect("an event");
            let payload = event.pop().expect("a payload");
            self.heard
                .push((event[0].as_str().expect("a name").to_owned(), payload));
        } else if let Some(ack) = text.strip_prefix("43") {
            let (id, answer) = ack.split_at(ack.find('[').expect("an array"));
            let answer: Vec<Value> = serde_json::from_str(answer).expect("an answer");
            self.acks
                .insert(id.parse().expect("a number"), answer[0].clone());
        } else if let Some(connected) = text.strip_prefix("40") {
            let connected: Value = serde_json::from_str(connected).expect("json");
            connected["sid"]
                .as_str()
                .expect("a sid")
                .clone_into(&mut self.sid);
        }
        true
    }

    /// Sends an event and waits for its acknowledgement, which says that all went well.
    async fn ask(&mut self, event: &Value) -> Value {
        const ID: u64 = 999_999;
        self.send(&format!("42{ID}{event}")).await;
        while !self.acks.contains_key(&ID) {
            assert!(self.read().await, "the connection stays open");
        }
        let ack = self.acks.remove(&ID).expect("found");
        assert_eq!(ack["ok"], true, "{event}: {ack}");
        ack
    }

    /// Waits for an event; its payload is taken, and everything before it dropped.
    async fn until(&mut self, name: &str) -> Value {
        loop {
            if let Some(at) = self.heard.iter().position(|(heard, _)| heard == name) {
                return self.heard.drain(..=at).next_back().expect("found").1;
            }
            assert!(self.read().await, "the connection stays open");
        }
    }

    fn titles(&self) -> Vec<String> {
        let created = self.heard.iter().filter(|(name, _)| name == "task:created");
        created
            .map(|(_, payload)| {
                payload["task"]["title"]
                    .as_str()
                    .expect("a title")
                    .to_owned()
            })
            .collect()
    }
}

#[tokio::test]
async fn a_room_that_breaks_under_traffic_keeps_its_members_and_what_was_stored() {
    const TASKS: u64 = 300;
    let stage = Stage::set().await;
    let mut author = stage.join(0).await;
    let mut members = [
        stage.join(0).await,
        stage.join(1).await,
        stage.join(2).await,
    ];
    for member in &mut members {
        member.heard.clear();
    }

    for number in 0..TASKS {
        if number % 100 == 50 {
            stage
                .server
                .node()
                .break_room(RoomKey::Project(stage.project));
        }
        let create = json!(["task:create", { "projectId": stage.project, "task": { "title": format!("t{number}") } }]);
        author.send(&format!("42{number}{create}")).await;
        tokio::task::yield_now().await;
    }
    while author.acks.len() < TASKS as usize {
        assert!(author.read().await, "the author stays connected");
    }
    let is_stored = |number: &u64| author.acks[number]["ok"] == true;
    let stored: Vec<String> = (0..TASKS)
        .filter(is_stored)
        .map(|number| format!("t{number}"))
        .collect();
    assert_eq!(
        stored.len(),
        TASKS as usize,
        "what was sent around the breaks is not lost"
    );
    assert_eq!(stage.server.node().broken_actors(), 3);
    // The numbers are those of the process, which has other tests.
    let restarts = stage.metric("collabflow_actor_restarts_total{kind=\"room\"}");
    assert!(restarts.await >= Some(3.0));

    // The next event flows, to everybody, and whoever was in the room is in it.
    let create =
        json!(["task:create", { "projectId": stage.project, "task": { "title": "last" } }]);
    author.send(&format!("429999{create}")).await;
    for member in &mut members {
        while member.titles().last().map(String::as_str) != Some("last") {
            assert!(member.read().await, "members stay connected");
        }
        let mut heard = member.titles();
        heard.pop();
        heard.retain(|title| stored.contains(title));
        assert_eq!(heard, stored, "each acknowledged task once and in order");
        let online = member
            .heard
            .iter()
            .rev()
            .find(|(name, _)| name == "room:users")
            .expect("told who is there");
        let online: Vec<UserId> = serde_json::from_value(online.1["users"].clone()).expect("ids");
        assert_eq!(
            online
                .iter()
                .map(ToString::to_string)
                .collect::<BTreeSet<_>>(),
            stage.everybody()
        );
        assert_eq!(online.len(), 3);
    }
    stage.server.stop().await.expect("an orderly end");
}

/// The other two kinds of rooms: nobody's connection drops, and no message is lost, doubled or out of place.
#[tokio::test]
async fn a_channel_and_a_workspace_that_break_under_traffic_keep_their_members() {
    const MESSAGES: u64 = 120;
    let stage = Stage::set().await;
    let channel: ChannelId = stage.project.to_string().parse().expect("an id");
    let (mut author, mut member) = (stage.join(0).await, stage.join(1).await);
    for client in [&mut author, &mut member] {
        client.ask(&json!(["chat:join", channel])).await;
    }
    let join_workspace = json!(["join:workspace", stage.workspace]);
    author.ask(&join_workspace).await;
    for number in 0..MESSAGES {
        if number % 40 == 20 {
            let node = stage.server.node();
            node.break_room(RoomKey::Chat(channel));
            node.break_room(RoomKey::Workspace(stage.workspace));
        }
        let message =
            json!(["chat:message", { "channelId": channel, "content": number.to_string() }]);
        author.send(&format!("42{number}{message}")).await;
        tokio::task::yield_now().await;
    }
    let is_answered = |client: &Client| (0..MESSAGES).all(|n| client.acks.contains_key(&n));
    while !is_answered(&author) {
        assert!(author.read().await, "the author stays connected");
    }
    let mut stored: Vec<_> = (0..MESSAGES)
        .filter(|n| author.acks[n]["ok"] == true)
        .collect();
    assert_eq!(
        stored.len() as u64,
        MESSAGES,
        "what was sent around the breaks is not lost"
    );
    stored.push(MESSAGES);
    let last = json!(["chat:message", { "channelId": channel, "content": MESSAGES.to_string() }]);
    author.ask(&last).await;
    let contents = |client: &Client| -> Vec<u64> {
        let told = client
            .heard
            .iter()
            .filter(|(name, _)| name == "chat:newMessage");
        let content = |payload: &Value| payload["content"].as_str().expect("text").to_owned();
        told.map(|(_, payload)| content(payload).parse().expect("a number"))
            .collect()
    };
    while contents(&member).last() != Some(&MESSAGES) {
        assert!(member.read().await, "members stay connected");
    }
    assert_eq!(contents(&member), stored, "each once and in order");
    author.heard.clear();
    let mut other = stage.join(0).await;
    let ack = other.ask(&join_workspace).await;
    let users = ack["users"].as_array().expect("users");
    assert_eq!(users.len(), 1, "the workspace knows who is in it: {ack}");
    author
        .ask(&json!(["leave:workspace", stage.workspace]))
        .await;
    assert_eq!(stage.server.node().broken_actors(), 6);
    stage.server.stop().await.expect("an orderly end");
}

#[tokio::test]
async fn a_session_that_breaks_is_closed_alone() {
    let stage = Stage::set().await;
    let mut broken = stage.join(1).await;
    let mut other = stage.join(2).await;
    stage
        .server
        .node()
        .break_session(broken.sid.parse().expect("a sid"));
    while broken.read().await {}
    let create =
        json!(["task:create", { "projectId": stage.project, "task": { "title": "still here" } }]);
    let mut author = stage.join(0).await;
    author.send(&format!("42{create}")).await;
    assert_eq!(
        other.until("task:created").await["task"]["title"],
        "still here"
    );
    assert_eq!(stage.server.node().broken_actors(), 1);
    let restarts = stage.metric("collabflow_actor_restarts_total{kind=\"session\"}");
    assert_eq!(restarts.await, Some(1.0));
    stage.server.stop().await.expect("an orderly end");
}

#[tokio::test]
async fn a_registry_that_breaks_under_traffic_disturbs_nobody() {
    const TASKS: u64 = 100;
    let stage = Stage::set().await;
    let mut author = stage.join(0).await;
    let mut member = stage.join(1).await;
    for number in 0..TASKS {
        if number % 40 == 20 {
            stage.breaks(Node::break_registry).await;
        }
        let create = json!(["task:create", { "projectId": stage.project, "task": { "title": format!("t{number}") } }]);
        author.send(&format!("42{number}{create}")).await;
        tokio::task::yield_now().await;
    }
    while author.acks.len() < TASKS as usize {
        assert!(author.read().await, "the author stays connected");
    }
    assert!(author.acks.values().all(|ack| ack["ok"] == true));
    while member.titles().len() < TASKS as usize {
        assert!(member.read().await, "members stay connected");
    }
    assert_eq!(stage.server.node().broken_actors(), 2);
    let restarts = stage.metric("collabflow_actor_restarts_total{kind=\"registry\"}");
    // The numbers are those of the process, which has other tests.
    assert!(restarts.await >= Some(2.0));
    // Rooms and sessions that come later are supervised as ever.
    stage
        .server
        .node()
        .break_room(RoomKey::Project(stage.project));
    let mut late = stage.join(2).await;
    let create =
        json!(["task:create", { "projectId": stage.project, "task": { "title": "last" } }]);
    author.send(&format!("42{create}")).await;
    assert_eq!(late.until("task:created").await["task"]["title"], "last");
    stage.server.stop().await.expect("an orderly end");
}

#[tokio::test]
async fn a_registry_that_keeps_breaking_ends_the_node() {
    let stage = Stage::set().await;
    let node = stage.server.node().clone();
    let breaking = async {
        loop {
            node.break_registry();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = stage.server.node().ended() => {}
        () = breaking => {}
        () = tokio::time::sleep(PATIENCE) => panic!("it goes on"),
    }
    assert_eq!(stage.server.node().broken_actors(), 6);
}
