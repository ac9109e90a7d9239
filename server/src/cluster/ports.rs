//! Ports of loopback for nodes that are about to start, and start again.
//!
//! A reservation is a socket that is bound and never listens. The kernel gives its port to nobody
//! who asks for any port, neither to listen nor to connect from, while a node that binds exactly
//! this address may (both set `SO_REUSEADDR`, as the standard library does). So a node finds its
//! port free at its first start and after every kill, and while it is down its callers are
//! refused at once, as with a real machine whose process died.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};
use tokio::net::TcpSocket;

/// A port that stays reserved until this is dropped.
pub struct ReservedPort {
    address: SocketAddr,
    _held: TcpSocket,
}

impl ReservedPort {
    /// Reserves any free port.
    ///
    /// # Errors
    /// The address is not this machine's, or no port is free.
    pub fn any(host: IpAddr) -> io::Result<ReservedPort> {
        ReservedPort::exactly(SocketAddr::new(host, 0))
    }

    /// Reserves this port.
    ///
    /// # Errors
    /// Something else uses it.
    pub fn exactly(address: SocketAddr) -> io::Result<ReservedPort> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(ReservedPort { address: socket.local_addr()?, _held: socket })
    }

    /// The reserved address and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
