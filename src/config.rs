//! What the server can be told from outside: read once at start, typed, and refused whole where anything is wrong.
//!
//! `config/default.toml` is compiled in and names every key; `layer` says what overrides it. After [`Config::load`]
//! nothing else reads a file or a variable for a setting.

mod dotenv;
mod error;
mod layer;
mod origin;
mod secret;
mod section;
mod value;

use std::{net::IpAddr, path::Path};

use collabflow_actors::node::Settings;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    auth::Scheme,
    cluster::{OptionsError, RedisOptions},
    edge::engine,
    store::{MongoOptions, Place},
};
pub use error::ConfigError;
pub use origin::AllowedOrigin;
pub use secret::{MadeSecret, Secret};
pub use section::*;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whose `X-Forwarded-For` names the client.
    #[serde(deserialize_with = "value::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Where to listen.
    pub server: Server,
    /// What is kept on disk.
    pub data: Data,
    /// What is logged.
    pub log: Log,
    /// Which pages may call.
    pub cors: Cors,
    /// Where REST is.
    pub api: Api,
    /// Tokens and accounts.
    pub auth: Auth,
    /// A database elsewhere.
    pub mongodb: Mongodb,
    /// What joins nodes to a cluster.
    pub redis: Redis,
    /// This node among others.
    pub cluster: Cluster,
    /// What is too much.
    pub limits: Limits,
    /// Heartbeats and upgrades.
    pub engine: Engine,
    /// How to end.
    pub shutdown: Shutdown,
    /// Who is online.
    pub presence: Presence,
    /// Coming back after a drop.
    pub recovery: Recovery,
    /// What is remembered of memberships.
    pub membership: Membership,
    /// What `task:*` events may do.
    pub tasks: Tasks,
    /// How strictly input is read.
    pub validation: Validation,
    /// What REST changes tell.
    pub rest: Rest,
}

impl Config {
    /// Reads the configuration from `file` (if any), the `.env` of the working folder and the environment.
    ///
    /// # Errors
    /// One line that names the key, the value and what is accepted.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut layers = layer::Layers::default();
        if let Some(file) = file {
            layers.add_file(file)?;
        }
        layers.add_dotenv(Path::new(".env"))?;
        layers.add_environment(std::env::vars_os())?;
        layers.extract()
    }

    /// The defaults alone.
    #[must_use]
    pub fn defaults() -> Self {
        let defaults = layer::Layers::default().extract();
        defaults.expect("the compiled-in defaults are valid")
    }

    /// The effective configuration as a file would have it, secrets masked.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every section is a table of plain values")
    }

    /// Whether a peer is a proxy whose `X-Forwarded-For` is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(&peer))
    }

    /// What joins this node to others, if anything does.
    ///
    /// # Errors
    /// One line that names the key, where the address or the certificates cannot be used.
    pub fn backplane(&self) -> Result<Option<RedisOptions>, ConfigError> {
        let Some(url) = &self.redis.url else {
            return Ok(None);
        };
        let ca = match &self.redis.ca_file {
            None => None,
            Some(file) => Some(std::fs::read(file).map_err(|error| {
                let file = file.display();
                ConfigError::new(format!("redis.ca_file: {file} cannot be read: {error}"))
            })?),
        };
        let options = RedisOptions {
            ca,
            timeout: self.redis.timeout,
            ..RedisOptions::new(url.expose().to_owned())
        };
        options.check().map_err(|error| {
            ConfigError::new(match (error, &self.redis.ca_file) {
                (OptionsError::Address, _) | (_, None) => {
                    format!("REDIS_URL (redis.url) is not accepted, {error}")
                }
                (_, Some(file)) => {
                    format!("redis.ca_file: {} is not accepted, {error}", file.display())
                }
            })
        })?;
        Ok(Some(options))
    }

    /// How new passwords are hashed: in a MongoDB so that the Node backend can read them, unless it need not.
    #[must_use]
    pub const fn password_scheme(&self) -> Scheme {
        if self.mongodb.uri.is_some() && !self.auth.upgrade_hashes {
            Scheme::Bcrypt
        } else {
            Scheme::Argon2id
        }
    }

    /// What the engine is told.
    #[must_use]
    pub fn engine_settings(&self) -> Settings {
        Settings {
            presence_grace: self.presence.grace,
            recovery_window: self.recovery.window,
            rejoin: self.recovery.rejoin,
            recovery: self.recovery.mode.into(),
            recovery_bytes_max: self.recovery.bytes,
            membership_max_age: self.membership.max_age,
            write_by_socket: self.tasks.write_by_socket,
            rooms_per_session_max: self.limits.rooms_per_session,
            store_timeout: self.mongodb.timeout,
        }
    }

    /// Where the documents are.
    #[must_use]
    pub fn place(&self) -> Place {
        self.mongodb.uri.as_ref().map_or_else(
            || Place::Embedded(self.data.dir.join("collabflow.db")),
            |uri| {
                Place::Mongo(MongoOptions {
                    uri: uri.expose().to_owned(),
                    connect_timeout: self.mongodb.connect_timeout,
                    server_selection_timeout: self.mongodb.server_selection_timeout,
                    timeout: self.mongodb.timeout,
                    pool_max: self.mongodb.pool_size,
                })
            },
        )
    }

    /// What the transports are told.
    #[must_use]
    pub const fn transport_settings(&self) -> engine::Settings {
        engine::Settings {
            max_payload: self.limits.max_payload,
            outbox_bytes: self.limits.outbox_bytes,
            outbox_stall: self.limits.outbox_stall,
            ping_interval: self.engine.ping_interval,
            ping_timeout: self.engine.ping_timeout,
            upgrade_timeout: self.engine.upgrade_timeout,
            connect_timeout: self.limits.connect_timeout,
            events_per_second: self.limits.events_per_second,
            events_burst: self.limits.events_burst,
            on_expiry: self.auth.on_expiry,
        }
    }

    /// Refuses what cannot be used, and what this version cannot do yet, rather than to start without it unnoticed.
    ///
    /// # Errors
    /// One line that says so.
    pub fn check(&self) -> Result<(), ConfigError> {
        if let Some(uri) = &self.mongodb.uri
            && !MongoOptions::is_address(uri.expose())
        {
            return Err(ConfigError::new(
                "MONGODB_URI (mongodb.uri) is not accepted, it must be mongodb://[user:password@]host[:port][/database] or mongodb+srv://...",
            ));
        }
        if self.backplane()?.is_some() {
            for (is_set, name) in [
                (self.mongodb.uri.is_some(), "MONGODB_URI (mongodb.uri)"),
                (self.auth.secret.is_some(), "JWT_SECRET (auth.secret)"),
            ] {
                if !is_set {
                    return Err(ConfigError::new(format!(
                        "REDIS_URL (redis.url) is set, but {name} is not: the nodes of a cluster share their data and their tokens"
                    )));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
