//! The proxy: every node advertises ports of this process, which carries the bytes on to it.
//!
//! A node has one address for all of its peers, so the links that lead to it are told apart by who
//! connected: the process that holds the other end of the connection (see `source`). Both directions of
//! a connection are then held to their own link.
//!
//! Not to be had on a stream: loss, duplicates, reordering, damage. And a connection that is opened
//! while its link is cut is accepted by the kernel at once, and then finds silence.

mod connection;
mod source;
mod stream;
#[cfg(test)]
mod tests;

use super::{Counters, End, Layout, Link, NetError, Place, index, lane};
use server::cluster::{Cluster, plan::Overrides};
use source::Node;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};
use stream::Streams;
use tokio::{runtime::Builder, sync::oneshot};

/// A running proxy. Dropping it ends it, and every connection through it.
pub(super) struct Proxy {
    doors: Vec<Door>,
    shared: Arc<Shared>,
    until: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a node advertises.
struct Door {
    public: SocketAddr,
    peer: SocketAddr,
}

/// What connections need to know.
struct Shared {
    size: usize,
    streams: Streams,
    /// Where the doors lead, as far as that is known.
    nodes: Mutex<Arc<[Option<Node>]>>,
}

impl Shared {
    fn nodes(&self) -> Arc<[Option<Node>]> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The numbers of the links from an end to a node and back.
    fn lanes(&self, from: End, node: usize) -> (usize, usize) {
        let from = index(from, self.size);
        (lane(from, node, self.size), lane(node, from, self.size))
    }
}

/// Which of a node's two addresses.
#[derive(Clone, Copy)]
enum Side {
    Public,
    Peer,
}

impl Proxy {
    pub(super) fn start(layout: &Layout, seed: u64) -> Result<Proxy, NetError> {
        let shared = Arc::new(Shared {
            size: layout.nodes().len(),
            streams: Streams::new(layout, seed),
            nodes: Mutex::new(Arc::new([])),
        });
        let (mut doors, mut listeners) = (Vec::new(), Vec::new());
        let no_port = |source| NetError::NoPort { source };
        for node in 0..layout.nodes().len() {
            let mut open = |side| -> io::Result<SocketAddr> {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                listeners.push((node, side, listener));
                Ok(address)
            };
            let public = open(Side::Public).map_err(no_port)?;
            let peer = open(Side::Peer).map_err(no_port)?;
            doors.push(Door { public, peer });
        }
        let no_thread = |source| NetError::NoThread { source };
        // Its own runtime: a link is not slower because the clients' runtime is busy.
        let runtime = Builder::new_current_thread().enable_all().build().map_err(no_thread)?;
        let (until, ended) = oneshot::channel();
        let serving = shared.clone();
        let run = move || {
            runtime.block_on(async {
                for (node, side, listener) in listeners {
                    tokio::spawn(connection::serve(listener, node, side, serving.clone()));
                }
                // An error is the sender's drop, which is what is waited for.
                let _ = ended.await;
            });
        };
        let thread = thread::Builder::new().name("proxy".into()).spawn(run).map_err(no_thread)?;
        Ok(Proxy { doors, shared, until: Some(until), thread: Some(thread) })
    }

    /// Where nodes run.
    pub(super) fn host(&self) -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }

    /// Settings of a node, so that it is known by its doors and knows the others by theirs.
    pub(super) fn overrides(&self, node: usize) -> Overrides {
        let others = self.doors.iter().enumerate().filter(|(n, _)| *n != node);
        let seeds = others.map(|(_, door)| door.peer.to_string().into()).collect();
        let mut overrides = Overrides::from([("seeds".into(), toml::Value::Array(seeds))]);
        if let Some(door) = self.doors.get(node) {
            overrides.insert("advertise.public".into(), format!("https://{}", door.public).into());
            overrides.insert("advertise.peer".into(), door.peer.to_string().into());
        }
        overrides
    }

    /// Learns where the nodes listen, and by what their processes are known.
    pub(super) fn join(&self, layout: &Layout, cluster: &Cluster) {
        let known = |place: &Place| {
            let node = cluster.nodes().get(cluster.find(&place.node)?)?;
            Some(Node {
                public: node.endpoint.trim_start_matches("https://").to_owned(),
                peer: node.peer.clone(),
                config: node.config.clone(),
            })
        };
        self.lead(layout.nodes().iter().map(known).collect());
    }

    fn lead(&self, nodes: Arc<[Option<Node>]>) {
        *self.shared.nodes.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
    }

    /// The public address of a node's door.
    pub(super) fn endpoint(&self, node: usize) -> Option<String> {
        Some(format!("https://{}", self.doors.get(node)?.public))
    }

    pub(super) fn set(&self, lane: usize, link: &Link) {
        self.shared.streams.set(lane, link);
    }

    pub(super) fn heal(&self) {
        self.shared.streams.heal();
    }

    pub(super) fn counters(&self) -> Vec<Counters> {
        self.shared.streams.counters()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.until = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked, that was said where it happened.
            let _ = thread.join();
        }
    }
}
