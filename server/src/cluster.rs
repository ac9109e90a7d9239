//! Whole clusters of node processes on one machine, and the files of clusters on many.
//!
//! Used by `holdfast dev`, `demo` and `bench`, by the whole-system tests and the chaos harness.
//!
//! Promises: nodes are real `holdfast node` processes; ports are free when they are chosen and
//! stay reserved; waiting is for a condition, never for a time; dropping a [`Cluster`] kills its
//! processes and removes its directory, unless it was told to keep them.
//!
//! Not here: what a node does (`run`), or any knowledge of wallets.

mod add;
pub mod admin;
pub mod authority;
mod description;
pub mod files;
mod operator;
pub mod plan;
pub mod ports;
mod prepare;
pub mod process;
mod renew;
mod reopen;
mod scratch;
mod start;
#[cfg(test)]
mod tests;
mod wait;

pub use add::add;
pub use description::{Description, DescriptionError, NodeDescription};
pub use operator::operator;
pub use plan::NodePlan;
pub use prepare::{PreparedNode, RealHosts, prepare};
pub use renew::{Renewed, renew};
pub use rustix::process::Signal;
pub use scratch::Scratch;
pub use start::Options;
pub use wait::group_of;

use crate::{config::SecretFileError, settings::ConfigError};
use admin::{ConnectError, OperatorFiles};
use ports::ReservedPort;
use process::{NodeProcess, ProcessError, Tie};
use proto::admin::admin_client::AdminClient;
use rustls::ClientConfig;
use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    time::Duration,
};
use tonic::transport::Channel;

/// What went wrong with a cluster as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// What was asked for makes no cluster.
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
    /// Its files could not be written.
    #[error(transparent)]
    Files(#[from] files::FilesError),
    /// A process could not be started or ended by itself.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A node could not be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The description of a running cluster is missing or unreadable.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// No port is free.
    #[error("no port of {host} can be reserved: {source}; perhaps this cluster is still running")]
    NoPort {
        /// The address.
        host: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A node refused a call of the operator.
    #[error("{node} refused: {message}")]
    Refused {
        /// The node.
        node: String,
        /// What it said.
        message: String,
    },
    /// A condition did not come true.
    #[error("after {} s still not {what}; last seen: {seen}", waited.as_secs())]
    NotInTime {
        /// The condition.
        what: String,
        /// What was last seen of it.
        seen: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A configuration that is there already is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No cluster was written there.
    #[error("{} holds no node of a cluster; write one with `holdfast cluster new`", dir.display())]
    NotPrepared {
        /// The directory.
        dir: PathBuf,
    },
    /// What signs certificates is not where it was written.
    #[error("{source}; bring ca.key back from where it is kept, for as long as this takes")]
    NoAuthority {
        /// Which file, and why.
        source: SecretFileError,
    },
    /// No node of this name was written there.
    #[error("{} has no node named {name}", dir.display())]
    NoNodeNamed {
        /// The name.
        name: String,
        /// The directory.
        dir: PathBuf,
    },
    /// No such node.
    #[error("the cluster has no node {0}")]
    NoSuchNode(usize),
}

/// A node of a [`Cluster`]: where it is, and its process while it runs.
pub struct ClusterNode {
    /// Id in the cluster; 0 until the cluster is formed.
    pub id: u64,
    /// Its name, data centre and host.
    pub plan: NodePlan,
    /// Its directory.
    pub dir: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// `https://HOST:PORT`, as clients are told.
    pub endpoint: String,
    /// `HOST:PORT`, as peers are told.
    pub peer: String,
    /// Another program than the cluster's, to start it with.
    program: Option<PathBuf>,
    process: Option<NodeProcess>,
    _ports: [ReservedPort; 2],
}

impl ClusterNode {
    /// The process id, while the node runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(NodeProcess::pid)
    }

    /// The process, while the node runs.
    pub fn process(&mut self) -> Option<&mut NodeProcess> {
        self.process.as_mut()
    }

    /// Everything the node has said since it first started.
    pub fn log(&self) -> PathBuf {
        self.dir.join("node.log")
    }
}

/// A cluster of node processes on this machine.
pub struct Cluster {
    dir: PathBuf,
    program: PathBuf,
    nodes: Vec<ClusterNode>,
    tls: Arc<ClientConfig>,
    tie: Tie,
    keep_files: bool,
}

impl Cluster {
    /// The directory that holds everything of this cluster.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The nodes, in the order of the plan.
    pub fn nodes(&self) -> &[ClusterNode] {
        &self.nodes
    }

    /// One node, to act on.
    ///
    /// # Errors
    /// There is none with this number.
    pub fn node(&mut self, n: usize) -> Result<&mut ClusterNode, ClusterError> {
        self.nodes.get_mut(n).ok_or(ClusterError::NoSuchNode(n))
    }

    /// Has a node run another program from its next start on, as an upgrade of its machine does.
    ///
    /// # Errors
    /// There is none with this number.
    pub fn install(&mut self, n: usize, program: PathBuf) -> Result<(), ClusterError> {
        self.node(n)?.program = Some(program);
        Ok(())
    }

    /// The number of the node with this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.plan.name == name)
    }

    /// Public endpoints of all nodes.
    pub fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.endpoint.clone()).collect()
    }

    /// The authority's certificate, which clients need.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The operator's files.
    pub fn operator(&self) -> OperatorFiles {
        operator_files(&self.dir)
    }

    /// A connection to one node as operator.
    ///
    /// # Errors
    /// There is no such node, or it does not answer.
    pub async fn admin(&self, n: usize) -> Result<AdminClient<Channel>, ClusterError> {
        let node = self.nodes.get(n).ok_or(ClusterError::NoSuchNode(n))?;
        Ok(admin::connect(&node.endpoint, self.tls.clone()).await?)
    }

    /// Starts a node that is not running. Does not wait; see [`Cluster::wait_answering`].
    ///
    /// # Errors
    /// There is no such node, or its process cannot be started.
    pub fn start_node(&mut self, n: usize) -> Result<(), ClusterError> {
        let (program, tie) = (self.program.clone(), self.tie);
        let node = self.node(n)?;
        if node.process.is_none() {
            let log = node.log();
            let program = node.program.as_ref().unwrap_or(&program);
            let process = NodeProcess::start(program, &node.plan.name, &node.config, &log, tie)?;
            node.process = Some(process);
        }
        Ok(())
    }

    /// SIGKILL to one node, and waits until its process is gone.
    ///
    /// # Errors
    /// There is no such node, or the system refuses.
    pub fn kill(&mut self, n: usize) -> Result<(), ClusterError> {
        if let Some(mut process) = self.node(n)?.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// SIGKILL to all nodes at one moment, and waits until their processes are gone.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill_all(&mut self) -> Result<(), ClusterError> {
        let mut processes: Vec<NodeProcess> =
            self.nodes.iter_mut().filter_map(|node| node.process.take()).collect();
        for process in &mut processes {
            process.send_kill()?;
        }
        for process in &mut processes {
            process.kill()?;
        }
        Ok(())
    }

    /// SIGTERM to one node, and waits until it has drained and ended.
    ///
    /// # Errors
    /// There is no such node, or it did not end in time (it is killed then).
    pub async fn stop_node(
        &mut self,
        n: usize,
        within: Duration,
    ) -> Result<Option<ExitStatus>, ClusterError> {
        match self.node(n)?.process.take() {
            Some(mut process) => Ok(Some(process.stop(within).await?)),
            None => Ok(None),
        }
    }

    /// SIGTERM to all nodes at one moment, and waits until they have ended.
    ///
    /// # Errors
    /// One did not end in time (it is killed then).
    pub async fn stop(&mut self, within: Duration) -> Result<(), ClusterError> {
        let mut processes: Vec<NodeProcess> =
            self.nodes.iter_mut().filter_map(|node| node.process.take()).collect();
        let stopping = processes.iter_mut().map(|process| process.stop(within));
        for stopped in futures::future::join_all(stopping).await {
            stopped?;
        }
        Ok(())
    }

    /// Leaves processes (if they were started to outlive this one) and files where they are.
    pub fn keep(mut self) -> PathBuf {
        self.keep_files = true;
        self.dir.clone()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Kept files may belong to processes that outlive this one; those that do not are ended by
        // their own drop.
        if !self.keep_files {
            // Gone already is as good, and what cannot be removed is the system's to clean up.
            let _ = self.kill_all();
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// Where `holdfast cluster new` and `holdfast dev` put the operator's files.
pub fn operator_files(dir: &Path) -> OperatorFiles {
    OperatorFiles {
        ca: dir.join("ca.pem"),
        cert: dir.join("operator.pem"),
        key: dir.join("operator.key"),
    }
}
