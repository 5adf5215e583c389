//! A real `mongod` for a test: it owns the process and its temporary folder, and ends both when it is dropped.
//!
//! Only the process that was started here is ever signalled, by its handle, and its folder is no other's.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use mongodb::{Client, bson::doc, options::ClientOptions};
use tempfile::TempDir;

use crate::process::{Process, free_port};

/// How long a server may take to start, or a replica set to choose its primary, on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SET: &str = "rs0";

/// How a server is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    /// By itself: no transactions.
    Standalone,
    /// The only member of a replica set: transactions, change streams.
    ReplicaSet,
}

/// A running server.
pub(crate) struct Mongod {
    deployment: Deployment,
    port: u16,
    // In this order: the process ends before its folder goes.
    process: Process,
    folder: TempDir,
}

impl Mongod {
    /// Starts a server with an empty database, and waits until it takes writes.
    pub(crate) async fn start(deployment: Deployment) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (process, port) = spawn_on_free_port(deployment, folder.path()).await;
        let server = Self {
            deployment,
            port,
            process,
            folder,
        };
        if deployment == Deployment::ReplicaSet {
            server.initiate().await;
        }
        server
    }

    /// Where a database of it is.
    pub(crate) fn uri_of(&self, database: &str) -> String {
        let options = match self.deployment {
            Deployment::Standalone => String::new(),
            Deployment::ReplicaSet => format!("?replicaSet={SET}"),
        };
        format!("mongodb://127.0.0.1:{}/{database}{options}", self.port)
    }

    /// A client of its own, which looks for a server for as long as one may take to start.
    pub(crate) async fn client(&self) -> Client {
        client(&self.uri_of("")).await
    }

    /// Ends it at once, as a crash does (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it where it stands (SIGSTOP): connections stay open, and nothing answers.
    pub(crate) fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on (SIGCONT).
    pub(crate) fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// Starts it again on the same port and data, and waits until it takes writes.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.process = Process(spawn(self.deployment, self.folder.path(), self.port));
        answers(&mut self.process, self.port)
            .await
            .expect("it starts again");
        self.takes_writes().await;
    }

    async fn initiate(&self) {
        let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", self.port) };
        direct(self.port)
            .await
            .database("admin")
            .run_command(doc! { "replSetInitiate": { "_id": SET, "members": [member] } })
            .await
            .expect("a new server takes its configuration");
        self.takes_writes().await;
    }

    async fn takes_writes(&self) {
        let admin = direct(self.port).await.database("admin");
        let started = Instant::now();
        loop {
            let hello = admin.run_command(doc! { "hello": 1 }).await;
            if hello.is_ok_and(|it| it.get_bool("isWritablePrimary").unwrap_or(false)) {
                return;
            }
            assert!(started.elapsed() < START_WITHIN, "it takes no writes");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Waits until it answers; or says that it has ended instead, as it does where its port is taken. What answers is known by
/// its process id: whoever took the port may be a server too.
async fn answers(process: &mut Process, port: u16) -> Result<(), String> {
    let admin = direct(port).await.database("admin");
    let started = Instant::now();
    loop {
        if let Some(ended) = process.ended() {
            return Err(ended);
        }
        let status = admin.run_command(doc! { "serverStatus": 1 }).await;
        let id = i64::from(process.0.id());
        if status.is_ok_and(|it| it.get_i64("pid").is_ok_and(|pid| pid == id)) {
            return Ok(());
        }
        assert!(started.elapsed() < START_WITHIN, "it does not answer");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Another program may take the free port between our look and the server's: then there is another.
async fn spawn_on_free_port(deployment: Deployment, folder: &Path) -> (Process, u16) {
    const TRIES: usize = 5;
    let mut reasons = Vec::new();
    for _ in 0..TRIES {
        let port = free_port();
        let mut process = Process(spawn(deployment, folder, port));
        match answers(&mut process, port).await {
            Ok(()) => return (process, port),
            Err(reason) => reasons.push(reason),
        }
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("no server starts: {reasons:?}\n{log}");
}

fn spawn(deployment: Deployment, folder: &Path, port: u16) -> Child {
    let mut command = Command::new(program());
    command
        .args(["--bind_ip", "127.0.0.1", "--port", &port.to_string()])
        .args(["--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        // Lets a test make commands fail.
        .args(["--setParameter", "enableTestCommands=1"])
        .arg("--dbpath")
        .arg(folder)
        .arg("--logpath")
        .arg(folder.join("log"))
        .arg("--logappend")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if deployment == Deployment::ReplicaSet {
        command.args(["--replSet", SET, "--oplogSize", "50"]);
    }
    command.spawn().expect("the program runs")
}

/// The path that `tests/mongod` prints; the first call may fetch it.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mongod");
        let output = Command::new(script)
            .stderr(Stdio::inherit())
            .output()
            .expect("bash is there");
        assert!(output.status.success(), "tests/mongod: {}", output.status);
        let path = String::from_utf8(output.stdout).expect("a path in UTF-8");
        PathBuf::from(path.trim_end())
    })
}

async fn client(uri: &str) -> Client {
    let mut options = ClientOptions::parse(uri).await.expect("a good address");
    options.server_selection_timeout = Some(START_WITHIN);
    Client::with_options(options).expect("good options")
}

/// To this server alone, whatever its replica set is just now; gives up soon, so that it can be asked again.
async fn direct(port: u16) -> Client {
    let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    let mut options = ClientOptions::parse(uri).await.expect("a good address");
    options.server_selection_timeout = Some(Duration::from_secs(1));
    Client::with_options(options).expect("good options")
}
