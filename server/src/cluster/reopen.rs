//! A cluster on this machine that was stopped, started again from its directory.

use super::{
    Cluster, ClusterError, ClusterNode, Description, NodeDescription, NodePlan,
    admin::operator_tls, operator_files, ports::ReservedPort, process::Tie, start::FORMED_WITHIN,
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

impl Cluster {
    /// Starts the nodes that [`Cluster::start`] once made in this directory, on the ports that they
    /// had, until every group has a leader that every node knows.
    ///
    /// # Errors
    /// There is no cluster, one of its ports is used by something else (perhaps by itself, still
    /// running), or a node does not get ready in time.
    pub async fn reopen(dir: &Path, program: PathBuf) -> Result<Cluster, ClusterError> {
        let description = Description::load(dir)?;
        let dir = dir.to_path_buf();
        let nodes =
            description.nodes.iter().map(known_node).collect::<Result<Vec<_>, ClusterError>>()?;
        let tls = operator_tls(&operator_files(&dir))?;
        let tie = Tie::EndsWithStarter;
        // Its files were there before and stay, whatever comes of this start.
        let mut cluster = Cluster { dir, program, nodes, tls, tie, keep_files: true };
        for n in 0..cluster.nodes.len() {
            cluster.start_node(n)?;
        }
        for n in 0..cluster.nodes.len() {
            cluster.wait_answering(n, FORMED_WITHIN).await?;
        }
        cluster.wait_settled(FORMED_WITHIN).await?;
        cluster.write_description()?;
        Ok(cluster)
    }
}

fn known_node(node: &NodeDescription) -> Result<ClusterNode, ClusterError> {
    let endpoint = node.endpoint.strip_prefix("https://").unwrap_or(&node.endpoint);
    let reserve = |address: &str| {
        let taken = |source| ClusterError::NoPort { host: address.to_owned(), source };
        let parsed: SocketAddr = address
            .parse()
            .map_err(|_| taken(std::io::Error::other("this is not an address and a port")))?;
        ReservedPort::exactly(parsed).map_err(taken)
    };
    let ports = [reserve(endpoint)?, reserve(&node.peer)?];
    let host = ports[0].address().ip().to_string();
    Ok(ClusterNode {
        id: node.id,
        plan: NodePlan::new(&node.name, &node.dc, &host)?,
        dir: node.dir.clone(),
        config: node.dir.join("config.toml"),
        endpoint: node.endpoint.clone(),
        peer: node.peer.clone(),
        program: None,
        process: None,
        _ports: ports,
    })
}
