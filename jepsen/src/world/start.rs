//! From a network to a cluster that serves.

use proto::admin::BootstrapRequest;
use server::cluster::{Cluster, ClusterError, Options};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};
use tokio::sync::watch;

use super::{HEALS_WITHIN, Seat, WALLET_GROUPS, World, WorldError};
use crate::{
    inject::{
        Skipped,
        clock::{Boot, Clock},
        disk::LossyDisk,
    },
    net::Net,
};

/// Size of a node's own disk, in MiB: more than a run writes.
const DISK_MIB: u64 = 1_024;

/// What a world shall be.
pub struct Wanted {
    /// The binary that has the `node` command.
    pub program: PathBuf,
    /// A new directory for everything.
    pub dir: PathBuf,
    /// How many of the nodes form the cluster; one more may be there, and join later.
    pub members: usize,
    /// Each node on a disk of its own, which can lose power.
    pub disks: bool,
    /// Each node with a wall clock of its own.
    pub clocks: bool,
}

impl World {
    /// Makes a cluster of nodes on this network, and waits until it serves.
    ///
    /// # Errors
    /// The harness cannot do its part here.
    pub async fn start(net: Arc<Net>, wanted: &Wanted) -> Result<World, WorldError> {
        let nodes = net.plans()?;
        let mut options = Options::dev(1, wanted.program.clone(), wanted.dir.clone())?;
        options.allow_single_dc = false;
        options.wallet_groups = WALLET_GROUPS;
        options.nodes = nodes;
        settings(&mut options);
        let cluster = Cluster::create(&options)?;
        net.join(&cluster);
        let count = cluster.nodes().len();
        let mut world = World {
            cluster,
            net,
            ended: Vec::new(),
            disks: Vec::new(),
            clocks: Vec::new(),
            seats: vec![Seat::default(); count],
            reached: watch::Sender::default(),
        };
        for node in 0..count {
            world.furnish(node, wanted)?;
        }
        for node in 0..wanted.members {
            world.want(node)?;
        }
        for node in 0..wanted.members {
            world.cluster.wait_answering(node, HEALS_WITHIN).await?;
        }
        world.bootstrap(wanted.members).await?;
        world.cluster.wait_settled(HEALS_WITHIN).await?;
        world.tell_clients()?;
        Ok(world)
    }

    /// Gives a node its disk and its clock.
    fn furnish(&mut self, node: usize, wanted: &Wanted) -> Result<(), WorldError> {
        let not_asked = || Skipped("this run does not use it".to_owned());
        let dir = self.cluster.nodes()[node].dir.clone();
        self.disks.push(match wanted.disks {
            true => LossyDisk::mount(&dir.join("data"), DISK_MIB),
            false => Err(not_asked()),
        });
        let clock = match wanted.clocks {
            true => Clock::right(dir.join("clock")),
            false => Err(not_asked()),
        };
        if let Ok(clock) = &clock {
            let program = wanted.program.display();
            let line = format!("{} exec {program} \"$@\"", clock.environment());
            let script = self.script(node, "holdfast", &line)?;
            self.cluster.install(node, script)?;
        }
        self.clocks.push(clock);
        Ok(())
    }

    /// A script of one line that starts a node, beside the node's files.
    fn script(&self, node: usize, name: &str, line: &str) -> Result<PathBuf, WorldError> {
        let file = self.cluster.nodes()[node].dir.join(name);
        let written = fs::write(&file, format!("#!/bin/sh\n{line}\n"))
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)));
        match written {
            Ok(()) => Ok(file),
            Err(source) => Err(WorldError::File { file, source }),
        }
    }

    /// From its next start on a node runs in this boot, or in none but the machine's.
    ///
    /// # Errors
    /// The script cannot be written.
    pub fn boots_in(&mut self, node: usize, boot: Option<&Boot>) -> Result<(), WorldError> {
        let usual = self.cluster.nodes()[node].dir.join("holdfast");
        let script = match boot {
            Some(boot) => {
                let line = format!("exec {} {} \"$@\"", boot.enter(), usual.display());
                self.script(node, "elsewhere", &line)?
            }
            None => usual,
        };
        Ok(self.cluster.install(node, script)?)
    }

    async fn bootstrap(&mut self, members: usize) -> Result<(), WorldError> {
        let peers = self.cluster.nodes()[..members].iter().map(|node| node.peer.clone()).collect();
        let request = BootstrapRequest {
            peers,
            wallet_groups: WALLET_GROUPS,
            allow_single_dc: false,
            region: 0,
        };
        let node = self.cluster.nodes()[0].plan.name.clone();
        let refused = |status: tonic::Status| ClusterError::Refused {
            node: node.clone(),
            message: status.message().to_owned(),
        };
        self.cluster.admin(0).await?.bootstrap(request).await.map_err(refused)?;
        Ok(())
    }
}

/// Short logs and many snapshots, so that a run of minutes has what takes days elsewhere.
fn settings(options: &mut Options) {
    let mut set = |key: &str, value: i64| {
        options.overrides.insert(key.to_owned(), value.into());
    };
    set("raft.snapshot_entries", 100);
    set("repair.digest_entries", 1_000);
    set("memory.block_cache_mib", 16);
    set("memory.write_buffer_mib", 8);
    // All clients of a run have one address.
    set("limits.requests_per_address", 1_024);
    set("limits.refusals_per_second", 100_000);
    set("limits.recoveries_per_second", 10_000);
    set("limits.recoveries_per_code", 100_000);
    options.overrides.insert("log.filter".to_owned(), "info,holdfast::durable=debug".into());
}
