//! The server: one node over its store, and the edge around it, from start to end.

mod drain;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use collabflow_actors::{cluster::Joined, directory::Directory, node::Node};
use collabflow_protocol::error::ClientError;
use hyper::{Request, body::Incoming};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tower_service::Service as _;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use crate::{
    auth::{self, Auth, Tokens},
    cluster::RedisBackplane,
    config::Config,
    edge::{
        cors::Cors,
        engine, health,
        listener::{self, ListenerSettings},
        metrics, plain, rejection,
        rest::Rest,
    },
    store::Opened,
    telemetry,
};

/// How long requests and connections may take to finish once the server has closed them.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A server that is running.
pub struct Server {
    address: SocketAddr,
    node: Node,
    end: oneshot::Sender<()>,
    accepting: JoinHandle<()>,
    engine: Arc<engine::Context>,
    store: Opened,
    counting: JoinHandle<()>,
    /// Tells what other programs change.
    watching: Option<JoinHandle<()>>,
}

/// Serves until the process is told to end (SIGTERM or SIGINT).
///
/// # Errors
/// When the data cannot be opened, or the address is taken.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let within = config.shutdown.drain;
    let server = Server::start(config).await?;
    telemetry::listening(server.address);
    tokio::select! {
        () = signals.next() => {}
        () = server.node.ended() => anyhow::bail!("what broke cannot be started again: see the log"),
    }
    tracing::info!(within = ?within, "draining; a second signal ends at once");
    tokio::select! {
        drained = server.drain(within) => drained,
        () = signals.next() => anyhow::bail!("ended by a second signal, without waiting for connections"),
    }
}

impl Server {
    /// Starts to serve.
    ///
    /// # Errors
    /// When the data cannot be opened, or the address is taken.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        telemetry::metrics::install();
        let place = config.place();
        let opened = Opened::open(&place).await?;
        tracing::info!("documents are in {place}");
        let store = opened.store();
        let tokens = Tokens::new(&auth::secret(&config)?, &config.auth);
        let auth = Arc::new(Auth::new(tokens, Arc::clone(&store)));
        let host = (config.server.host.as_str(), config.server.port);
        let listener = TcpListener::bind(host)
            .await
            .with_context(|| format!("cannot listen on {}:{}", host.0, host.1))?;
        let address = listener.local_addr()?;
        let joined = join(&config, address.port())?;
        let node = Node::start_joined(store, config.engine_settings(), joined).await;
        let watching = if config.mongodb.watch {
            opened.watch(Directory::new(node.clone())).await?
        } else {
            None
        };
        let cors = Cors::new(config.cors.origins.clone(), config.cors.check_websocket);
        let engine = engine::Context::new(
            config.transport_settings(),
            node.clone(),
            Arc::clone(&auth),
            cors.clone(),
            config.validation.unknown.into(),
        );
        let settings = ListenerSettings {
            connections_max: config.limits.connections,
            header_timeout: config.limits.header_timeout,
            drain: LAST_WORDS,
        };
        let config = Arc::new(config);
        let draining = Arc::clone(&engine);
        let edge = Edge {
            routes: health::routes(node.clone(), move || draining.is_draining())
                .or(metrics::routes(node.clone()))
                .unify()
                .or(engine::routes(Arc::clone(&engine)))
                .unify()
                .or(plain::routes(Arc::clone(&engine)))
                .unify()
                .or(Rest::new(node.clone(), auth, Arc::clone(&config)).routes())
                .unify()
                .recover(rejection::recover)
                .unify()
                .boxed(),
            cors,
            config,
        };
        let (end, ending) = oneshot::channel();
        let accepting = tokio::spawn(listener::serve(listener, edge, settings, async {
            // Whoever drops the server ends it too.
            let _ = ending.await;
        }));
        Ok(Self {
            address,
            node,
            end,
            accepting,
            engine,
            store: opened,
            watching,
            counting: tokio::spawn(telemetry::metrics::keep_up()),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The node inside.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// Ends without hurry: takes no new sessions, closes those that there are in batches, and then stops.
    ///
    /// # Errors
    /// When the accept loop had broken.
    pub async fn drain(self, within: Duration) -> anyhow::Result<()> {
        self.engine.refuse_new();
        drain::sessions(&self.node, within).await;
        self.stop().await
    }

    /// Closes every connection, lets requests finish, and leaves everything that was acknowledged stored.
    ///
    /// # Errors
    /// When the accept loop had broken.
    pub async fn stop(self) -> anyhow::Result<()> {
        // The listener may have ended by itself.
        let _ = self.end.send(());
        self.engine.refuse_new();
        self.engine.close_all();
        self.accepting.await.context("the accept loop broke")?;
        if let Some(watching) = self.watching {
            watching.abort();
        }
        self.node.stop().await;
        self.store.close().await;
        self.counting.abort();
        Ok(())
    }
}

/// What joins this node to others, where it is one of several.
fn join(config: &Config, port: u16) -> anyhow::Result<Option<Joined>> {
    let Some(options) = config.backplane()? else {
        return Ok(None);
    };
    let (sender, incoming) = mpsc::unbounded_channel();
    let backplane = RedisBackplane::start(options, sender).context("REDIS_URL cannot be used")?;
    Ok(Some(Joined {
        backplane: Arc::new(backplane),
        incoming,
        name: config
            .cluster
            .node_name
            .clone()
            .unwrap_or_else(|| name(port)),
    }))
}

/// What this node is called among others: two of one machine have a port each.
fn name(port: u16) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{port}", host.trim())
}

/// What answers requests: the routes, inside CORS.
#[derive(Clone)]
struct Edge {
    routes: BoxedFilter<(Response,)>,
    cors: Cors,
    config: Arc<Config>,
}

impl listener::Service for Edge {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        if !self.is_shared(&request) {
            return self.route(request).await;
        }
        let headers = request.headers().clone();
        if let Some(response) = self.cors.preflight(request.method(), &headers) {
            return response;
        }
        let mut response = self.route(request).await;
        self.cors.mark(&headers, &mut response);
        response
    }

    fn turn_away(&self, request: &Request<Incoming>) -> Response {
        telemetry::metrics::refused("limit");
        let mut response = rejection::Failure::from(ClientError::unavailable()).response();
        if self.is_shared(request) {
            self.cors.mark(request.headers(), &mut response);
        }
        response
    }
}

impl Edge {
    /// Whether pages of other origins may ask for this.
    fn is_shared(&self, request: &Request<Incoming>) -> bool {
        let path = request.uri().path();
        path.starts_with("/socket.io") || path.starts_with(&self.config.api.prefix)
    }

    async fn route(&self, request: Request<Incoming>) -> Response {
        let Ok(response) = warp::service(self.routes.clone()).call(request).await;
        response
    }
}

/// The signals that tell the process to end, heard from the start on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;
