//! The server: one node over the embedded store, and the edge around it.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use collabflow_actors::{node::Node, store::Store};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower_service::Service;
use warp::{Filter, reply::Response};

use crate::{
    auth::{self, Auth, Tokens},
    config::Config,
    edge::{health, rejection, rest::Rest},
    store::{Options, SqliteStore},
    telemetry,
};

/// Serves until the process is told to end.
///
/// # Errors
/// When the data cannot be opened, or the address is taken.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let path = config.store_path();
    let store = SqliteStore::open(&path, &Options::default())
        .with_context(|| format!("cannot open {}", path.display()))?;
    let store: Arc<dyn Store> = Arc::new(store);
    let tokens = Tokens::new(&auth::secret(&config)?, &config.auth);
    let auth = Arc::new(Auth::new(tokens, Arc::clone(&store)));
    let node = Node::start(Arc::clone(&store), config.engine_settings()).await;
    let config = Arc::new(config);
    let rest = Rest::new(node, auth, Arc::clone(&config));
    let routes = health::routes(store)
        .or(rest.routes())
        .unify()
        .recover(rejection::recover)
        .unify()
        .boxed();
    let address = (config.server.host.as_str(), config.server.port);
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {}:{}",
            config.server.host, config.server.port
        )
    })?;
    telemetry::listening(listener.local_addr()?);
    accept(listener, warp::service(routes)).await
}

async fn accept<S>(listener: TcpListener, service: S) -> anyhow::Result<()>
where
    S: Service<Request<Incoming>, Response = Response, Error = std::convert::Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    loop {
        let (stream, peer): (_, SocketAddr) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        let call = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            service.clone().call(request)
        });
        tokio::spawn(async move {
            let ended = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), call)
                .await;
            if let Err(error) = ended {
                tracing::debug!(reason = %error, "a connection broke");
            }
        });
    }
}
