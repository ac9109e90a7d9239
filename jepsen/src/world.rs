//! The cluster of a run, in its network, on its disks, with its clocks.
//!
//! Several faults may want the same node down at once: it is started when none of them does any more. A node
//! that ends although nobody took it down is started again, as a service manager would, and is remembered.

use server::cluster::{Cluster, ClusterError, Signal, process::ProcessError};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

use crate::{
    inject::{
        Skipped,
        clock::Clock,
        disk::{Ballast, LossyDisk},
    },
    net::{End, Net, NetError},
    workload::Access,
};

mod excuse;
mod look;
mod start;

use excuse::Excuses;

pub use excuse::Excuse;
pub use look::Operator;
pub use start::Wanted;

/// Wallet groups of a cluster that is made for a run.
pub const WALLET_GROUPS: u32 = 2;
/// The first wallet group.
pub const FIRST_GROUP: u32 = 2;
/// The exit code of a node that found its files damaged.
const DAMAGED: i32 = 4;
const SIGKILL: i32 = 9;
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
    /// How.
    pub status: ExitStatus,
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
    reached: watch::Sender<Arc<Access>>,
}

/// What the world wants of a node.
#[derive(Clone, Debug, Default)]
struct Seat {
    /// It is to run unless somebody keeps it down.
    wanted: bool,
    /// Steps of the plan that keep it down.
    down: BTreeSet<usize>,
    /// What may end it, and how.
    excuses: Excuses,
    /// Its files were harmed: it may end with what it found, and repairs that when it starts again.
    harmed: bool,
}

impl World {
    /// How clients reach the nodes that take part, now and whenever they are told of others.
    pub fn reached(&self) -> watch::Receiver<Arc<Access>> {
        self.reached.subscribe()
    }

    /// Tells clients which nodes take part now.
    ///
    /// # Errors
    /// The authority's certificate cannot be read.
    pub fn tell_clients(&self) -> Result<(), WorldError> {
        let file = self.cluster.ca();
        let ca_pem =
            fs::read_to_string(&file).map_err(|source| WorldError::File { file, source })?;
        let (endpoints, members) = (self.net.endpoints(&self.cluster), self.members());
        self.reached.send_replace(Arc::new(Access {
            endpoints: members.iter().map(|node| endpoints[*node].clone()).collect(),
            names: members.iter().map(|node| self.name(*node)).collect(),
            ca_pem,
            wallet_groups: Some(WALLET_GROUPS),
        }));
        Ok(())
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
            self.notice(*node)?;
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

    /// While a step lasts the node may end by itself in this way, and stays down then. None: the step is over.
    pub fn may_end(&mut self, node: usize, step: usize, excuse: Option<Excuse>) {
        let excuses = &mut self.seats[node].excuses;
        match excuse {
            Some(excuse) => excuses.begin(step, excuse),
            None => excuses.end(step, Instant::now()),
        }
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

    /// SIGTERM, and whatever the node does until it has ended. Says whether it ran. One that does not end in time
    /// is killed, and noted as one that ended without a reason.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn stop(&mut self, node: usize, within: Duration) -> Result<bool, WorldError> {
        self.notice(node)?;
        let stopped = match self.cluster.stop_node(node, within).await {
            Err(ClusterError::Process(stuck @ ProcessError::Stuck { .. })) => {
                self.cluster.kill(node)?;
                self.ended.push(Ended {
                    node: self.name(node),
                    status: ExitStatus::from_raw(SIGKILL),
                    said: format!(
                        "after SIGTERM {stuck}; {}",
                        last_lines(&self.cluster.nodes()[node].log())
                    ),
                    expected: false,
                });
                return Ok(true);
            }
            stopped => stopped?,
        };
        if let Some(status) = stopped.filter(|status| !status.success()) {
            self.note_end(node, status);
        }
        Ok(stopped.is_some())
    }

    /// Looks for nodes that ended by themselves, and starts them again unless what ended them lasts.
    ///
    /// # Errors
    /// A process cannot be started.
    pub fn supervise(&mut self) -> Result<(), WorldError> {
        for node in 0..self.count() {
            self.notice(node)?;
            if !self.seats[node].excuses.lasts() {
                self.start_if_due(node)?;
            }
        }
        Ok(())
    }

    /// Notes the node's end, if it ended by itself.
    fn notice(&mut self, node: usize) -> Result<(), WorldError> {
        let process = self.cluster.node(node)?.process();
        let exited = process.map(|process| process.exited()).transpose();
        if let Some(status) = exited.map_err(ClusterError::from)?.flatten() {
            self.cluster.kill(node)?;
            self.note_end(node, status);
        }
        Ok(())
    }

    fn note_end(&mut self, node: usize, status: ExitStatus) {
        let seat = &self.seats[node];
        let said = last_lines(&self.cluster.nodes()[node].log());
        let expected = seat.excuses.cover(status, &said, Instant::now())
            || (seat.harmed && status.code() == Some(DAMAGED));
        self.ended.push(Ended { node: self.name(node), status, said, expected });
    }
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
