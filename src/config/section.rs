//! The sections of the configuration: one type each, with the readers of their values.

use std::{path::PathBuf, time::Duration};

use collabflow_actors::node;
use collabflow_protocol::validate::Unknown;
use serde::{Deserialize, Serialize};

use super::{AllowedOrigin, Secret, value};

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs)] // `config/default.toml` describes the keys; doubling it here would only let it drift.
        pub struct $name { $($(#[$attr])* pub $field: $type,)* }
    )*};
}

sections! {
    /// `[server]`
    Server {
        #[serde(deserialize_with = "value::host")]
        host: String,
        #[serde(deserialize_with = "value::port")]
        port: u16,
    }
    /// `[data]`
    Data {
        #[serde(deserialize_with = "value::path")]
        dir: PathBuf,
    }
    /// `[log]`
    Log {
        #[serde(deserialize_with = "value::log_filter")]
        filter: String,
    }
    /// `[cors]`
    Cors {
        origins: Vec<AllowedOrigin>,
        check_websocket: bool,
    }
    /// `[api]`
    Api {
        #[serde(deserialize_with = "value::prefix")]
        prefix: String,
    }
    /// `[auth]`
    Auth {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<Secret>,
        registration: bool,
        require_expiry: bool,
        on_expiry: OnExpiry,
        #[serde(with = "value::duration")]
        token_ttl: Duration,
        upgrade_hashes: bool,
    }
    /// `[mongodb]`
    Mongodb {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uri: Option<Secret>,
        #[serde(with = "value::duration")]
        connect_timeout: Duration,
        #[serde(with = "value::duration")]
        server_selection_timeout: Duration,
        #[serde(with = "value::duration")]
        timeout: Duration,
        #[serde(deserialize_with = "value::count")]
        pool_size: u32,
        watch: bool,
    }
    /// `[redis]`
    Redis {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<Secret>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca_file: Option<PathBuf>,
        #[serde(with = "value::duration")]
        timeout: Duration,
    }
    /// `[cluster]`
    Cluster {
        #[serde(default, deserialize_with = "value::node_name", skip_serializing_if = "Option::is_none")]
        node_name: Option<String>,
    }
    /// `[limits]`
    Limits {
        #[serde(deserialize_with = "value::count")]
        max_payload: usize,
        #[serde(deserialize_with = "value::count")]
        max_body: usize,
        #[serde(deserialize_with = "value::count")]
        outbox_bytes: usize,
        #[serde(with = "value::duration")]
        outbox_stall: Duration,
        #[serde(deserialize_with = "value::count")]
        events_per_second: u32,
        #[serde(deserialize_with = "value::count")]
        events_burst: u32,
        #[serde(deserialize_with = "value::count")]
        requests_per_second: u32,
        #[serde(deserialize_with = "value::count")]
        requests_burst: u32,
        #[serde(deserialize_with = "value::count")]
        login_per_minute: u32,
        #[serde(deserialize_with = "value::count")]
        auth_per_minute: u32,
        #[serde(deserialize_with = "value::count")]
        connections: usize,
        #[serde(deserialize_with = "value::count")]
        rooms_per_session: usize,
        #[serde(with = "value::duration")]
        header_timeout: Duration,
        #[serde(with = "value::duration")]
        connect_timeout: Duration,
    }
    /// `[engine]`
    Engine {
        #[serde(with = "value::duration_in_millis")]
        ping_interval: Duration,
        #[serde(with = "value::duration_in_millis")]
        ping_timeout: Duration,
        #[serde(with = "value::duration")]
        upgrade_timeout: Duration,
    }
    /// `[shutdown]`
    Shutdown {
        #[serde(with = "value::duration_or_zero")]
        drain: Duration,
    }
    /// `[presence]`
    Presence {
        #[serde(with = "value::duration_or_zero")]
        grace: Duration,
    }
    /// `[recovery]`
    Recovery {
        #[serde(with = "value::duration_or_zero")]
        window: Duration,
        rejoin: bool,
        mode: RecoveryMode,
        #[serde(deserialize_with = "value::count")]
        bytes: usize,
    }
    /// `[membership]`
    Membership {
        #[serde(with = "value::duration_or_zero")]
        max_age: Duration,
    }
    /// `[tasks]`
    Tasks {
        write_by_socket: bool,
    }
    /// `[validation]`
    Validation {
        unknown: UnknownFields,
    }
    /// `[rest]`
    Rest {
        echo: EchoMode,
    }
}

/// What the end of a token means for a session that it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExpiry {
    /// It is closed.
    Close,
    /// Nothing: tokens are checked at its beginning alone.
    Keep,
}

/// What becomes of fields that the server does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownFields {
    /// They are passed over.
    Ignore,
    /// They are a 400.
    Reject,
}

impl From<UnknownFields> for Unknown {
    fn from(unknown: UnknownFields) -> Self {
        match unknown {
            UnknownFields::Ignore => Self::Ignore,
            UnknownFields::Reject => Self::Reject,
        }
    }
}

/// Which sessions can recover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryMode {
    /// Those that ask for it in CONNECT.
    OptIn,
    /// All of Socket.IO's.
    Always,
    /// None.
    Off,
}

impl From<RecoveryMode> for node::RecoveryMode {
    fn from(mode: RecoveryMode) -> Self {
        match mode {
            RecoveryMode::OptIn => Self::OptIn,
            RecoveryMode::Always => Self::Always,
            RecoveryMode::Off => Self::Off,
        }
    }
}

/// Who is left out of hearing of a task change made by REST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EchoMode {
    /// As the request's headers say.
    Auto,
    /// Always the author's sockets.
    Others,
    /// Nobody, ever.
    All,
}
