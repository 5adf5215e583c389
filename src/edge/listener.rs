//! The accept loop over the edge's service.
//!
//! warp's own server sets no TCP_NODELAY, no header timeout and no cap on connections, so this one does: every
//! connection counts against `limits.connections` for as long as it lives, upgraded or not, and one past it is told so.
//! Each request has the address of its peer and the connection's [`Place`] in its extensions.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};
use warp::reply::Response;

/// Bytes of a request's head, and of its body at once, that a connection keeps.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long to wait when the system has no more connections to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections past the cap that may be told so at the same time; others are just closed.
const TURNED_AWAY_MAX: usize = 64;
/// How long one past the cap may take to ask its question.
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(1);

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

/// A place under the cap, for as long as any of its clones is held.
#[derive(Clone, Debug)]
pub struct Place(Arc<OwnedSemaphorePermit>);

impl Place {
    fn take(places: &Arc<Semaphore>) -> Option<Self> {
        let place = Arc::clone(places).try_acquire_owned().ok()?;
        Some(Self(Arc::new(place)))
    }

    /// A second place, if there is one left.
    #[must_use]
    pub fn another(&self) -> Option<Self> {
        Self::take(self.0.semaphore())
    }
}

/// What answers requests.
pub trait Service: Clone + Send + Sync + 'static {
    /// Answers one.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response> + Send;

    /// Answers one for which there is no place.
    fn turn_away(&self, request: &Request<Incoming>) -> Response;
}

/// Serves until `ending` is ready; then takes no more connections, and lets requests finish for a while.
pub async fn serve(
    listener: TcpListener,
    service: impl Service,
    settings: ListenerSettings,
    ending: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let (end, _) = watch::channel(());
    let mut ending = std::pin::pin!(ending);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ending => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (service, end) = (service.clone(), end.subscribe());
                if let Some(place) = Place::take(&places) {
                    tokio::spawn(converse(stream, peer, place, service, settings, end));
                } else if let Ok(turn) = Arc::clone(&turned_away).try_acquire_owned() {
                    tokio::spawn(turn_away(stream, service, turn));
                }
            }
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    end.send_replace(());
    let until = Instant::now() + settings.drain;
    end.closed().await;
    // Those that were upgraded are still to hear, and to answer, that it ends.
    let all = u32::try_from(settings.connections_max).unwrap_or(u32::MAX);
    let gone = places.acquire_many(all);
    let _ = tokio::time::timeout_at(until, gone).await;
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
    if tokio::time::timeout(settings.drain, connection)
        .await
        .is_err()
    {
        tracing::warn!(%peer, "a request was not finished in time");
    }
}

/// Tells one that there is no place for it. It is heard out first: an answer to a question that was not read may never
/// arrive.
async fn turn_away(stream: TcpStream, service: impl Service, _turn: OwnedSemaphorePermit) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = service.turn_away(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(TURNED_AWAY_WITHIN)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Who is turned away may have gone already.
    let _ = tokio::time::timeout(TURNED_AWAY_WITHIN, connection).await;
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

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, sync::mpsc};
    use warp::http::{StatusCode, header};

    use super::*;

    /// Upgrades each connection, and tells whether small packets of it wait for others.
    #[derive(Clone)]
    struct Probe(mpsc::UnboundedSender<bool>);

    impl Service for Probe {
        async fn answer(&self, request: Request<Incoming>) -> Response {
            let told = self.0.clone();
            tokio::spawn(async move {
                let upgraded = hyper::upgrade::on(request).await.expect("an upgrade");
                let parts = upgraded.downcast::<TokioIo<TcpStream>>();
                let stream = parts.expect("a bare TCP stream").io.into_inner();
                told.send(stream.nodelay().expect("an option")).ok();
            });
            let mut response = Response::default();
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, "upgrade".parse().expect("a value"));
            headers.insert(header::UPGRADE, "probe".parse().expect("a value"));
            response
        }

        fn turn_away(&self, _request: &Request<Incoming>) -> Response {
            Response::default()
        }
    }

    #[tokio::test]
    async fn no_small_packet_waits_for_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (probe, mut told) = mpsc::unbounded_channel();
        let settings = ListenerSettings {
            connections_max: 1,
            header_timeout: Duration::from_secs(10),
            drain: Duration::ZERO,
        };
        let serving = serve(listener, Probe(probe), settings, std::future::pending());
        let asking = async {
            let mut client = TcpStream::connect(address).await.expect("a connection");
            let head = "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: probe\r\n\r\n";
            client.write_all(head.as_bytes()).await.expect("it is sent");
            told.recv().await
        };
        tokio::select! {
            () = serving => panic!("it ends"),
            told = asking => assert_eq!(told, Some(true)),
        }
    }
}
