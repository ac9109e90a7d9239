//! What a cluster shall look like before any of it exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    str::FromStr,
};

/// The public port of a node on a host of its own.
pub const PUBLIC_PORT: u16 = 7600;
/// The peer port of a node on a host of its own.
pub const PEER_PORT: u16 = 7601;

/// One node: its name, its data centre, and the host that it runs on.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// Unique in the cluster.
    pub name: String,
    /// Data centre.
    pub dc: String,
    /// IP address or DNS name.
    pub host: String,
    /// Settings that differ from the cluster's, by dotted key.
    pub overrides: Overrides,
}

/// Settings by dotted key, as `raft.snapshot_entries`.
pub type Overrides = BTreeMap<String, toml::Value>;

/// Why a plan is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// Not `NAME,DC,HOST`.
    #[error("{0:?} is not a node; write NAME,DC,HOST, for example a,north,10.0.0.1")]
    NotANode(String),
    /// A character that would be unsafe in a certificate, a URL or a path.
    #[error(
        "{what} {found:?} is refused; use 1 to 63 letters, digits, '-' and '.', beginning with a letter or a digit"
    )]
    BadName {
        /// Which name.
        what: &'static str,
        /// What it is.
        found: String,
    },
    /// Two nodes with one name.
    #[error("two nodes are named {0:?}; give each its own name")]
    NameTwice(String),
    /// One port for two listeners.
    #[error("port {0} cannot be both the public and the peer port; choose two")]
    SamePort(u16),
    /// No node at all.
    #[error("a cluster needs at least one node; add --node NAME,DC,HOST")]
    Empty,
    /// `holdfast dev` has no such layout.
    #[error("{0} nodes make no layout of a local cluster; use 1, 3 or 5")]
    NotALayout(usize),
    /// The voters cannot lose a data centre and go on.
    #[error(
        "the loss of data centre {dc:?} would stop this cluster, and a write could be held by it alone: \
         {voters} of {all} nodes are there; spread the nodes so that no data centre holds a majority, \
         or accept the loss with --allow-single-dc"
    )]
    NotZeroLoss {
        /// The data centre with too many nodes.
        dc: String,
        /// Nodes in it.
        voters: usize,
        /// All nodes.
        all: usize,
    },
}

impl FromStr for NodePlan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<NodePlan, PlanError> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let &[name, dc, host] = parts.as_slice() else {
            return Err(PlanError::NotANode(text.to_owned()));
        };
        NodePlan::new(name, dc, host)
    }
}

impl NodePlan {
    /// A node with these names.
    ///
    /// # Errors
    /// A name is refused.
    pub fn new(name: &str, dc: &str, host: &str) -> Result<NodePlan, PlanError> {
        check_name("the node name", name)?;
        check_name("the data centre", dc)?;
        if host.parse::<IpAddr>().is_err() {
            check_name("the host", host)?;
        }
        Ok(NodePlan {
            name: name.to_owned(),
            dc: dc.to_owned(),
            host: host.to_owned(),
            overrides: Overrides::new(),
        })
    }

    /// Host and port, in brackets where an address needs them.
    pub fn authority(&self, port: u16) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            _ => format!("{}:{port}", self.host),
        }
    }
}

/// Checks what holds for all nodes together.
///
/// # Errors
/// There is no node, a name is taken twice, or the loss of one data centre would be the loss of
/// the cluster (unless that is accepted).
pub fn check(nodes: &[NodePlan], allow_single_dc: bool) -> Result<(), PlanError> {
    let mut names = BTreeSet::new();
    let mut dcs: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        if !names.insert(&node.name) {
            return Err(PlanError::NameTwice(node.name.clone()));
        }
        *dcs.entry(&node.dc).or_default() += 1;
    }
    let Some((dc, &voters)) = dcs.iter().max_by_key(|(_, count)| **count) else {
        return Err(PlanError::Empty);
    };
    let majority = nodes.len() / 2 + 1;
    if voters >= majority && !allow_single_dc {
        return Err(PlanError::NotZeroLoss { dc: (*dc).to_owned(), voters, all: nodes.len() });
    }
    Ok(())
}

/// Names stand in certificates, URLs and paths, so they keep to what is safe in all of them.
///
/// # Errors
/// The name has another character, or is too long or empty.
pub fn check_name(what: &'static str, name: &str) -> Result<(), PlanError> {
    let fits = (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if fits { Ok(()) } else { Err(PlanError::BadName { what, found: name.to_owned() }) }
}
