//! One connection to one peer, checked to be the machine that was meant.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint};
use tower::Service;
use types::NodeInfo;

use crate::certificate::ConnectionIdentity;
use crate::host::{CONNECT, Connected, Host, Stream};

/// What a connection is for. It stands in the clear in the handshake, for networks and proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Control,
    Log,
    Snapshot,
    Forward,
    /// Before two nodes know each other.
    Greeting,
}

impl Purpose {
    /// Its name among the metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Purpose::Control => "control",
            Purpose::Log => "log",
            Purpose::Snapshot => "snapshot",
            Purpose::Forward => "forward",
            Purpose::Greeting => "greeting",
        }
    }

    /// How often a silent peer is asked whether it is there, and how long it may take to answer. The
    /// answer waits behind whatever is queued, so bulk gets more time: slow is not dead.
    fn keepalive(self) -> (Duration, Duration) {
        let seconds = Duration::from_secs;
        match self {
            Purpose::Control | Purpose::Greeting => (seconds(1), seconds(2)),
            Purpose::Log => (seconds(2), seconds(10)),
            Purpose::Snapshot | Purpose::Forward => (seconds(10), seconds(60)),
        }
    }

    pub(crate) fn server_name(self) -> &'static str {
        match self {
            Purpose::Control => "control.peer.holdfast",
            Purpose::Log => "log.peer.holdfast",
            Purpose::Snapshot => "snapshot.peer.holdfast",
            Purpose::Forward => "forward.peer.holdfast",
            Purpose::Greeting => "greeting.peer.holdfast",
        }
    }
}

/// Dials one peer. tonic calls it whenever it needs a connection.
#[derive(Clone)]
pub(crate) struct Connector {
    host: Arc<dyn Host>,
    address: String,
    purpose: Purpose,
    /// The machine and data centre that must answer; anybody of the cluster if there is none.
    expected: Option<(String, String)>,
    /// Whom the last connection turned out to be.
    found: Arc<OnceLock<ConnectionIdentity>>,
}

impl Connector {
    /// To a node that is known.
    pub(crate) fn to(host: Arc<dyn Host>, node: &NodeInfo, purpose: Purpose) -> Self {
        Connector {
            host,
            address: node.peer.clone(),
            purpose,
            expected: Some((node.name.clone(), node.dc.clone())),
            found: Arc::new(OnceLock::new()),
        }
    }

    /// To whoever answers at an address.
    pub(crate) fn greeting(host: Arc<dyn Host>, address: &str) -> Self {
        let found = Arc::new(OnceLock::new());
        Connector {
            host,
            address: address.to_owned(),
            purpose: Purpose::Greeting,
            expected: None,
            found,
        }
    }

    /// Whom the connection reached.
    pub(crate) fn found(&self) -> Option<&ConnectionIdentity> {
        self.found.get()
    }

    /// Connects now.
    pub(crate) async fn connect(&self) -> Result<Channel, tonic::transport::Error> {
        endpoint(self.purpose).connect_with_connector(self.clone()).await
    }

    /// Connects when it is first used, and again whenever it broke.
    pub(crate) fn connect_lazy(&self) -> Channel {
        endpoint(self.purpose).connect_with_connector_lazy(self.clone())
    }

    async fn dial(self) -> io::Result<TokioIo<Box<dyn Stream>>> {
        let Connected { stream, identity } = self.host.connect(&self.address, self.purpose).await?;
        if let Some((name, dc)) = &self.expected
            && (identity.name != *name || identity.dc != *dc)
        {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "{} shows the certificate of {} in {}, not of {name} in {dc}",
                    self.address, identity.name, identity.dc
                ),
            ));
        }
        let _ = self.found.set(identity);
        Ok(TokioIo::new(stream))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Stream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial())
    }
}

fn endpoint(purpose: Purpose) -> Endpoint {
    let (ask, answer) = purpose.keepalive();
    // The scheme is what tonic puts into requests; the connector does the TLS.
    Endpoint::from_static("http://peer.holdfast")
        .connect_timeout(CONNECT)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .http2_keep_alive_interval(ask)
        .keep_alive_timeout(answer)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
}
