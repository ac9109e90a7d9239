//! What a node asks of the machine it runs on, besides its engine: connections to peers, and a thread
//! for the log.
//!
//! Everything else that a node does it does on the async runtime that it was started on, by that
//! runtime's clock. So whoever brings another host, an engine that does not block ([`store::EngineView::blocks`])
//! and a runtime with a clock of its own runs a whole node without network, disk and time
//! (`simulation`, in tests).

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::BoxFuture;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::certificate::ConnectionIdentity;
use crate::log::writer::Writer;
use crate::peer::connector::Purpose;
use crate::tls::PeerTls;

/// From the first packet to the end of the TLS handshake.
pub(crate) const CONNECT: Duration = Duration::from_secs(2);

/// How long a peer's machine may leave what was sent unacknowledged before the connection is given up.
///
/// TCP repeats what is lost after pauses that double. A line that was cut for nine seconds and is whole again would
/// stay silent for four more, while its peer is needed for a majority; a new connection is there within one. It
/// is the peer's kernel that acknowledges: a slow disk or a busy process is not cut off by this.
const UNACKNOWLEDGED: Duration = Duration::from_secs(3);

/// The machine of a node.
pub(crate) trait Host: Send + Sync + 'static {
    /// Connects to whoever is at an address, who must show a certificate of the cluster.
    fn connect<'a>(
        &'a self,
        address: &'a str,
        purpose: Purpose,
    ) -> BoxFuture<'a, io::Result<Connected>>;

    /// Runs the log writer to its end: on a thread, which is returned, or elsewhere.
    fn write_log(&self, writer: Writer) -> io::Result<Option<JoinHandle<()>>>;
}

/// A connection, and whom its certificate names.
pub(crate) struct Connected {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) identity: ConnectionIdentity,
}

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// The real one: TLS over TCP, and threads of the operating system.
pub(crate) struct Machine {
    pub(crate) tls: PeerTls,
}

impl Machine {
    async fn dial(&self, address: &str, purpose: Purpose) -> io::Result<Connected> {
        let dialling = async {
            let stream = TcpStream::connect(address).await?;
            prepare(&stream)?;
            let name = ServerName::try_from(purpose.server_name()).map_err(io::Error::other)?;
            TlsConnector::from(self.tls.client()).connect(name, stream).await
        };
        let stream = timeout(CONNECT, dialling).await.map_err(|_| {
            io::Error::new(io::ErrorKind::TimedOut, format!("{address} did not answer in time"))
        })??;
        let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let leaf = leaf.ok_or_else(|| io::Error::other("the peer showed no certificate"))?;
        let identity = ConnectionIdentity::of(leaf).map_err(io::Error::other)?;
        Ok(Connected { stream: Box::new(stream), identity })
    }
}

impl Host for Machine {
    fn connect<'a>(
        &'a self,
        address: &'a str,
        purpose: Purpose,
    ) -> BoxFuture<'a, io::Result<Connected>> {
        Box::pin(self.dial(address, purpose))
    }

    fn write_log(&self, writer: Writer) -> io::Result<Option<JoinHandle<()>>> {
        writer.start().map(Some)
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let patience = UNACKNOWLEDGED.as_millis() as u32;
    rustix::net::sockopt::set_tcp_user_timeout(stream, patience).map_err(io::Error::from)
}

/// Runs something on an engine: if that may wait for a device (`blocks`), away from the threads that
/// drive everything else.
///
/// # Errors
/// When the runtime is ending, or `work` panicked there.
pub(crate) async fn offload<T: Send + 'static>(
    blocks: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if !blocks {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rustix::net::sockopt::tcp_user_timeout;
    use tokio::net::{TcpListener, TcpStream};

    use super::prepare;

    #[tokio::test]
    async fn a_line_that_was_cut_is_not_waited_for() {
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(there.local_addr().unwrap()).await.unwrap();
        assert_eq!(tcp_user_timeout(&stream).unwrap(), 0, "the system has no limit of its own");
        prepare(&stream).unwrap();
        assert_eq!(tcp_user_timeout(&stream).unwrap(), 3_000);
        assert!(stream.nodelay().unwrap());
    }
}
