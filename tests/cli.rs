//! The binary as a user meets it: what it prints where, and with which code it ends.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Output, Stdio},
};

use collabflow::store::{Options, SqliteStore};
use collabflow_actors::store::{Store, TaskQuery};
use tempfile::TempDir;

const ID: &str = "64b7f3a2c9e77a0012345678";

/// An empty folder to run in, with nothing in the environment but what a test names.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn command(&self, args: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_collabflow"));
        command
            .args(args)
            .current_dir(self.0.path())
            .env_clear()
            .envs(variables.iter().copied());
        command
    }

    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Output {
        self.command(args, variables).output().expect("it runs")
    }

    /// Runs to a good end, and gives what is on standard output.
    fn answer(&self, args: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.run(args, variables);
        assert!(
            output.status.success(),
            "{args:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Runs to a wrong use, and gives what is on standard error.
    fn refusal(&self, args: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.run(args, variables);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            text(&output.stderr)
        );
        assert_eq!(text(&output.stdout), "", "{args:?}");
        text(&output.stderr)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.0.path().join(name), content).expect("a file");
    }
}

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What `token` prints, and the claims in it.
fn claims(printed: &str, secret: &str) -> serde_json::Value {
    let token = printed.strip_suffix('\n').expect("one line");
    let key = jsonwebtoken::DecodingKey::from_secret(secret.as_bytes());
    let rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    jsonwebtoken::decode(token, &key, &rules)
        .expect("a valid token")
        .claims
}

#[test]
fn help_and_version_are_answers() {
    let place = Place::new();
    let help = place.answer(&["--help"], &[]);
    for word in ["token", "demo", "config", "--config <FILE>"] {
        assert!(help.contains(word), "{word} is in {help}");
    }
    assert_eq!(
        place.answer(&["--version"], &[]),
        format!("collabflow {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_wrong_use_is_refused_with_what_is_accepted() {
    let place = Place::new();
    for args in [&["--prot", "1"][..], &["serve"], &["demo", "now"]] {
        let said = place.refusal(args, &[]);
        assert!(said.contains("Usage: collabflow"), "{said}");
    }
    let said = place.refusal(&["token", "--user-id", ID], &[]);
    assert!(
        said.contains("--name <NAME>") && said.contains("--email <EMAIL>"),
        "{said}"
    );
    let token = |id, ttl| {
        [
            "token",
            "--user-id",
            id,
            "--name",
            "A",
            "--email",
            "a@b.c",
            "--ttl",
            ttl,
        ]
    };
    let said = place.refusal(&token("ada", "1d"), &[]);
    assert!(
        said.contains("must be an id of 24 hexadecimal characters"),
        "{said}"
    );
    let said = place.refusal(&token(ID, "1"), &[]);
    assert!(said.contains("'1' for '--ttl <DURATION>'"), "{said}");
}

#[test]
fn a_token_is_printed_alone() {
    let place = Place::new();
    let args = [
        "token",
        "--user-id",
        ID,
        "--name",
        "Ada",
        "--email",
        "ada@example.com",
        "--ttl",
        "2d",
    ];
    let claims = claims(
        &place.answer(&args, &[("JWT_SECRET", "dev-secret")]),
        "dev-secret",
    );
    assert_eq!(
        (&claims["userId"], &claims["name"], &claims["email"]),
        (&ID.into(), &"Ada".into(), &"ada@example.com".into())
    );
    let life = claims["exp"]
        .as_i64()
        .zip(claims["iat"].as_i64())
        .map(|(exp, iat)| exp - iat);
    assert_eq!(life, Some(2 * 86_400));
}

#[test]
fn without_a_secret_one_is_made_and_kept() {
    let place = Place::new();
    let args = [
        "token",
        "--user-id",
        ID,
        "--name",
        "Ada",
        "--email",
        "ada@example.com",
    ];
    let first = place.run(&args, &[("DATA_DIR", "kept")]);
    assert!(
        text(&first.stderr).contains("JWT_SECRET is not set"),
        "{}",
        text(&first.stderr)
    );
    let secret =
        std::fs::read_to_string(place.0.path().join("kept/jwt-secret")).expect("it is kept");
    claims(&text(&first.stdout), &secret);
    claims(&place.answer(&args, &[("DATA_DIR", "kept")]), &secret);
    #[cfg(unix)]
    {
        let folder = std::fs::metadata(place.0.path().join("kept")).expect("it is there");
        let mode = std::os::unix::fs::PermissionsExt::mode(&folder.permissions());
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn a_wrong_configuration_is_refused_in_one_line() {
    let place = Place::new();
    place.write("my.toml", "[limits]\nmax_body = \"big\"\n");
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 9] = [
        (
            &[],
            &[("PORT", "x")],
            "collabflow: PORT: \"x\" is not accepted, it must be a whole number from 0 to 65535\n",
        ),
        (
            &[],
            &[("HOST", "not a host")],
            "collabflow: HOST: \"not a host\" is not accepted, it must be an address or a host name",
        ),
        (
            &[],
            &[("JWT_SECRET", "")],
            "collabflow: JWT_SECRET: this value is not accepted, it must be text that is not empty\n",
        ),
        (
            &["config"],
            &[("COLLABFLOW_LIMITS__MAX", "1")],
            "collabflow: COLLABFLOW_LIMITS__MAX: there is no such key; known here are max_payload",
        ),
        (
            &["--config", "my.toml"],
            &[],
            "collabflow: limits.max_body in my.toml: \"big\" is not accepted, it must be a whole number from 1",
        ),
        (
            &["--config", "none.toml"],
            &[],
            "collabflow: --config none.toml: ",
        ),
        (
            &[],
            &[("MONGODB_URI", "u:hush@h")],
            "collabflow: MONGODB_URI (mongodb.uri) is not accepted",
        ),
        (
            &[],
            &[("COLLABFLOW_CLUSTER__NODE_NAME", "an app")],
            "collabflow: COLLABFLOW_CLUSTER__NODE_NAME: \"an app\" is not accepted, it must be 1 to 64 letters",
        ),
        (
            &["demo"],
            &[("REDIS_URL", "redis://u:hush@h")],
            "collabflow: REDIS_URL (redis.url) is set",
        ),
    ];
    for (args, variables, line) in cases {
        let said = place.refusal(args, variables);
        assert!(said.starts_with(line), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains("hush"), "{said}");
    }
}

#[test]
fn the_effective_configuration_is_printed_with_secrets_masked() {
    let place = Place::new();
    place.write(
        "my.toml",
        "[presence]\ngrace = \"7s\"\n[recovery]\nwindow = \"1m\"\n",
    );
    place.write(
        ".env",
        "JWT_SECRET=from pa$$word # kept\nCOLLABFLOW_RECOVERY__WINDOW=3m\nNODE_ENV=production\n",
    );
    let variables = [("PORT", "7000")];
    let printed = place.answer(&["config", "--config", "my.toml"], &variables);
    for line in [
        "port = 7000",
        "grace = \"7s\"",
        "window = \"3m\"",
        "secret = \"********\"",
    ] {
        assert!(
            printed.lines().any(|printed| printed == line),
            "{line} is in {printed}"
        );
    }
    assert!(!printed.contains("pa$$word"), "{printed}");
}

#[tokio::test]
async fn a_demo_is_made_once() {
    let place = Place::new();
    let first = place.answer(&["demo"], &[]);
    assert_eq!(place.answer(&["demo"], &[]), first);
    for part in [
        "ready in ./data/collabflow.db.",
        "ada@demo.example",
        "grace@demo.example",
        "password: collabflow-demo",
    ] {
        assert!(first.contains(part), "{first}");
    }
    let store = SqliteStore::open(
        &place.0.path().join("data/collabflow.db"),
        &Options::default(),
    )
    .expect("its store");
    let ada = store
        .account("ada@demo.example".into())
        .await
        .expect("a read")
        .expect("an account")
        .user
        .id;
    let projects = store.projects_of(ada, None).await.expect("a read");
    assert_eq!((projects.len(), projects[0].members.len()), (1, 2));
    let tasks = store
        .tasks(projects[0].id, TaskQuery::default())
        .await
        .expect("a read")
        .tasks;
    let columns: HashSet<&str> = tasks.iter().map(|task| task.status.as_str()).collect();
    assert_eq!((tasks.len(), columns.len()), (12, 4));
    let channels = store.channels(projects[0].id).await.expect("a read");
    let page = store
        .messages(channels[0].id, 10, None)
        .await
        .expect("a read")
        .expect("a channel");
    assert_eq!((channels.len(), page.messages.len()), (1, 3));
}

#[test]
fn a_store_that_cannot_be_opened_is_said_once() {
    let place = Place::new();
    place.write("taken", "");
    let secret = ("JWT_SECRET", "a secret of thirty-two bytes or more");
    for args in [&[][..], &["demo"]] {
        let variables = [("DATA_DIR", "taken/data"), ("RUST_LOG", "off"), secret];
        let output = place.run(args, &variables);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        for part in ["taken/data", "os error"] {
            assert_eq!(said.matches(part).count(), 1, "{said}");
        }
    }
}

#[test]
fn where_it_listens_is_said_whatever_the_filter() {
    let place = Place::new();
    let (_server, line) = serving(&place);
    assert!(line.contains("listening on http://127.0.0.1:"), "{line}");
}

/// A server in this folder, and the line that says where it listens.
fn serving(place: &Place) -> (Server, String) {
    let mut command = place.command(&[], &[("PORT", "0"), ("RUST_LOG", "off")]);
    let mut server = Server(command.stderr(Stdio::piped()).spawn().expect("it starts"));
    let said = server.0.stderr.take().expect("it is piped");
    let line = BufReader::new(said).lines().next();
    (server, line.expect("a line").expect("UTF-8"))
}

#[tokio::test]
async fn a_demo_is_made_beside_a_running_server_which_knows_it_at_once() {
    let place = Place::new();
    let (_server, line) = serving(&place);
    let url = line
        .split("listening on ")
        .nth(1)
        .expect("an address")
        .trim();
    place.answer(&["demo"], &[]);
    let login = serde_json::json!({ "email": "ada@demo.example", "password": "collabflow-demo" });
    let answer = reqwest::Client::new()
        .post(format!("{url}/api/auth/login"))
        .header("content-type", "application/json")
        .body(login.to_string())
        .send();
    assert_eq!(answer.await.expect("an answer").status(), 200);
}

#[test]
fn an_address_that_is_taken_is_a_failure() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = Place::new().run(&[], &[("PORT", &port)]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{said}"
    );
}

#[test]
fn a_mongodb_that_does_not_answer_stops_the_start_in_one_line() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let uri = format!("mongodb://u:hush@127.0.0.1:{port}/app");
    let variables = [
        ("MONGODB_URI", uri.as_str()),
        ("COLLABFLOW_MONGODB__CONNECT_TIMEOUT", "500ms"),
        ("RUST_LOG", "off"),
    ];
    let output = place.run(&[], &variables);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = format!("collabflow: MongoDB does not answer at 127.0.0.1:{port} within 500ms");
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("MONGODB_URI") && !said.contains("hush"),
        "{said}"
    );
}
