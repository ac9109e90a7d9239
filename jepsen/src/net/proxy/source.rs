//! Who connected: the process at the other end of a connection of this machine.
//!
//! The kernel lists every TCP socket with its inode, and every process its own sockets. A node process is
//! known by the configuration file among its arguments. All of this is open to the user that the
//! processes belong to.

use super::super::End;
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// A node, as the proxy needs to know it.
pub(super) struct Node {
    /// Where it listens for clients.
    pub(super) public: String,
    /// Where it listens for peers.
    pub(super) peer: String,
    /// Its configuration file, an argument of its process.
    pub(super) config: PathBuf,
}

/// Whose connection goes from `local` to `remote`. Whoever is none of these nodes is a client.
pub(super) fn of(local: SocketAddr, remote: SocketAddr, nodes: &[Option<Node>]) -> End {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let Some(inode) = inode(&table, local, remote) else {
        return End::Clients;
    };
    let socket = PathBuf::from(format!("socket:[{inode}]"));
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let named = |node: &Node| {
            let config = node.config.as_os_str().as_bytes();
            arguments.split(|byte| *byte == 0).any(|word| word == config)
        };
        let node = nodes.iter().position(|node| node.as_ref().is_some_and(named));
        if let Some(node) = node.filter(|_| holds(&process.path(), &socket)) {
            return End::Node(node);
        }
    }
    End::Clients
}

fn holds(process: &Path, socket: &Path) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file == socket)
}

/// From `/proc/net/tcp` (proc(5)): field 2 is the local address, field 3 the remote one, field 10 the inode.
fn inode(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let (local, remote) = (hex(local)?, hex(remote)?);
    let mut rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&&*local) && row.get(2) == Some(&&*remote))?;
    row.get(9)?.parse().ok()
}

/// As in the table: the address as the number that the machine reads in its four bytes.
fn hex(address: SocketAddr) -> Option<String> {
    match address.ip() {
        IpAddr::V4(ip) => {
            Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port()))
        }
        IpAddr::V6(_) => None,
    }
}
