//! A Redis that is not open to everybody: TLS by a private authority, and a user with a password.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::{
    clustered::Operated,
    mongod::{Deployment, Mongod},
    process::free_port,
    redis::Redis,
};

const PASSWORD: &str = "correct:horse/hush";
/// As an address has it.
const IN_URL: &str = "correct%3Ahorse%2Fhush";

/// A private authority, and files of what it has made.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let server = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let server = server.signed_by(&key, &ca).expect("a certificate");
        for (name, pem) in [
            ("ca.pem", ca.pem()),
            ("server.pem", server.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            fs::write(folder.path().join(name), pem).expect("a file");
        }
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        path.to_str().expect("text").to_owned()
    }

    /// A server with TLS (and without, for the test itself), and its port.
    fn server(&self) -> (Redis, u16) {
        let port = free_port();
        let options = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", self.file("server.pem")),
            ("--tls-key-file", self.file("key.pem")),
            ("--tls-ca-cert-file", self.file("ca.pem")),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        let options = options.map(|(name, value)| [name.to_owned(), value]);
        (Redis::start_with(&options.concat()), port)
    }
}

/// Gives everybody's user a password.
async fn lock(redis: &Redis) {
    let mut setting = redis::cmd("CONFIG");
    setting.arg("SET").arg("requirepass").arg(PASSWORD);
    let mut client = redis.client().await;
    setting.exec_async(&mut client).await.expect("it is set");
}

#[tokio::test]
async fn a_node_joins_over_tls_by_a_private_authority_and_says_no_password() {
    let mongod = Mongod::start(Deployment::Standalone).await;
    let authority = Authority::new();
    let (redis, port) = authority.server();
    lock(&redis).await;
    let url = format!("rediss://:{IN_URL}@localhost:{port}");
    let ca = authority.file("ca.pem");
    let variables = [
        ("COLLABFLOW_REDIS__CA_FILE", ca.as_str()),
        ("RUST_LOG", "trace"),
    ];
    let node = Operated::start_at(&mongod, &url, &variables);
    node.is_joined().await;
    let said = node.said();
    assert!(!said.contains("hush"), "{said}");
}

#[tokio::test]
async fn another_authority_is_not_trusted_and_the_log_says_why() {
    let mongod = Mongod::start(Deployment::Standalone).await;
    let authority = Authority::new();
    let (_redis, port) = authority.server();
    let url = format!("rediss://localhost:{port}");
    let other = Authority::new();
    let file = other.file("ca.pem");
    let ca = [("COLLABFLOW_REDIS__CA_FILE", file.as_str())];
    for variables in [&ca[..], &[]] {
        let node = Operated::start_at(&mongod, &url, variables);
        node.says("Redis is away: this node goes on by itself reason=\"")
            .await;
        node.says("invalid peer certificate: ").await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_the_log_says_so_without_it() {
    let mongod = Mongod::start(Deployment::Standalone).await;
    let redis = Redis::start();
    lock(&redis).await;
    let url = redis
        .open_url()
        .replace("redis://", "redis://:not-the-hush@");
    let node = Operated::start_at(&mongod, &url, &[("RUST_LOG", "trace")]);
    node.says("Redis is away: this node goes on by itself reason=\"")
        .await;
    node.says("authentication failed").await;
    let said = node.said();
    assert!(!said.contains("hush"), "{said}");
}

#[test]
fn certificates_that_cannot_be_used_stop_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "nothing").expect("a file");
    let damaged = folder.path().join("damaged.pem");
    fs::write(
        &damaged,
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    )
    .expect("a file");
    let authority = Authority::new();
    let good = authority.file("ca.pem");
    let cases: [(&str, &Path, &str); 5] = [
        (
            "rediss://u:hush@h",
            &folder.path().join("none.pem"),
            "cannot be read: No such file",
        ),
        (
            "rediss://u:hush@h",
            folder.path(),
            "cannot be read: Is a directory",
        ),
        (
            "rediss://u:hush@h",
            &empty,
            "is not accepted, there are no certificates in PEM in it",
        ),
        (
            "rediss://u:hush@h",
            &damaged,
            "is not accepted, there are no certificates in PEM in it",
        ),
        (
            "redis://u:hush@h",
            Path::new(&good),
            "is not accepted, certificates are of use to rediss:// alone",
        ),
    ];
    for (url, file, reason) in cases {
        let line = refusal(url, Some(file));
        let file = file.display();
        assert!(
            line.starts_with(&format!("collabflow: redis.ca_file: {file} {reason}")),
            "{line}"
        );
    }
    for url in ["http://u:hush@h", "rediss://u:hush@h:port", "hush"] {
        let line = refusal(url, None);
        assert!(
            line.starts_with(
                "collabflow: REDIS_URL (redis.url) is not accepted, it must be redis://"
            ),
            "{line}"
        );
    }
}

/// The one line with which the start is refused.
fn refusal(url: &str, ca: Option<&Path>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_collabflow"));
    command.env_clear().env("REDIS_URL", url);
    if let Some(ca) = ca {
        command.env("COLLABFLOW_REDIS__CA_FILE", ca);
    }
    let output = command.output().expect("it runs");
    let line = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(!line.contains("hush"), "{line}");
    line
}
