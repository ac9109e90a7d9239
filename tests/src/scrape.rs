//! What nodes show on their plain listeners for metrics.

use server::cluster::{Options, ports::ReservedPort};
use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// The metrics listeners of all nodes of a cluster.
pub struct Metrics(Vec<ReservedPort>);

impl Metrics {
    /// Has every node of a plan listen for metrics.
    pub fn of(options: &mut Options) -> Metrics {
        let listeners = options.nodes.iter_mut().map(|node| {
            let port = ReservedPort::any(IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a free port");
            node.overrides.insert("listen.metrics".into(), port.address().to_string().into());
            port
        });
        Metrics(listeners.collect())
    }

    /// Where a node shows them.
    pub fn address(&self, node: usize) -> SocketAddr {
        self.0[node].address()
    }

    /// Everything that a node shows.
    ///
    /// # Errors
    /// The node is down.
    pub fn text(&self, node: usize) -> io::Result<String> {
        scrape(self.address(node))
    }

    /// One number of a node, summed over its labels; none while the node is down.
    pub fn number(&self, node: usize, name: &str) -> Option<f64> {
        number(self.address(node), name)
    }
}

/// What is shown at an address, without the headers of the answer.
///
/// # Errors
/// Nobody answers there.
pub fn scrape(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    // HTTP/1.0, so that the answer is not cut into chunks.
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(io::Error::other(head.to_owned())),
    }
}

/// One number, summed over its labels; none if nobody answers.
pub fn number(address: SocketAddr, name: &str) -> Option<f64> {
    let text = scrape(address).ok()?;
    let samples = text
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    samples.map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
