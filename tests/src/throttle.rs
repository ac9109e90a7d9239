//! A proxy on a peer link that carries connections of one use no faster than told.
//!
//! Peers name the use of a connection as the TLS server name, which is in clear in the first record.

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
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time,
};

/// How often a slowed connection gets its next share.
const TICK: Duration = Duration::from_millis(10);
const TICKS_PER_SECOND: u64 = 100;
/// In the server name of connections that carry snapshots.
const SNAPSHOT_USE: &[u8] = b"snapshot.peer.holdfast";

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

    /// From now on each snapshot connection carries so many bytes in a second towards the node behind
    /// it. All others stay unhindered.
    pub fn limit_snapshots(&self, bytes_per_second: u64) {
        self.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(mut from: TcpStream, to: SocketAddr, rate: Arc<AtomicU64>) -> io::Result<()> {
    let mut to = TcpStream::connect(to).await?;
    let hello = first_record(&mut from).await?;
    to.write_all(&hello).await?;
    if !hello.windows(SNAPSHOT_USE.len()).any(|window| window == SNAPSHOT_USE) {
        tokio::io::copy_bidirectional(&mut from, &mut to).await?;
        return Ok(());
    }
    let (mut from_read, mut from_write) = from.into_split();
    let (mut to_read, mut to_write) = to.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut to_read, &mut from_write).await });
    let carried = slowly(&mut from_read, &mut to_write, &rate).await;
    back.abort();
    carried
}

/// The client's first TLS record (RFC 8446, 5.1): a header of 5 bytes that ends in the length.
async fn first_record(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut record = vec![0; 5];
    from.read_exact(&mut record).await?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    from.read_exact(&mut record[5..]).await?;
    Ok(record)
}

async fn slowly(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    rate: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let per_second = rate.load(Ordering::Relaxed);
        let share = (per_second / TICKS_PER_SECOND).clamp(1, buffer.len() as u64) as usize;
        let read = from.read(&mut buffer[..share]).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
        if per_second != u64::MAX {
            time::sleep(TICK).await;
        }
    }
}
