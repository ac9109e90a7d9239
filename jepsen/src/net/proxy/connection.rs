//! One connection through the proxy, both ways.

use super::{
    super::End,
    Shared, Side, source,
    stream::{Refused, Times},
};
use std::{io, net::TcpListener, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::mpsc,
    time,
};

/// How long to let things become better when a connection could not be taken.
const AFTER_AN_ERROR: Duration = Duration::from_millis(10);
/// The longest piece.
const PIECE: usize = 16 * 1024;
/// Pieces of one direction that are under way at the same time.
const UNDER_WAY: usize = 64;

/// Why a connection ends other than by its own end.
#[derive(Debug)]
struct Broken;

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Broken {
        Broken
    }
}

impl From<Refused> for Broken {
    fn from(_: Refused) -> Broken {
        Broken
    }
}

/// Takes connections to one address of a node for ever.
pub(super) async fn serve(listener: TcpListener, node: usize, side: Side, shared: Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        // What fails is that one connection, or there is no room for another open file now.
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, node, side, shared.clone()));
            }
            Err(_) => time::sleep(AFTER_AN_ERROR).await,
        }
    }
}

async fn connection(mut near: TcpStream, node: usize, side: Side, shared: Arc<Shared>) {
    let broken = match joined(&mut near, node, side, &shared).await {
        Ok(()) => false,
        Err(Broken) => true,
    };
    if broken {
        // The end of a broken connection is a reset, and not the end of what was said on it.
        let _ = near.set_zero_linger();
    }
}

async fn joined(
    near: &mut TcpStream,
    node: usize,
    side: Side,
    shared: &Arc<Shared>,
) -> Result<(), Broken> {
    let (theirs, ours) = (near.peer_addr()?, near.local_addr()?);
    let nodes = shared.nodes();
    let asked = nodes.clone();
    let look = move || source::of(theirs, ours, &asked);
    let from = tokio::task::spawn_blocking(look).await.unwrap_or(End::Clients);
    let Some(to) = nodes.get(node).and_then(Option::as_ref) else {
        return Err(Broken);
    };
    let (out, back) = shared.lanes(from, node);

    // The way of the first two packets of a connection.
    for lane in [out, back] {
        shared.streams.whole(lane).await?;
        time::sleep_until(shared.streams.enter(lane, 0).due).await;
    }
    let address = match side {
        Side::Public => &to.public,
        Side::Peer => &to.peer,
    };
    let mut far = TcpStream::connect(address).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let carried = {
        let ((near_read, near_write), (far_read, far_write)) = (near.split(), far.split());
        let both = async {
            tokio::try_join!(
                carry(shared, near_read, far_write, out, back),
                carry(shared, far_read, near_write, back, out),
            )
        };
        tokio::select! {
            carried = both => carried.map(drop),
            () = shared.streams.refused(out) => Err(Broken),
            () = shared.streams.refused(back) => Err(Broken),
        }
    };
    if carried.is_err() {
        far.set_zero_linger()?;
    }
    carried
}

/// Carries one direction to its end. What one side learns of the other, it learns over the links: that
/// `from` broke over `out`, and that `to` did over `back`.
async fn carry(
    shared: &Shared,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    out: usize,
    back: usize,
) -> Result<(), Broken> {
    let streams = &shared.streams;
    let (give, mut take) = mpsc::channel::<(Times, Vec<u8>)>(UNDER_WAY);
    let reading = async move {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = from.read_buf(&mut piece).await;
            streams.whole(out).await?;
            if read? == 0 {
                return Ok(());
            }
            let times = streams.enter(out, piece.len());
            if give.send((times, piece)).await.is_err() {
                return Err(Broken);
            }
            time::sleep_until(times.sent).await;
        }
    };
    let writing = async {
        while let Some((times, piece)) = take.recv().await {
            time::sleep_until(times.due).await;
            streams.whole(out).await?;
            if let Err(broken) = to.write_all(&piece).await {
                streams.whole(back).await?;
                return Err(Broken::from(broken));
            }
        }
        Ok::<(), Broken>(to.shutdown().await?)
    };
    tokio::try_join!(reading, writing).map(drop)
}
