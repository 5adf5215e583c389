//! A real `redis-server` for a test: it owns the process, and ends it when it is dropped. Nothing is kept on disk.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::process::{Process, free_port};

/// How long a server may take to start on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The example of a user for nodes.
const USERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/redis.acl");
const OUR_USER: &str = "collabflow:change-me";

/// A running server.
pub(crate) struct Redis {
    port: u16,
    options: Vec<String>,
    process: Process,
}

impl Redis {
    /// Starts an empty server.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts an empty server with more options than those of all.
    pub(crate) fn start_with(options: &[String]) -> Self {
        const TRIES: usize = 5;
        for _ in 0..TRIES {
            let port = free_port();
            let mut process = spawn(port, options);
            if answers(&mut process, port) {
                return Self {
                    port,
                    options: options.to_vec(),
                    process,
                };
            }
        }
        panic!("no server starts");
    }

    /// Its address for a node, which may do what our user in `config/redis.acl` may, and no more.
    pub(crate) fn url(&self) -> String {
        format!("redis://{OUR_USER}@127.0.0.1:{}", self.port)
    }

    /// Its address for somebody who may do anything.
    pub(crate) fn open_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.port, &self.options);
        assert!(answers(&mut self.process, self.port), "it starts again");
    }

    /// Stops it where it stands: connections stay open, and nothing answers.
    pub(crate) fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// A client of the test's own.
    pub(crate) async fn client(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.open_url()).expect("a good address");
        let connection = client.get_multiplexed_async_connection().await;
        connection.expect("it answers")
    }
}

fn spawn(port: u16, options: &[String]) -> Process {
    let child = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .args(["--repl-diskless-load", "on-empty-db"])
        .args(["--aclfile", USERS])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Process(child.expect("redis-server is installed: `tests/run` does so"))
}

/// Whether it answers, and not somebody else on its port.
fn answers(process: &mut Process, port: u16) -> bool {
    let started = Instant::now();
    loop {
        if process.ended().is_some() {
            return false;
        }
        let said = ask(port);
        if said.is_some_and(|said| said.contains(&format!("process_id:{}", process.0.id()))) {
            return true;
        }
        assert!(started.elapsed() < START_WITHIN, "it does not answer");
        std::thread::sleep(LOOK_EVERY);
    }
}

fn ask(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"INFO server\r\nQUIT\r\n").ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}
