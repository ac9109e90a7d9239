//! The files of a cluster on real hosts.

use super::{
    ClusterError,
    authority::Authority,
    files::{self, Addresses, FilesError, NodeFiles, Shared},
    plan::{self, NodePlan, Overrides},
};
use crate::epoch_key;
use serde::Serialize;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};
use types::Secret;

/// A cluster whose nodes each have a host of their own.
pub struct RealHosts<'a> {
    /// The name that stands in all certificates.
    pub cluster: &'a str,
    /// The nodes.
    pub nodes: &'a [NodePlan],
    /// Accept that the loss of one data centre can stop the cluster and lose acknowledged writes.
    pub allow_single_dc: bool,
    /// The public port of every node.
    pub public_port: u16,
    /// The peer port of every node.
    pub peer_port: u16,
    /// Let everyone create wallets.
    pub open_registration: bool,
    /// Seals the epoch key: every node then starts locked, until it is given this.
    pub passphrase: Option<Secret>,
    /// Where every node keeps its data; beside its configuration unless given.
    pub data_dir: Option<PathBuf>,
}

/// What was written for one node.
#[derive(Clone, Debug, Serialize)]
pub struct PreparedNode {
    /// Its name.
    pub name: String,
    /// Its data centre.
    pub dc: String,
    /// The directory to copy to its machine.
    pub dir: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// Its public endpoint.
    pub endpoint: String,
    /// Its peer address, which bootstrap and join ask for.
    pub peer: String,
}

/// Writes authority, certificates, epoch key and one configuration for each node into a new
/// directory. Nothing is left behind if that fails half-way.
///
/// # Errors
/// The plan is refused, the directory exists, or the disk refuses.
pub fn prepare(dir: &Path, hosts: &RealHosts<'_>) -> Result<Vec<PreparedNode>, ClusterError> {
    plan::check_name("the cluster name", hosts.cluster)?;
    plan::check(hosts.nodes, hosts.allow_single_dc)?;
    if hosts.public_port == hosts.peer_port {
        return Err(plan::PlanError::SamePort(hosts.peer_port).into());
    }
    if dir.exists() {
        return Err(FilesError::Exists(dir.to_path_buf()).into());
    }
    let written = write_all(dir, hosts);
    if written.is_err() {
        // Half a cluster would only be in the way of the next attempt.
        let _ = std::fs::remove_dir_all(dir);
    }
    written
}

fn write_all(dir: &Path, hosts: &RealHosts<'_>) -> Result<Vec<PreparedNode>, ClusterError> {
    let authority = Authority::new(hosts.cluster).map_err(FilesError::from)?;
    files::write_authority(dir, &authority)?;
    let token = (!hosts.open_registration).then(files::new_token);
    let mut overrides = Overrides::new();
    if hosts.passphrase.is_some() {
        overrides.insert("epoch_key.source".into(), "passphrase".into());
    }
    if let Some(data_dir) = &hosts.data_dir {
        overrides.insert("data_dir".into(), data_dir.to_string_lossy().into_owned().into());
    }
    let shared = Shared {
        cluster: hosts.cluster,
        epoch_key: &epoch_key::generate(hosts.passphrase.as_ref()),
        registration_token: token.as_deref(),
        overrides: &overrides,
    };
    let peers = hosts.nodes.iter().map(|node| node.authority(hosts.peer_port));
    let peers: Vec<String> = peers.collect();
    let each = hosts.nodes.iter().map(|node| {
        let own = node.authority(hosts.peer_port);
        let seeds = peers.iter().filter(|seed| **seed != own).cloned().collect();
        let addresses = addresses(node, hosts.public_port, hosts.peer_port, seeds);
        let written = files::write_node(dir, &authority, &shared, node, &addresses)?;
        Ok(prepared(node, written, addresses))
    });
    each.collect()
}

/// A machine that is known by an address listens on that address; one that is known by a name
/// listens on all of its addresses, since only it knows them.
pub(super) fn addresses(
    node: &NodePlan,
    public_port: u16,
    peer_port: u16,
    seeds: Vec<String>,
) -> Addresses {
    let listen = |port| match node.host.parse::<IpAddr>() {
        Ok(_) => node.authority(port),
        Err(_) => format!("{}:{port}", Ipv4Addr::UNSPECIFIED),
    };
    Addresses {
        public: listen(public_port),
        peer: listen(peer_port),
        advertise_public: format!("https://{}", node.authority(public_port)),
        advertise_peer: node.authority(peer_port),
        seeds,
    }
}

pub(super) fn prepared(node: &NodePlan, files: NodeFiles, addresses: Addresses) -> PreparedNode {
    PreparedNode {
        name: node.name.clone(),
        dc: node.dc.clone(),
        dir: files.dir,
        config: files.config,
        endpoint: addresses.advertise_public,
        peer: addresses.advertise_peer,
    }
}
