//! The accept loop over the edge's service.
//!
//! warp's own server sets no TCP_NODELAY, no header timeout and no cap on connections, so this one does: every
//! connection counts against `limits.connections` for as long as it lives, upgraded or not. Each request has the address
//! of its peer and the connection's [`Place`] in its extensions.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use warp::reply::Response;

/// Bytes of a request's head, and of its body at once, that a connection keeps.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long to wait when the system has no more connections to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What a listener keeps to.
#[derive(Clone, Copy, Debug)]
pub struct ListenerSettings {
    /// `limits.connections`.
    pub connections_max: usize,
    /// `limits.header_timeout`.
    pub header_timeout: Duration,
    /// How long requests may take to finish once the listener ends.
    pub drain: Duration,
}

/// A connection's place under the cap, for whoever takes the connection over.
#[derive(Clone, Debug)]
pub struct Place(#[allow(dead_code, reason = "held, not read")] Arc<OwnedSemaphorePermit>);

/// What answers requests.
pub trait Service: Clone + Send + Sync + 'static {
    /// Answers one.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response> + Send;
}

/// Serves until `ending` is ready; then takes no more connections, and lets requests finish for a while.
pub async fn serve(
    listener: TcpListener,
    service: impl Service,
    settings: ListenerSettings,
    ending: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let (end, _) = watch::channel(());
    let mut ending = std::pin::pin!(ending);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ending => break,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let place = Place(Arc::new(place));
                    tokio::spawn(converse(
                        stream,
                        peer,
                        place,
                        service.clone(),
                        settings,
                        end.subscribe(),
                    ));
                }
                Err(_) => drop(tokio::spawn(turn_away(stream))),
            },
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    end.send_replace(());
    if tokio::time::timeout(settings.drain, end.closed())
        .await
        .is_err()
    {
        tracing::warn!("some requests were not finished in time");
    }
}

/// Answers the requests of one connection, until it is closed, upgraded, or the server ends.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    service: impl Service,
    settings: ListenerSettings,
    mut end: watch::Receiver<()>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(place.clone());
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // How a client ends its connection is its own affair.
    tokio::select! {
        _ = &mut connection => return,
        _ = end.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn turn_away(mut stream: TcpStream) {
    // Best effort: who is turned away may have gone already.
    let _ = tokio::time::timeout(ACCEPT_PAUSE, stream.write_all(FULL)).await;
}

/// A connection that broke before it was taken concerns nobody; anything else is the system's, and needs a pause.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    ) {
        tracing::warn!(%error, "connections cannot be taken just now");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
