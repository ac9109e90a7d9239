//! Accepting TLS connections and serving them, for the peer port and for the public one.
//!
//! Promises: a connection that does not finish its handshake in time, takes no answers or sends frames
//! that ask for nothing is dropped; what one connection, one address and all together may hold is
//! bounded, and whoever finds no place is turned away at once; the certificate's name reaches every
//! request as an extension; new certificates serve the next connection. On shutdown no connection is
//! accepted any more, requests under way may finish for a while, and then all connections are closed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::certificate::ConnectionIdentity;

mod frames;
mod guarded;
mod places;

pub use frames::FrameRate;
pub use places::whose;

use guarded::Guarded;
use places::Places;

/// How often it is said at most that connections were turned away.
const TURNED_AWAY: Duration = Duration::from_secs(10);

/// The address at the other end of a request's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// What connections may hold, and for how long they may do nothing.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more are turned away.
    pub connections: usize,
    /// Of them from one address; of IPv6, from one network of 64 bits.
    pub connections_per_address: usize,
    /// Requests at once on one connection.
    pub streams: u32,
    /// Bytes of a request's headers.
    pub header_bytes: u32,
    /// Bytes that may be on their way to us per request.
    pub stream_window_bytes: u32,
    /// Bytes that may be on their way to us per connection.
    pub connection_window_bytes: u32,
    /// Bytes of an answer that wait here until the other end has room for them.
    pub send_buffer_bytes: usize,
    /// Frames that carry no request.
    pub frames: FrameRate,
    /// From accept to the end of the TLS handshake, from there to the beginning of the first request,
    /// and to the end of a request's headers.
    pub handshake: Duration,
    /// How long the other end may take nothing of what waits for it.
    pub stall: Duration,
    /// Silence after which the other end is asked whether it is there.
    pub keepalive: Duration,
    /// How long it may take to answer that, before it counts as gone.
    pub keepalive_answer: Duration,
    /// How long requests under way may go on after shutdown.
    pub drain: Duration,
}

impl Limits {
    /// For strangers: they pay for what they hold.
    pub const PUBLIC: Limits = Limits {
        connections: 10_000,
        connections_per_address: 1_000,
        streams: 128,
        header_bytes: 16 << 10,
        stream_window_bytes: 256 << 10,
        connection_window_bytes: 1 << 20,
        send_buffer_bytes: 64 << 10,
        frames: FrameRate { burst: 10_000, per_second: 1_000 },
        handshake: Duration::from_secs(10),
        stall: Duration::from_secs(20),
        keepalive: Duration::from_secs(30),
        keepalive_answer: Duration::from_secs(10),
        drain: Duration::from_secs(10),
    };

    /// For peers: few connections that carry much. That a peer is gone is noticed by whoever dialled it,
    /// who asks often where little is queued; here it is only cleaned up, and never so soon that a slow
    /// line full of a snapshot would be taken for a dead one.
    pub const PEER: Limits = Limits {
        connections: 1_000,
        connections_per_address: 1_000,
        streams: 1_024,
        header_bytes: 16 << 10,
        stream_window_bytes: 4 << 20,
        connection_window_bytes: 16 << 20,
        send_buffer_bytes: 1 << 20,
        frames: FrameRate { burst: 100_000, per_second: 100_000 },
        handshake: Duration::from_secs(3),
        stall: Duration::from_secs(60),
        keepalive: Duration::from_secs(15),
        keepalive_answer: Duration::from_secs(60),
        drain: Duration::from_millis(500),
    };
}

/// Serves strangers until `shutdown`, under [`Limits::PUBLIC`].
///
/// # Errors
/// When the listener itself fails; a failure to accept one connection is waited out.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ArcSwap<ServerConfig>>,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    serve_with(listener, tls, router, shutdown, Limits::PUBLIC).await
}

/// Serves until `shutdown`, under `limits`.
///
/// # Errors
/// As [`serve`].
pub async fn serve_with(
    listener: TcpListener,
    tls: Arc<ArcSwap<ServerConfig>>,
    router: Router,
    shutdown: CancellationToken,
    limits: Limits,
) -> io::Result<()> {
    let places = Places::new(limits.connections, limits.connections_per_address);
    let mut turned_away = TurnedAway::default();
    let graceful = Arc::new(CancellationToken::new());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or the other end left already. Neither ends the listener.
                turned_away.count(&error.to_string());
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let place = match places.take(address.ip()) {
            Ok(place) => place,
            Err(why) => {
                turned_away.count(why);
                continue;
            }
        };
        let connection =
            Connection { tls: tls.load_full(), router: router.clone(), limits, address };
        let end = graceful.clone();
        connections.spawn(async move {
            connection.serve(stream, &end).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    graceful.cancel();
    // Whoever has not finished by then is cut off when the set is dropped.
    let _ = timeout(limits.drain, async { while connections.join_next().await.is_some() {} }).await;
    Ok(())
}

/// Connections that found no place, told now and then: strangers must not fill the log.
#[derive(Default)]
struct TurnedAway {
    count: u64,
    told_at: Option<std::time::Instant>,
}

impl TurnedAway {
    fn count(&mut self, why: &str) {
        self.count += 1;
        if self.told_at.is_none_or(|at| at.elapsed() >= TURNED_AWAY) {
            tracing::warn!(count = self.count, why, "connections were turned away");
            *self = Self { count: 0, told_at: Some(std::time::Instant::now()) };
        }
    }
}

struct Connection {
    tls: Arc<ServerConfig>,
    router: Router,
    limits: Limits,
    address: SocketAddr,
}

impl Connection {
    async fn serve(self, stream: TcpStream, end: &CancellationToken) {
        let address = self.address;
        // Frames are small and wait for answers; without this they would wait for each other.
        let _ = stream.set_nodelay(true);
        let handshake =
            timeout(self.limits.handshake, TlsAcceptor::from(self.tls.clone()).accept(stream));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%address, %error, "TLS handshake"),
            Err(_) => return tracing::debug!(%address, "TLS handshake took too long"),
        };
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let identity = match shown.map(ConnectionIdentity::of) {
            None => None,
            Some(Ok(identity)) => Some(identity),
            Some(Err(error)) => {
                tracing::warn!(%address, %error, "a client's certificate names nobody");
                return;
            }
        };
        let stream = Guarded::new(stream, &self.limits);
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            if let Some(identity) = &identity {
                request.extensions_mut().insert(identity.clone());
            }
            request.extensions_mut().insert(PeerAddress(address));
            router.clone().call(request)
        });
        let builder = self.builder();
        let graceful = GracefulShutdown::new();
        let serving =
            graceful.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
        let mut serving = std::pin::pin!(serving);
        let served = tokio::select! {
            served = serving.as_mut() => served,
            () = end.cancelled() => {
                tokio::select! { served = serving => served, () = graceful.shutdown() => Ok(()) }
            }
        };
        if let Err(error) = served {
            tracing::debug!(%address, error = %crate::error::chain(error.as_ref()), "connection ended");
        }
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let limits = &self.limits;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.handshake)
            .max_buf_size(limits.header_bytes as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(limits.header_bytes)
            .initial_stream_window_size(limits.stream_window_bytes)
            .initial_connection_window_size(limits.connection_window_bytes)
            .max_send_buf_size(limits.send_buffer_bytes)
            .max_pending_accept_reset_streams(64)
            .keep_alive_interval(limits.keepalive)
            .keep_alive_timeout(limits.keepalive_answer);
        builder
    }
}
