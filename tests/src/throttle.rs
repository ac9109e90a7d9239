//! A proxy on a peer link that carries each connection no faster than told.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time,
};

/// How often a connection gets its next share.
const TICK: Duration = Duration::from_millis(10);

/// A running proxy. It ends when this is dropped.
pub struct Throttle {
    address: SocketAddr,
    to: Arc<OnceLock<SocketAddr>>,
    bytes_per_second: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Throttle {
    /// Listens on a free port of this machine. Connections end at once until [`Throttle::towards`]
    /// has said where they go; from then on they pass unhindered.
    pub async fn start() -> io::Result<Throttle> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let to = Arc::new(OnceLock::new());
        let bytes_per_second = Arc::new(AtomicU64::new(u64::MAX));
        let (target, rate) = (to.clone(), bytes_per_second.clone());
        let task = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                if let Some(to) = target.get() {
                    tokio::spawn(connection(from, *to, rate.clone()));
                }
            }
        });
        Ok(Throttle { address, to, bytes_per_second, task })
    }

    /// Where connections go.
    pub fn towards(&self, to: SocketAddr) {
        self.to.get_or_init(|| to);
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on each connection carries so many bytes in a second towards the node behind it.
    pub fn limit(&self, bytes_per_second: u64) {
        self.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(from: TcpStream, to: SocketAddr, rate: Arc<AtomicU64>) {
    let Ok(to) = TcpStream::connect(to).await else { return };
    let (mut from_read, mut from_write) = from.into_split();
    let (mut to_read, mut to_write) = to.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut to_read, &mut from_write).await });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let per_second = rate.load(Ordering::Relaxed);
        let share = (per_second / 100).clamp(1, buffer.len() as u64) as usize;
        let Ok(read @ 1..) = from_read.read(&mut buffer[..share]).await else { break };
        if to_write.write_all(&buffer[..read]).await.is_err() {
            break;
        }
        if per_second != u64::MAX {
            time::sleep(TICK).await;
        }
    }
    back.abort();
}
