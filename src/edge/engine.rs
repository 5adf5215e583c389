//! Engine.IO 4 at `/socket.io/`, for Socket.IO 5: polling, WebSocket, and the upgrade between them.
//!
//! A `connection` outlives its transports; each has one task (`task`). What comes in by either transport goes
//! through `packets`; what goes out is in the connection's outbox.

mod connection;
mod dialogue;
mod packets;
mod polling;
mod task;
mod upgrade;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use collabflow_actors::{
    id::PrivateId,
    node::Node,
    outbox::{CloseReason, Outbox},
};
use collabflow_protocol::{
    engine::{Arrival, HandshakeError, Query, Transport},
    error::ClientError,
    validate::Unknown,
};
use dashmap::DashMap;
use hyper::upgrade::OnUpgrade;
use warp::{
    Filter,
    filters::BoxedFilter,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    reply::Response,
};

use super::{
    cors::Cors,
    listener::Place,
    rejection::Failure,
    websocket::{self, WebSocket},
};
use crate::{auth::Auth, config::OnExpiry, telemetry::metrics};
use connection::Connection;

/// Names a new session that polls, for load balancers: they see heads of answers, and not what is in them.
const SID_HEADER: &str = "X-Engine-Sid";

/// What the transports keep to.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // Each is a key of `config/default.toml`, by the same name.
pub struct Settings {
    pub max_payload: usize,
    pub outbox_bytes: usize,
    pub outbox_stall: Duration,
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub upgrade_timeout: Duration,
    pub connect_timeout: Duration,
    pub events_per_second: u32,
    pub events_burst: u32,
    pub on_expiry: OnExpiry,
}

/// What every connection works with.
pub struct Context {
    pub(super) settings: Settings,
    pub(super) node: Node,
    pub(super) auth: Arc<Auth>,
    pub(super) cors: Cors,
    pub(super) unknown: Unknown,
    connections: DashMap<PrivateId, Arc<Connection>>,
    /// Those that speak plain WebSocket.
    pub(super) plain: DashMap<PrivateId, Arc<Outbox>>,
    /// No more sessions are opened.
    is_draining: AtomicBool,
}

impl Context {
    /// A context without connections.
    #[must_use]
    pub fn new(
        settings: Settings,
        node: Node,
        auth: Arc<Auth>,
        cors: Cors,
        unknown: Unknown,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            node,
            auth,
            cors,
            unknown,
            connections: DashMap::new(),
            plain: DashMap::new(),
            is_draining: AtomicBool::new(false),
        })
    }

    /// The session, unless it is closed, though its task may not have got round to ending it.
    fn find(&self, sid: &str) -> Option<Arc<Connection>> {
        let sid = sid.parse().ok()?;
        let connection = Arc::clone(self.connections.get(&sid)?.value());
        connection.outbox.closed().is_none().then_some(connection)
    }

    /// Opens no more sessions, since the node is ending.
    pub fn refuse_new(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
    }

    /// Whether no more sessions are opened.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    /// Closes every connection that there is: clients come back by themselves.
    pub fn close_all(&self) {
        for connection in &self.connections {
            connection.outbox.close(CloseReason::Draining);
        }
        for outbox in &self.plain {
            outbox.close(CloseReason::Draining);
        }
    }
}

/// The routes of Engine.IO, with or without the trailing slash.
#[must_use]
pub fn routes(context: Arc<Context>) -> BoxedFilter<(Response,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path("socket.io")
        .and(warp::path::end())
        .and(warp::method())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<OnUpgrade>())
        .and(warp::ext::optional::<Place>())
        .and(warp::body::stream())
        .then(
            move |method, query: String, headers, upgrade, place, body| {
                let context = Arc::clone(&context);
                async move {
                    let request = Request {
                        method,
                        headers,
                        upgrade,
                        place,
                    };
                    match Query::parse(&query) {
                        Ok(query) => request.answer(&context, query, body).await,
                        Err(error) => request.refuse(error),
                    }
                }
            },
        )
        .boxed()
}

struct Request {
    method: Method,
    headers: HeaderMap,
    upgrade: Option<OnUpgrade>,
    place: Option<Place>,
}

impl Request {
    async fn answer(
        self,
        context: &Arc<Context>,
        query: Query,
        body: impl futures_util::Stream<Item = Result<impl bytes::Buf, warp::Error>> + Send,
    ) -> Response {
        match &query.sid {
            None => self.open(context, &query),
            Some(sid) => match context.find(sid) {
                Some(connection) => self.go_on(&connection, query.transport, body).await,
                None => self.refuse(HandshakeError::UnknownSession),
            },
        }
    }

    /// Opens a session.
    fn open(self, context: &Arc<Context>, query: &Query) -> Response {
        let arrival = if self.upgrade_key().is_some() {
            Arrival::Upgrade
        } else {
            Arrival::Request
        };
        if let Err(error) = query.check_arrival(self.method.as_str(), arrival) {
            return self.refuse(error);
        }
        if query.transport == Transport::Websocket && !context.cors.permits_websocket(&self.headers)
        {
            return self.refuse(HandshakeError::Forbidden);
        }
        if let Err(error) = query.check_protocol() {
            return self.refuse(error);
        }
        if context.is_draining() {
            return busy("draining");
        }
        match query.transport {
            Transport::Polling => self.open_polling(context),
            Transport::Websocket => {
                let context = Arc::clone(context);
                self.switch(|upgrade, place| async move {
                    let message_bytes_max = context.settings.max_payload;
                    // A client that has gone meanwhile leaves nothing to be done.
                    if let Ok(websocket) = WebSocket::accept(upgrade, message_bytes_max).await {
                        let (connection, _) = Connection::open(&context, Transport::Websocket);
                        // A task of its own, since this one has room for all that an opening needs.
                        tokio::spawn(task::run_websocket(connection, websocket, place));
                    }
                })
            }
        }
    }

    /// A session that polls takes a place of its own, since its TCP connections come and go.
    fn open_polling(&self, context: &Arc<Context>) -> Response {
        let place = self.place.as_ref().map(Place::another);
        if let Some(None) = place {
            return busy("limit");
        }
        let (connection, upgraded) = Connection::open(context, Transport::Polling);
        let mut answer = polling::payload(&connection, &connection.outbox.take(usize::MAX));
        answer.headers_mut().insert(SID_HEADER, connection.sid());
        tokio::spawn(task::run_polling(connection, upgraded, place.flatten()));
        answer
    }

    /// A request of a session that there is.
    async fn go_on(
        self,
        connection: &Arc<Connection>,
        transport: Transport,
        body: impl futures_util::Stream<Item = Result<impl bytes::Buf, warp::Error>> + Send,
    ) -> Response {
        match transport {
            Transport::Websocket => self.upgrade(connection),
            Transport::Polling if !connection.is_polling() => {
                self.refuse(HandshakeError::BadRequest)
            }
            Transport::Polling => match self.method {
                Method::GET => polling::get(connection).await,
                Method::POST => polling::post(connection, &self.headers, body).await,
                _ => self.refuse(HandshakeError::BadRequest),
            },
        }
    }

    fn upgrade(self, connection: &Arc<Connection>) -> Response {
        if self.upgrade_key().is_none() {
            return self.refuse(HandshakeError::BadRequest);
        }
        if !connection.context().cors.permits_websocket(&self.headers) {
            return self.refuse(HandshakeError::Forbidden);
        }
        if !connection.begin_probe() {
            return self.refuse(HandshakeError::BadRequest);
        }
        let connection = Arc::clone(connection);
        self.switch(|upgrade, place| async move {
            upgrade::probe(connection, upgrade).await;
            // The session has a place of its own.
            drop(place);
        })
    }

    fn upgrade_key(&self) -> Option<&HeaderValue> {
        self.upgrade
            .as_ref()
            .filter(|_| self.method == Method::GET)
            .and_then(|_| websocket::handshake_key(&self.headers))
    }

    /// Switches to WebSocket; the task that takes it over keeps the connection's place.
    fn switch<F>(self, take_over: impl FnOnce(OnUpgrade, Option<Place>) -> F) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(key) = self.upgrade_key().cloned() else {
            return self.refuse(HandshakeError::BadRequest);
        };
        let Some(upgrade) = self.upgrade else {
            return polling::refusal(HandshakeError::BadRequest);
        };
        tokio::spawn(take_over(upgrade, self.place));
        websocket::switching_protocols(&key)
    }

    /// Refuses, in the words of Node's server; a WebSocket handshake gets plain text and no second chance.
    fn refuse(&self, error: HandshakeError) -> Response {
        if self.upgrade_key().is_none() {
            return polling::refusal(error);
        }
        let mut response = Response::new(error.message().into());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        response
    }
}

/// There is no room for another session, or it is too late for one.
pub(super) fn busy(reason: &'static str) -> Response {
    metrics::refused(reason);
    Failure::from(ClientError::unavailable()).response()
}
