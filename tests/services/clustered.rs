//! A server that is joined to others by a real Redis, as its operator sees it.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::{
    mongod::{Deployment, Mongod},
    process::Process,
    redis::Redis,
};

/// The contract's: a Redis that is away is known within this.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);
/// Longer than anything takes on a busy machine.
const WITHIN: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Our program, in a folder of its own.
pub(crate) struct Operated {
    url: String,
    process: Process,
    said: Arc<Mutex<String>>,
    _folder: TempDir,
}

impl Operated {
    fn start(mongod: &Mongod, redis: &Redis) -> Self {
        Self::start_at(mongod, &redis.url(), &[])
    }

    /// Starts it on this Redis, with more variables than those of all.
    pub(crate) fn start_at(mongod: &Mongod, redis: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Process(
            Command::new(env!("CARGO_BIN_EXE_collabflow"))
                .env_clear()
                .envs([
                    ("MONGODB_URI", mongod.uri_of("clustered").as_str()),
                    ("REDIS_URL", redis),
                    ("JWT_SECRET", &"x".repeat(32)),
                    ("PORT", "0"),
                ])
                .envs(variables.iter().copied())
                .current_dir(folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts"),
        );
        let mut lines = BufReader::new(process.0.stderr.take().expect("it is piped")).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let mut next = {
            let said = Arc::clone(&said);
            move || {
                let line = lines.next()?.expect("text");
                let mut said = said.lock().expect("nobody panics here");
                said.push_str(&line);
                said.push('\n');
                Some(line)
            }
        };
        let url = loop {
            let line = next();
            let line = line.unwrap_or_else(|| {
                panic!(
                    "it does not listen: {}",
                    said.lock().expect("nobody panics there")
                )
            });
            if let Some((_, url)) = line.split_once("listening on ") {
                break url.to_owned();
            }
        };
        std::thread::spawn(move || while next().is_some() {});
        Self {
            url,
            process,
            said,
            _folder: folder,
        }
    }

    /// All that it has said.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("nobody panics there").clone()
    }

    /// Waits until it has said so.
    pub(crate) async fn says(&self, words: &str) {
        let waiting = async {
            while !self.said().contains(words) {
                sleep(LOOK_EVERY).await;
            }
        };
        let said = timeout(WITHIN, waiting).await;
        said.unwrap_or_else(|_| panic!("it does not say {words:?}, but {}", self.said()));
    }

    /// Waits until it is joined to others.
    pub(crate) async fn is_joined(&self) {
        self.is_seen("ok", WITHIN).await;
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.url))
            .await
            .expect("it answers");
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("a body"))
    }

    /// Looks until it says so of Redis.
    async fn is_seen(&self, word: &str, within: Duration) {
        let status = if word == "ok" { 200 } else { 503 };
        let said = json!({ "status": word, "store": "ok", "redis": word });
        let gauge = format!("collabflow_backplane_up {}\n", u8::from(word == "ok"));
        let looking = async {
            loop {
                let (seen, body) = self.get("/readyz").await;
                let body: Value = serde_json::from_str(&body).expect("JSON");
                let (_, numbers) = self.get("/metrics").await;
                if (seen, &body) == (status, &said) && numbers.contains(&gauge) {
                    return;
                }
                sleep(LOOK_EVERY).await;
            }
        };
        let seen = timeout(within, looking).await;
        seen.unwrap_or_else(|_| panic!("nobody says {said} and {gauge}"));
    }
}

#[tokio::test]
async fn a_redis_that_hangs_or_is_gone_is_seen_and_so_is_its_return() {
    let mongod = Mongod::start(Deployment::Standalone).await;
    let mut redis = Redis::start();
    let node = Operated::start(&mongod, &redis);
    node.is_seen("ok", WITHIN).await;
    redis.freeze();
    node.is_seen("unavailable", KNOWN_WITHIN).await;
    redis.thaw();
    node.is_seen("ok", WITHIN).await;
    redis.kill();
    node.is_seen("unavailable", KNOWN_WITHIN).await;
    redis.restart();
    node.is_seen("ok", WITHIN).await;
}

/// It answered a `PING` all the while, and whoever asked was told that all is well.
#[tokio::test]
async fn a_redis_that_refuses_what_is_asked_of_it_is_seen_though_nobody_asks() {
    let mongod = Mongod::start(Deployment::Standalone).await;
    let redis = Redis::start();
    let node = Operated::start(&mongod, &redis);
    let mut client = redis.client().await;
    for (refuse, allow) in [
        (
            "ACL SETUSER collabflow -@scripting",
            "ACL SETUSER collabflow +@scripting",
        ),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ] {
        node.is_seen("ok", WITHIN).await;
        tell(&mut client, refuse).await;
        node.is_seen("unavailable", KNOWN_WITHIN).await;
        tell(&mut client, allow).await;
    }
    node.is_seen("ok", WITHIN).await;
}

async fn tell(client: &mut redis::aio::MultiplexedConnection, command: &str) {
    let mut words = command.split(' ');
    let mut command = redis::cmd(words.next().expect("a word"));
    words.for_each(|word| {
        command.arg(word);
    });
    command.exec_async(client).await.expect("it answers");
}

#[tokio::test]
async fn a_node_starts_without_its_redis_and_joins_when_it_comes() {
    let mongod = Mongod::start(Deployment::Standalone).await;
    let mut redis = Redis::start();
    redis.kill();
    let node = Operated::start(&mongod, &redis);
    node.is_seen("unavailable", KNOWN_WITHIN).await;
    redis.restart();
    node.is_seen("ok", WITHIN).await;
}

#[tokio::test]
async fn a_node_that_ends_says_so_to_the_others() {
    let mongod = Mongod::start(Deployment::Standalone).await;
    let redis = Redis::start();
    let mut node = Operated::start(&mongod, &redis);
    node.is_seen("ok", WITHIN).await;
    let client = redis::Client::open(redis.open_url()).expect("a good address");
    let mut listening = client.get_async_pubsub().await.expect("it answers");
    listening.psubscribe("*").await.expect("it answers");
    node.process.signal("TERM");
    let mut heard = listening.on_message();
    let bye = async {
        while let Some(message) = heard.next().await {
            if String::from_utf8_lossy(message.get_payload_bytes()).contains(r#""says":"Bye""#) {
                return;
            }
        }
        panic!("Redis is gone");
    };
    timeout(WITHIN, bye).await.expect("it says so");
    let ended = timeout(WITHIN, async {
        loop {
            if let Some(ended) = node.process.ended() {
                return ended;
            }
            sleep(LOOK_EVERY).await;
        }
    });
    assert!(ended.await.expect("it ends").contains("exit status: 0"));
}
