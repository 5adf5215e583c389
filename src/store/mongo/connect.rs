//! From an address to a database: the driver's options, and what the deployment can do.

use std::{fmt, time::Duration};

use collabflow_actors::store::StoreError;
use mongodb::{
    Client, Database,
    bson::{Document, doc},
    error::{Error, ErrorKind},
    options::{
        Acknowledgment, ClientOptions, ConnectionString, DatabaseOptions, HostInfo, WriteConcern,
    },
};

/// Mongoose's choice where the address names no database.
const DEFAULT_DATABASE: &str = "test";
const APP_NAME: &str = "collabflow";
/// Connections that are made at the same time.
const CONNECTING_MAX: u32 = 10;

/// How to reach MongoDB.
#[derive(Clone)]
pub struct Options {
    /// The address, with everything that it says of users, hosts and the database.
    pub uri: String,
    /// For how long the start waits for a server.
    pub connect_timeout: Duration,
    /// For how long a call waits for a server that is away.
    pub server_selection_timeout: Duration,
    /// For how long a call may take before it is refused.
    pub timeout: Duration,
    /// Connections to each server, at most.
    pub pool_max: u32,
}

impl Options {
    /// Whether a text is an address of MongoDB.
    #[must_use]
    pub fn is_address(uri: &str) -> bool {
        ConnectionString::parse(uri).is_ok()
    }

    /// As the driver takes them. What the address says itself counts.
    async fn driver(&self) -> Result<ClientOptions, Error> {
        let mut driver = ClientOptions::parse(&self.uri).await?;
        driver.app_name.get_or_insert_with(|| APP_NAME.to_owned());
        driver.max_pool_size.get_or_insert(self.pool_max);
        // A connection that hangs holds up those that wait behind it.
        driver.connect_timeout.get_or_insert(self.timeout);
        driver.max_connecting.get_or_insert(CONNECTING_MAX);
        driver
            .server_selection_timeout
            .get_or_insert(self.server_selection_timeout);
        // Its own writes are read by whoever made them, whatever the address prefers.
        driver.selection_criteria = None;
        Ok(driver)
    }

    /// The servers and the database, without what else the address holds.
    #[must_use]
    pub fn whereabouts(&self) -> String {
        let Ok(address) = ConnectionString::parse(&self.uri) else {
            return "MongoDB".to_owned();
        };
        let database = address.default_database.as_deref();
        let database = database.unwrap_or(DEFAULT_DATABASE);
        let hosts = match address.host_info {
            HostInfo::HostIdentifiers(hosts) => hosts.iter().map(ToString::to_string).collect(),
            HostInfo::DnsRecord(name) => vec![name],
            _ => Vec::new(),
        };
        format!("MongoDB at {}, database {database}", hosts.join(","))
    }
}

/// Without the address, which may hold a password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").finish_non_exhaustive()
    }
}

/// Why the start has no database.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address, or what it asks for, makes no sense.
    #[error("MONGODB_URI cannot be used: {0}")]
    Address(Error),
    /// It answers, but not to what the start needs.
    #[error("MongoDB refuses: {0}")]
    Refused(#[from] StoreError),
    /// A server by itself has no change streams.
    #[error(
        "mongodb.watch = true needs MongoDB to be a replica set: a server by itself has no change streams"
    )]
    NoChangeStreams,
    /// Nobody answers.
    #[error(
        "MongoDB does not answer at {hosts} within {within:?} (mongodb.connect_timeout): {reason}; \
         is it running, and is MONGODB_URI right?"
    )]
    Away {
        /// Where it was looked for.
        hosts: String,
        /// For how long.
        within: Duration,
        /// What was found instead.
        reason: String,
    },
}

/// A database, and what its deployment can do.
pub(super) struct Connected {
    pub(super) client: Client,
    pub(super) database: Database,
    /// A replica set or a sharded cluster: transactions and change streams.
    pub(super) is_replicated: bool,
}

/// Finds the server, and asks what it is.
pub(super) async fn connect(options: &Options) -> Result<Connected, ConnectError> {
    let mut driver = options.driver().await.map_err(ConnectError::Address)?;
    let hosts: Vec<_> = driver.hosts.iter().map(ToString::to_string).collect();
    let within = options.connect_timeout;
    let usual = driver.server_selection_timeout.replace(within);
    let hello = hello(driver.clone()).await;
    let hello = hello.map_err(|error| match *error.kind {
        ErrorKind::Authentication { .. } => {
            ConnectError::Refused(StoreError::Failed("wrong user or password".into()))
        }
        _ => ConnectError::Away {
            hosts: hosts.join(","),
            within,
            reason: reason(&error),
        },
    })?;
    let is_replicated =
        hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
    driver.server_selection_timeout = usual;
    let name = driver
        .default_database
        .clone()
        .unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
    let concern = write_concern(driver.write_concern.take(), is_replicated);
    let client = Client::with_options(driver).map_err(ConnectError::Address)?;
    let database = client.database_with_options(
        &name,
        DatabaseOptions::builder().write_concern(concern).build(),
    );
    Ok(Connected {
        client,
        database,
        is_replicated,
    })
}

async fn hello(options: ClientOptions) -> Result<Document, Error> {
    let client = Client::with_options(options)?;
    let answer = client
        .database("admin")
        .run_command(doc! { "hello": 1 })
        .await;
    client.shutdown().await;
    answer
}

/// What an error comes to, without the driver's picture of the deployment: the last cause that it names.
fn reason(error: &Error) -> String {
    let text = error.to_string();
    let cause = text
        .rsplit_once("Kind: I/O error: ")
        .map_or(text.as_str(), |(_, cause)| cause);
    let end = cause.find(", labels:").unwrap_or(cause.len());
    cause[..end].to_owned()
}

/// An answered write is on disk, and on most members of a replica set. What the address asks for beyond that is kept.
fn write_concern(asked: Option<WriteConcern>, is_replicated: bool) -> WriteConcern {
    let mut concern = asked.unwrap_or_default();
    if is_replicated
        && !matches!(
            concern.w,
            Some(Acknowledgment::Nodes(2..) | Acknowledgment::Custom(_))
        )
    {
        concern.w = Some(Acknowledgment::Majority);
    } else if concern.w == Some(Acknowledgment::Nodes(0)) {
        concern.w = Some(Acknowledgment::Nodes(1));
    }
    concern.journal = Some(true);
    concern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(uri: &str) -> Options {
        Options {
            uri: uri.to_owned(),
            connect_timeout: Duration::from_secs(1),
            server_selection_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(3),
            pool_max: 4,
        }
    }

    #[tokio::test]
    async fn the_driver_does_as_it_is_configured_but_for_what_the_address_says() {
        let configured = |uri: &'static str| async move {
            let driver = options(uri).driver().await.expect("a good address");
            assert_eq!(driver.selection_criteria, None, "reads go to the primary");
            (
                driver.max_pool_size,
                driver.server_selection_timeout,
                driver.connect_timeout,
            )
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(
            configured("mongodb://h/pm?readPreference=secondary").await,
            (Some(4), seconds(2), seconds(3))
        );
        let said =
            "mongodb://h/pm?maxPoolSize=9&serverSelectionTimeoutMS=8000&connectTimeoutMS=7000";
        assert_eq!(configured(said).await, (Some(9), seconds(8), seconds(7)));
    }

    #[test]
    fn its_place_is_told_without_who_asks() {
        let place = |uri: &str| options(uri).whereabouts();
        assert_eq!(
            place("mongodb://ada:pa55@one:27018,two/pm?replicaSet=rs&authSource=admin"),
            "MongoDB at one:27018,two:27017, database pm"
        );
        assert_eq!(
            place("mongodb+srv://ada:pa55@cluster.example.org/"),
            "MongoDB at cluster.example.org, database test"
        );
    }

    #[test]
    fn what_is_answered_is_on_disk_and_on_most_members() {
        let nothing = write_concern(None, false);
        assert_eq!((nothing.w, nothing.journal), (None, Some(true)));
        let set = write_concern(None, true);
        assert_eq!(set.w, Some(Acknowledgment::Majority));
        let careless = WriteConcern::builder()
            .w(Acknowledgment::Nodes(0))
            .journal(false)
            .build();
        let kept = write_concern(Some(careless), false);
        assert_eq!(
            (kept.w, kept.journal),
            (Some(Acknowledgment::Nodes(1)), Some(true))
        );
        let three = WriteConcern::builder().w(Acknowledgment::Nodes(3)).build();
        assert_eq!(
            write_concern(Some(three), true).w,
            Some(Acknowledgment::Nodes(3))
        );
    }
}
