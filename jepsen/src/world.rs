//! The cluster of a run, in its network, on its disks, with its clocks.
//!
//! Several faults may want the same node down at once: it is started when none of them does any more. A node
//! that ends although nobody took it down is started again, as a service manager would, and is remembered.

use server::cluster::{Cluster, ClusterError, Signal};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    inject::{
        Skipped,
        clock::Clock,
        disk::{Ballast, LossyDisk},
    },
    net::{End, Net, NetError},
    workload::Access,
};

mod look;
mod start;

pub use look::Leaders;
pub use start::Wanted;

/// Wallet groups of a cluster that is made for a run.
pub const WALLET_GROUPS: u32 = 2;
/// The first wallet group.
pub const FIRST_GROUP: u32 = 2;
/// The exit code of a node that found its files damaged.
const DAMAGED: i32 = 4;
/// How long the cluster may take to form, and to heal.
pub const HEALS_WITHIN: Duration = Duration::from_secs(120);

/// Why the harness could not do its part.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The network.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A file of the harness.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A disk of a node's own that was there is gone.
    #[error("{0}")]
    Disk(#[from] Skipped),
}

/// A node that ended although nobody took it down.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its name.
    pub node: String,
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The last that it said.
    pub said: String,
    /// Whether a fault was in place that may end a node.
    pub expected: bool,
}

/// A running cluster, and everything around it.
pub struct World {
    /// Its nodes.
    pub cluster: Cluster,
    /// Its network.
    pub net: Arc<Net>,
    /// Nodes that ended by themselves.
    pub ended: Vec<Ended>,
    disks: Vec<Result<LossyDisk, Skipped>>,
    clocks: Vec<Result<Clock, Skipped>>,
    seats: Vec<Seat>,
}

/// What the world wants of a node.
#[derive(Clone, Debug, Default)]
struct Seat {
    /// It is to run unless somebody keeps it down.
    wanted: bool,
    /// Steps of the plan that keep it down.
    down: BTreeSet<usize>,
    /// Steps of the plan that may end it.
    may_end: BTreeSet<usize>,
    /// Its files were harmed: it may end with what it found, and repairs that when it starts again.
    harmed: bool,
}

impl World {
    /// How clients reach the nodes that take part.
    ///
    /// # Errors
    /// The authority's certificate cannot be read.
    pub fn access(&self) -> Result<Access, WorldError> {
        let file = self.cluster.ca();
        let ca_pem =
            fs::read_to_string(&file).map_err(|source| WorldError::File { file, source })?;
        let (endpoints, members) = (self.net.endpoints(&self.cluster), self.members());
        Ok(Access {
            endpoints: members.iter().map(|node| endpoints[*node].clone()).collect(),
            names: members.iter().map(|node| self.name(*node)).collect(),
            ca_pem,
            wallet_groups: Some(WALLET_GROUPS),
        })
    }

    /// How many nodes there are, the one that may join later with them.
    pub fn count(&self) -> usize {
        self.seats.len()
    }

    /// A node's name.
    pub fn name(&self, node: usize) -> String {
        self.cluster.nodes()[node].plan.name.clone()
    }

    /// A node's process, while it runs.
    pub fn pid(&self, node: usize) -> Option<u32> {
        self.cluster.nodes()[node].pid()
    }

    /// Where a node keeps its data.
    pub fn data(&self, node: usize) -> PathBuf {
        self.cluster.nodes()[node].dir.join("data")
    }

    /// Whether a node takes part now.
    pub fn is_wanted(&self, node: usize) -> bool {
        self.seats[node].wanted
    }

    /// The nodes that take part.
    pub fn members(&self) -> Vec<usize> {
        (0..self.count()).filter(|node| self.is_wanted(*node)).collect()
    }

    /// The nodes of a node's data centre that take part.
    pub fn of_dc(&self, node: usize) -> Vec<usize> {
        let dc = |n: usize| &self.cluster.nodes()[n].plan.dc;
        self.members().into_iter().filter(|other| dc(*other) == dc(node)).collect()
    }

    /// The disk of a node's own.
    ///
    /// # Errors
    /// It has none; why.
    pub fn disk(&self, node: usize) -> Result<&LossyDisk, Skipped> {
        self.disks[node].as_ref().map_err(Clone::clone)
    }

    /// The wall clock of a node's own.
    ///
    /// # Errors
    /// It has none; why.
    pub fn clock(&self, node: usize) -> Result<&Clock, Skipped> {
        self.clocks[node].as_ref().map_err(Clone::clone)
    }

    /// From now on the node takes part.
    ///
    /// # Errors
    /// Its process cannot be started.
    pub fn want(&mut self, node: usize) -> Result<(), WorldError> {
        self.seats[node].wanted = true;
        self.start_if_due(node)
    }

    /// SIGKILL to nodes at one moment; they stay down until [`World::let_up`] for the same step.
    ///
    /// # Errors
    /// The system refuses.
    pub fn take_down(&mut self, nodes: &[usize], step: usize) -> Result<(), WorldError> {
        for node in nodes {
            self.seats[*node].down.insert(step);
            if let Some(process) = self.cluster.node(*node)?.process() {
                process.send_kill().map_err(ClusterError::from)?;
            }
        }
        for node in nodes {
            self.cluster.kill(*node)?;
        }
        Ok(())
    }

    /// The step keeps these nodes down no longer.
    ///
    /// # Errors
    /// A process cannot be started.
    pub fn let_up(&mut self, nodes: &[usize], step: usize) -> Result<(), WorldError> {
        for node in nodes {
            self.seats[*node].down.remove(&step);
            self.start_if_due(*node)?;
        }
        Ok(())
    }

    /// While a step lasts the node may end by itself, and stays down then.
    pub fn may_end(&mut self, node: usize, step: usize, may: bool) {
        match may {
            true => self.seats[node].may_end.insert(step),
            false => self.seats[node].may_end.remove(&step),
        };
    }

    /// Files of the node were harmed, or it is known to be sound again.
    pub fn harmed(&mut self, node: usize, harmed: bool) {
        self.seats[node].harmed = harmed;
    }

    /// A signal to the nodes that run.
    ///
    /// # Errors
    /// The system refuses.
    pub fn signal(&mut self, nodes: &[usize], signal: Signal) -> Result<(), WorldError> {
        for node in nodes {
            if let Some(process) = self.cluster.node(*node)?.process() {
                process.signal(signal).map_err(ClusterError::from)?;
            }
        }
        Ok(())
    }

    /// The node takes part no longer: it is ended.
    ///
    /// # Errors
    /// The system refuses.
    pub fn leave(&mut self, node: usize, step: usize) -> Result<(), WorldError> {
        self.seats[node].wanted = false;
        self.take_down(&[node], step)?;
        self.seats[node].down.remove(&step);
        Ok(())
    }

    /// Gives disks their power and their room back, wherever a fault was not taken back. Nothing may run on
    /// them.
    pub fn restore_disks(&self) {
        for disk in self.disks.iter().flatten() {
            // What is cached can be read without power, so that asking the disk says nothing. Where the power
            // stays off, whoever reads the disk says so.
            let _ = disk.power_up();
            let _ = Ballast::on(disk.path()).free();
        }
    }

    fn start_if_due(&mut self, node: usize) -> Result<(), WorldError> {
        let seat = &self.seats[node];
        if seat.wanted && seat.down.is_empty() && self.pid(node).is_none() {
            let cluster = &mut self.cluster;
            self.net.inside(End::Node(node), || cluster.start_node(node))??;
        }
        Ok(())
    }

    /// Looks for nodes that ended by themselves, and starts them again unless what ended them lasts.
    ///
    /// # Errors
    /// A process cannot be started.
    pub fn supervise(&mut self) -> Result<(), WorldError> {
        for node in 0..self.count() {
            let process = self.cluster.node(node)?.process();
            let exited = process.map(|process| process.exited()).transpose();
            if let Some(status) = exited.map_err(ClusterError::from)?.flatten() {
                self.cluster.kill(node)?;
                self.ended.push(Ended {
                    node: self.name(node),
                    code: status.code(),
                    said: last_lines(&self.cluster.nodes()[node].log()),
                    expected: !self.seats[node].may_end.is_empty()
                        || (self.seats[node].harmed && status.code() == Some(DAMAGED)),
                });
            }
            if self.seats[node].may_end.is_empty() {
                self.start_if_due(node)?;
            }
        }
        Ok(())
    }
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
