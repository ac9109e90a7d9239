//! From nothing to a formed cluster: plan, files, processes, bootstrap.

use super::{
    Cluster, ClusterError, ClusterNode,
    admin::operator_tls,
    authority::Authority,
    files::{self, Addresses, Shared},
    operator_files,
    plan::{self, NodePlan, Overrides},
    ports::ReservedPort,
    process::Tie,
};
use crate::epoch_key;
use proto::admin::BootstrapRequest;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a fresh cluster may take until every group has a leader.
pub(super) const FORMED_WITHIN: Duration = Duration::from_secs(60);

/// What a local cluster shall be.
pub struct Options {
    /// Its nodes. All hosts must be addresses of this machine.
    pub nodes: Vec<NodePlan>,
    /// The binary that has the `node` command.
    pub program: PathBuf,
    /// A new directory for everything.
    pub dir: PathBuf,
    /// Wallet groups.
    pub wallet_groups: u32,
    /// Accept that the loss of one data centre can lose or stop the cluster.
    pub allow_single_dc: bool,
    /// Settings of all nodes that differ from the defaults, by dotted key.
    pub overrides: Overrides,
    /// Whether the nodes end with this process.
    pub tie: Tie,
}

impl Options {
    /// The clusters of `holdfast dev`: 1 node; 3 in three data centres; 5 as two, two and one.
    /// Registration is open.
    ///
    /// # Errors
    /// Another number of nodes.
    pub fn dev(nodes: usize, program: PathBuf, dir: PathBuf) -> Result<Options, ClusterError> {
        let dcs: &[&str] = match nodes {
            1 => &["dc1"],
            3 => &["dc1", "dc2", "dc3"],
            5 => &["dc1", "dc1", "dc2", "dc2", "dc3"],
            _ => return Err(plan::PlanError::NotALayout(nodes).into()),
        };
        let nodes = dcs
            .iter()
            .enumerate()
            .map(|(n, dc)| NodePlan::new(&format!("n{}", n + 1), dc, "127.0.0.1"))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Options {
            allow_single_dc: nodes.len() == 1,
            nodes,
            program,
            dir,
            wallet_groups: 4,
            overrides: Overrides::new(),
            tie: Tie::EndsWithStarter,
        })
    }
}

impl Cluster {
    /// Writes the files of a cluster on this machine and reserves its ports. Nothing runs yet.
    ///
    /// # Errors
    /// The plan is refused, the directory exists, or no port is free.
    pub fn create(options: &Options) -> Result<Cluster, ClusterError> {
        plan::check(&options.nodes, options.allow_single_dc)?;
        let dir = std::path::absolute(&options.dir).map_err(|source| {
            files::FilesError::Unwritable { file: options.dir.clone(), source }
        })?;
        let name = "holdfast.local";
        let authority = Authority::new(name).map_err(files::FilesError::from)?;
        files::write_authority(&dir, &authority)?;
        let shared = Shared {
            cluster: name,
            epoch_key: &epoch_key::generate(None),
            registration_token: None,
            overrides: &options.overrides,
        };
        let reserved = options.nodes.iter().map(reserve).collect::<Result<Vec<_>, _>>()?;
        let peers: Vec<String> =
            reserved.iter().map(|[_, peer]| peer.address().to_string()).collect();
        let nodes = options
            .nodes
            .iter()
            .zip(reserved)
            .map(|(node, ports)| local_node(&dir, &authority, &shared, node, ports, &peers))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Cluster {
            tls: operator_tls(&operator_files(&dir))?,
            dir,
            program: options.program.clone(),
            nodes,
            tie: options.tie,
            keep_files: false,
        })
    }

    /// [`Cluster::create`], then starts all nodes and forms the cluster, until every group has a
    /// leader that every node knows.
    ///
    /// # Errors
    /// As `create`; or a node ends or does not get ready in time.
    pub async fn start(options: &Options) -> Result<Cluster, ClusterError> {
        let mut cluster = Cluster::create(options)?;
        for n in 0..cluster.nodes.len() {
            cluster.start_node(n)?;
        }
        for n in 0..cluster.nodes.len() {
            cluster.wait_answering(n, FORMED_WITHIN).await?;
        }
        cluster.bootstrap(options.wallet_groups, options.allow_single_dc).await?;
        cluster.wait_settled(FORMED_WITHIN).await?;
        cluster.write_description()?;
        Ok(cluster)
    }

    /// Forms the cluster out of all its nodes, which answer already, and learns their ids.
    ///
    /// # Errors
    /// A node refuses.
    pub async fn bootstrap(
        &mut self,
        wallet_groups: u32,
        allow_single_dc: bool,
    ) -> Result<(), ClusterError> {
        let request = BootstrapRequest {
            peers: self.nodes.iter().map(|node| node.peer.clone()).collect(),
            wallet_groups,
            allow_single_dc,
            region: 0,
        };
        let node = self.nodes.first().map_or_else(String::new, |node| node.plan.name.clone());
        let reply = self.admin(0).await?.bootstrap(request).await.map_err(|status| {
            ClusterError::Refused { node, message: status.message().to_owned() }
        })?;
        for known in reply.into_inner().nodes {
            if let Some(node) = self.nodes.iter_mut().find(|node| node.plan.name == known.name) {
                node.id = known.id;
            }
        }
        Ok(())
    }
}

/// Reserves a public and a peer port on a node's host.
fn reserve(node: &NodePlan) -> Result<[ReservedPort; 2], ClusterError> {
    let host = node.host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let any = || {
        ReservedPort::any(host)
            .map_err(|source| ClusterError::NoPort { host: node.host.clone(), source })
    };
    Ok([any()?, any()?])
}

fn local_node(
    dir: &Path,
    authority: &Authority,
    shared: &Shared<'_>,
    node: &NodePlan,
    ports: [ReservedPort; 2],
    peers: &[String],
) -> Result<ClusterNode, ClusterError> {
    let [public, peer] = [ports[0].address(), ports[1].address()];
    let addresses = Addresses {
        public: public.to_string(),
        peer: peer.to_string(),
        advertise_public: format!("https://{public}"),
        advertise_peer: peer.to_string(),
        seeds: peers.iter().filter(|other| **other != peer.to_string()).cloned().collect(),
    };
    let written = files::write_node(dir, authority, shared, node, &addresses)?;
    Ok(ClusterNode {
        id: 0,
        plan: node.clone(),
        dir: written.dir,
        config: written.config,
        endpoint: addresses.advertise_public,
        peer: addresses.advertise_peer,
        program: None,
        process: None,
        _ports: ports,
    })
}
