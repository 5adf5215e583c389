use std::{ffi::OsString, time::Duration};

use super::*;

fn read(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("my.toml");
    std::fs::write(&path, file).expect("a file");
    let mut layers = layer::Layers::default();
    let variables = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let place = format!("in {}", path.display());
    layers
        .add_file(&path)
        .and_then(|()| layers.add_environment(variables))
        .and_then(|()| layers.extract())
        .map_err(|error| {
            error
                .to_string()
                .replace(&place, "in my.toml")
                .replace(&path.display().to_string(), "my.toml")
        })
}

fn refused(file: &str, variables: &[(&str, &str)]) -> String {
    let line = read(file, variables).expect_err("this is refused");
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = read("", &[]).expect("defaults");
    assert_eq!(
        (config.server.host.as_str(), config.server.port),
        ("127.0.0.1", 5000)
    );
    assert_eq!(config.cors.origins[0].as_str(), "http://localhost:3000");
    assert_eq!(config.limits.max_payload, 1_000_000);
    assert_eq!(config.limits.outbox_stall, Duration::from_secs(10));
    assert_eq!(config.recovery.window, Duration::from_secs(120));
    assert_eq!(config.recovery.mode, RecoveryMode::OptIn);
    assert_eq!(config.recovery.bytes, 4_000_000);
    assert_eq!(config.auth.token_ttl, Duration::from_secs(7 * 86_400));
    assert_eq!(config.rest.echo, EchoMode::Auto);
    assert!(config.auth.secret.is_none());
}

#[test]
fn hashes_are_those_of_node_in_a_mongodb_that_is_not_upgraded() {
    let uri = ("MONGODB_URI", "mongodb://localhost/app");
    let upgraded = ("COLLABFLOW_AUTH__UPGRADE_HASHES", "true");
    for (variables, scheme) in [
        (&[][..], Scheme::Argon2id),
        (&[upgraded], Scheme::Argon2id),
        (&[uri], Scheme::Bcrypt),
        (&[uri, upgraded], Scheme::Argon2id),
    ] {
        let config = read("", variables).expect("valid");
        assert_eq!(config.password_scheme(), scheme, "{variables:?}");
    }
}

#[test]
fn a_variable_overrides_a_file_which_overrides_the_defaults() {
    let file = "[limits]\nmax_body = 5\nconnections = 7\n[presence]\ngrace = \"0s\"";
    let config = read(file, &[("COLLABFLOW_LIMITS__MAX_BODY", "6"), ("PORT", "0")]).expect("valid");
    assert_eq!((config.limits.max_body, config.limits.connections), (6, 7));
    assert_eq!(
        (config.server.port, config.presence.grace),
        (0, Duration::ZERO)
    );
    assert_eq!(config.limits.max_payload, 1_000_000);
}

#[test]
fn the_long_name_of_a_variable_overrides_the_short_one() {
    let config = read("", &[("COLLABFLOW_SERVER__PORT", "2"), ("PORT", "1")]).expect("valid");
    assert_eq!(config.server.port, 2);
}

#[test]
fn a_secret_of_digits_stays_text() {
    for secret in ["0012345", "true", " spaced "] {
        let config = read("", &[("JWT_SECRET", secret)]).expect("valid");
        assert_eq!(config.auth.secret, Some(Secret::new(secret)));
    }
}

#[test]
fn origins_are_a_list_with_commas_and_forgiven_slashes() {
    let config = read(
        "",
        &[(
            "CLIENT_URL",
            "http://LOCALHOST:80/, https://app.example.com:8443",
        )],
    )
    .expect("valid");
    let origins: Vec<_> = config
        .cors
        .origins
        .iter()
        .map(AllowedOrigin::as_str)
        .collect();
    assert_eq!(
        origins,
        ["http://localhost", "https://app.example.com:8443"]
    );
}

#[test]
fn an_empty_short_variable_is_as_good_as_unset_but_for_secrets_and_addresses_of_services() {
    let config = read("", &[("PORT", ""), ("CLIENT_URL", "")]).expect("valid");
    assert_eq!(config.server.port, 5000);
    assert!(config.redis.url.is_none());
    for name in ["JWT_SECRET", "MONGO_URI", "MONGODB_URI", "REDIS_URL"] {
        assert_eq!(
            refused("", &[(name, "")]),
            format!("{name}: this value is not accepted, it must be text that is not empty")
        );
    }
}

#[test]
fn a_wrong_value_is_named_with_what_is_accepted() {
    for (file, variables, line) in [
        (
            "",
            &[("PORT", "http")][..],
            "PORT: \"http\" is not accepted, it must be a whole number from 0 to 65535",
        ),
        (
            "",
            &[("PORT", "70000")],
            "PORT: 70000 is not accepted, it must be a whole number from 0 to 65535",
        ),
        (
            "",
            &[("COLLABFLOW_RECOVERY__WINDOW", "2")],
            "COLLABFLOW_RECOVERY__WINDOW: \"2\" is not accepted, it must be a duration with a unit, such as \"250ms\", \
             \"5s\" or \"2m\", up to a year",
        ),
        (
            "[engine]\nping_interval = \"0s\"",
            &[],
            "engine.ping_interval in my.toml: \"0s\" is not accepted, it must be a duration with a unit, such as \
             \"250ms\", \"5s\" or \"2m\", at least 1ms, up to a year",
        ),
        (
            "[engine]\nping_interval = \"999us\"",
            &[],
            "engine.ping_interval in my.toml: \"999us\" is not accepted, it must be a duration with a unit, such as \
             \"250ms\", \"5s\" or \"2m\", at least 1ms, up to a year",
        ),
        (
            "",
            &[("HOST", "not a host")],
            "HOST: \"not a host\" is not accepted, it must be an address or a host name, such as \"127.0.0.1\", \
             \"0.0.0.0\", \"::\" or \"localhost\"",
        ),
        (
            "[limits]\nmax_body = -1",
            &[],
            "limits.max_body in my.toml: -1 is not accepted, it must be a whole number from 1 to 4294967295",
        ),
        (
            "[tasks]\nwrite_by_socket = \"yes\"",
            &[],
            "tasks.write_by_socket in my.toml: \"yes\" is not accepted, it must be true or false",
        ),
        (
            "",
            &[("COLLABFLOW_REST__ECHO", "some")],
            "COLLABFLOW_REST__ECHO: \"some\" is not accepted, it must be \"auto\" or \"others\" or \"all\"",
        ),
        (
            "",
            &[("CLIENT_URL", "http://a, *")],
            "CLIENT_URL: \"*\" is not accepted, it must be origins of pages, such as \"http://localhost:3000\" or \
             \"https://app.example.com\"",
        ),
        (
            "limits = 3",
            &[],
            "limits in my.toml: 3 is not accepted, it must be a table of keys",
        ),
        (
            "[cors]\norigins = \"http://a\"",
            &[],
            "cors.origins in my.toml: \"http://a\" is not accepted, it must be a list",
        ),
        (
            "",
            &[("COLLABFLOW_TRUSTED_PROXIES", "10.0.0.0/33")],
            "COLLABFLOW_TRUSTED_PROXIES: \"10.0.0.0/33\" is not accepted, it must be an address or a CIDR block, such as \
             \"10.0.0.0/8\"",
        ),
        (
            "",
            &[("COLLABFLOW_API__PREFIX", "api")],
            "COLLABFLOW_API__PREFIX: \"api\" is not accepted, it must be a path of letters, digits, \"-\", \"_\" and \
             \".\", such as \"/api\"",
        ),
        (
            "",
            &[("RUST_LOG", "collabflow=loud")],
            "RUST_LOG: \"collabflow=loud\" is not accepted, it must be a log filter, such as \"info\", \"debug\" or \
             \"warn,collabflow=debug\"",
        ),
    ] {
        assert_eq!(refused(file, variables), line);
    }
}

#[test]
fn a_host_is_an_address_or_a_name() {
    for (text, host) in [
        ("localhost", "localhost"),
        ("node-1.example.com.", "node-1.example.com."),
        ("0.0.0.0", "0.0.0.0"),
        ("::1", "::1"),
        ("[::1]", "::1"),
    ] {
        let config = read("", &[("HOST", text)]).expect(text);
        assert_eq!(config.server.host, host);
    }
    for text in [
        "127.0.0.1:5000",
        "127.0.0.256",
        "http://localhost",
        "a..b",
        "[localhost]",
        " ",
    ] {
        refused("", &[("HOST", text)]);
    }
}

#[test]
fn an_odd_variable_is_named_as_it_was_written() {
    for name in [
        "COLLABFLOW_",
        "COLLABFLOW_SERVER__",
        "COLLABFLOW___PORT",
        "COLLABFLOW_SERVER____PORT",
    ] {
        let line = refused("", &[(name, "3")]);
        assert!(
            line.starts_with(&format!("{name}: there is no such key")),
            "{line}"
        );
    }
}

#[test]
fn an_unknown_key_is_named_with_those_that_are_known() {
    assert_eq!(
        refused("[presence]\ngrase = \"1s\"", &[]),
        "presence.grase in my.toml: there is no such key; known here are grace"
    );
    assert_eq!(
        refused("", &[("COLLABFLOW_TASKS__WRITE", "true")]),
        "COLLABFLOW_TASKS__WRITE: there is no such key; known here are write_by_socket"
    );
    assert!(refused("", &[("COLLABFLOW_PORT", "1")]).starts_with(
        "COLLABFLOW_PORT: there is no such key; known here are trusted_proxies, server"
    ));
}

#[test]
fn a_secret_is_never_shown() {
    assert!(!refused("[auth]\nsecret = 12345", &[]).contains("12345"));
    let config = read(
        "",
        &[
            ("JWT_SECRET", "hush-hush"),
            ("MONGODB_URI", "mongodb://u:hush@h/"),
        ],
    )
    .expect("valid");
    assert!(!config.to_toml().contains("hush"));
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_its_line() {
    let line = refused("[limits]\nmax_body = = 3", &[]);
    assert!(line.starts_with("--config my.toml, line 2: "), "{line}");
}

#[test]
fn the_effective_configuration_can_be_read_back() {
    let variables = [
        ("COLLABFLOW_API__PREFIX", "/v1/"),
        ("COLLABFLOW_TRUSTED_PROXIES", "10.1.2.3,fd00::/8"),
    ];
    let config = read("", &variables).expect("valid");
    let again = read(&config.to_toml(), &[]).expect("its own output");
    assert_eq!(again.to_toml(), config.to_toml());
    assert_eq!(again.api.prefix, "/v1");
}

#[test]
fn only_trusted_proxies_may_name_a_client() {
    let config = read("trusted_proxies = [\"10.0.0.0/8\"]", &[]).expect("valid");
    assert!(config.trusts("10.1.2.3".parse().expect("an address")));
    assert!(config.trusts("::ffff:10.1.2.3".parse().expect("an address")));
    assert!(!config.trusts("11.1.2.3".parse().expect("an address")));
}

#[test]
fn what_later_versions_bring_stops_the_start() {
    assert!(read("", &[]).expect("valid").check().is_ok());
    let wrong = read("", &[("MONGODB_URI", "localhost:hush")]).expect("any text");
    let line = wrong.check().expect_err("it is no address").to_string();
    assert!(
        line.contains("mongodb.uri") && !line.contains("hush"),
        "{line}"
    );
    let clustered = read("", &[("REDIS_URL", "redis://h")]).expect("valid");
    assert!(clustered.check().is_err());
}

#[test]
fn the_store_is_mongodb_where_its_address_is_set() {
    let embedded = read("", &[("DATA_DIR", "/d")]).expect("valid").place();
    let Place::Embedded(path) = embedded else {
        panic!("{embedded:?}");
    };
    assert_eq!(path, Path::new("/d/collabflow.db"));
    for name in ["MONGO_URI", "MONGODB_URI"] {
        let place = read("[mongodb]\npool_size = 7", &[(name, "mongodb://h")])
            .expect("valid")
            .place();
        let Place::Mongo(options) = place else {
            panic!("{name}: {place:?}");
        };
        assert_eq!((options.uri.as_str(), options.pool_max), ("mongodb://h", 7));
    }
}

#[test]
fn a_made_secret_is_kept_for_its_owner_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let made = MadeSecret::keep_in(&data).expect("made");
    let kept = MadeSecret::keep_in(&data).expect("kept");
    assert!(made.is_new && !kept.is_new && made.secret == kept.secret);
    assert!(!made.secret.is_weak());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&made.path)
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(
        std::fs::read_dir(&data).expect("a folder").count(),
        1,
        "no draft is left behind"
    );
}
