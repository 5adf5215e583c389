//! The backplane over Redis: room logs by one script, messages by its channels.
//!
//! Two connections: one for calls, which are pipelined in the order in which they were made ([`calls`]), and one that
//! listens ([`listener`]). A call is refused at once while there is no connection, and never made again by itself: what a
//! cut has left in doubt is asked for again by whoever made it, by the same id.

mod answer;
mod call;
mod calls;
mod keys;
mod listener;
mod push;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use collabflow_actors::{
    backplane::{Answer, Append, Appended, Backplane, BackplaneError, Incoming, Table, Tail, Tops},
    key::RoomKey,
};
use futures_util::{FutureExt, future::ready};
use redis::Client;
use tokio::sync::{mpsc, oneshot};

use call::Call;
use calls::Calls;
use keys::Keys;
use listener::{Listener, Subscription};

/// How a certificate begins.
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// How to reach Redis, and what is kept there.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// `redis://` or `rediss://`.
    pub url: String,
    /// A private authority's certificates, in PEM.
    pub ca: Option<Vec<u8>>,
    /// For how long a call, or a connection, may take.
    pub timeout: Duration,
    /// Entries that a room's log keeps.
    pub log_length: usize,
    /// For how long it keeps them.
    pub log_kept: Duration,
    /// For how long ids of entries and versions of tasks are known.
    pub known_for: Duration,
}

impl RedisOptions {
    /// With what is kept by default.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self {
            url,
            ca: None,
            timeout: Duration::from_secs(2),
            log_length: 1_000,
            log_kept: Duration::from_hours(1),
            known_for: Duration::from_mins(10),
        }
    }

    /// Whether they can be used, as far as that is known before anything is tried.
    ///
    /// # Errors
    /// What is wrong with them. It shows nothing of the address, which may hold a password.
    pub fn check(&self) -> Result<(), OptionsError> {
        let is_tls = self.url.starts_with("rediss://");
        if !is_tls && !self.url.starts_with("redis://") || Client::open(self.url.as_str()).is_err()
        {
            return Err(OptionsError::Address);
        }
        let Some(ca) = &self.ca else {
            return Ok(());
        };
        if !is_tls {
            return Err(OptionsError::NoTls);
        }
        // A file without any is no error to the library, and nobody would be trusted.
        let has_some = ca.windows(PEM.len()).any(|part| part == PEM);
        if !has_some || client(self).is_err() {
            return Err(OptionsError::Certificates);
        }
        Ok(())
    }
}

/// Why options cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The address is none.
    #[error("it must be redis://[user:password@]host[:port][/number], or rediss://... for TLS")]
    Address,
    /// There are certificates, but no TLS.
    #[error("certificates are of use to rediss:// alone")]
    NoTls,
    /// What is to be certificates is something else.
    #[error("there are no certificates in PEM in it")]
    Certificates,
}

/// A node's connection to Redis.
pub struct RedisBackplane {
    calls: Arc<Calls>,
    subscriptions: mpsc::UnboundedSender<Subscription>,
    keys: Keys,
}

impl RedisBackplane {
    /// Connects, and goes on trying where nobody answers. What comes in goes to `incoming`, which says when there is a
    /// connection.
    ///
    /// # Errors
    /// When the address or the certificates make no sense.
    pub fn start(
        options: RedisOptions,
        incoming: mpsc::UnboundedSender<Incoming>,
    ) -> Result<Self, BackplaneError> {
        let client = client(&options)?;
        let keys = Keys;
        let (subscriptions, wanted) = mpsc::unbounded_channel();
        let calls = Arc::new(Calls::start(options.clone()));
        let listener = Listener::new(client, Arc::clone(&calls), options, incoming, wanted);
        tokio::spawn(listener.run());
        Ok(Self {
            calls,
            subscriptions,
            keys,
        })
    }

    fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(oneshot::Sender<Result<T, BackplaneError>>) -> Call,
    ) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        if let Err(error) = self.calls.send(call(answer)) {
            return ready(Err(error)).boxed();
        }
        answered
            .map(|answer| answer.unwrap_or_else(|_| Err(away("the connection was cut"))))
            .boxed()
    }
}

impl Backplane for RedisBackplane {
    fn ping(&self) -> Answer<()> {
        self.call(Call::Ping)
    }

    fn subscribe(&self, room: RoomKey) -> Answer<()> {
        let (done, is_done) = oneshot::channel();
        let wanted = Subscription::Begin(room, done);
        if self.subscriptions.send(wanted).is_err() {
            return ready(Err(away("it was stopped"))).boxed();
        }
        is_done
            .map(|done| done.unwrap_or_else(|_| Err(away("it was stopped"))))
            .boxed()
    }

    fn unsubscribe(&self, room: RoomKey) {
        // A listener that has ended hears nothing anyway.
        let _ = self.subscriptions.send(Subscription::End(room));
    }

    fn put(&self, table: Table, field: String, value: Option<Bytes>) {
        // While there is no connection it is lost; it is said again when there is one.
        let _ = self.calls.send(Call::Put(table, field, value));
    }

    fn all(&self, table: Table) -> Answer<Vec<(String, Bytes)>> {
        self.call(|answer| Call::All(table, answer))
    }

    fn take(&self, table: Table, field: String) -> Answer<Option<Bytes>> {
        self.call(|answer| Call::Take(table, field, answer))
    }

    fn keep(&self, tables: Vec<Table>) {
        for table in tables {
            let _ = self.calls.send(Call::Keep(table));
        }
    }

    fn append(&self, append: Append) -> Answer<Appended> {
        self.call(|answer| Call::Append(append, answer))
    }

    fn since(&self, room: RoomKey, offset: u64) -> Answer<Tail> {
        self.call(|answer| Call::Since(room, offset, answer))
    }

    fn tops(&self, rooms: Vec<RoomKey>) -> Answer<Tops> {
        self.call(|answer| Call::Tops(rooms, answer))
    }

    fn pass(&self, room: RoomKey, payload: Bytes) {
        self.calls
            .pass(self.keys.channel(room), push::passing(&payload));
    }

    fn say(&self, payload: Bytes) {
        self.calls
            .pass(keys::EVERYBODY.to_owned(), push::passing(&payload));
    }
}

fn away(text: &str) -> BackplaneError {
    BackplaneError::Away(text.to_owned())
}

fn client(options: &RedisOptions) -> Result<Client, BackplaneError> {
    let wrong = |error: redis::RedisError| BackplaneError::Nonsense(error.to_string());
    match &options.ca {
        None => Client::open(options.url.as_str()).map_err(wrong),
        Some(ca) => Client::build_with_tls(
            options.url.as_str(),
            redis::TlsCertificates {
                client_tls: None,
                root_cert: Some(ca.clone()),
            },
        )
        .map_err(wrong),
    }
}
