//! Faults: which there are, when they come (from a seed), and how they are put in and taken back.

use serde::{Deserialize, Serialize};

mod act;
mod acts;
mod clock;
mod corrupt;
mod disk;
mod draw;
mod drive;
mod membership;
mod partition;
mod plan;
mod power;
mod processes;
mod starve;
mod transfer;
mod trial;

pub use acts::{Act, Links, Role, Target};
pub use drive::drive;
pub use plan::{CALM, Plan, Step};
pub use trial::missing;

/// A kind of faults.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Nemesis {
    /// Nothing goes wrong.
    None,
    /// Links are cut, slow, lossy, narrow, out of order.
    Partition,
    /// Processes are killed, or restarted one after the other.
    Kill,
    /// Processes stand still for longer than an election.
    Pause,
    /// Power is lost: whatever was not synced is gone.
    Power,
    /// Wall clocks jump and drift. Monotonic clocks go at the right speed: only where they begin is changed.
    Clock,
    /// Disks are full, slow, or fail.
    Disk,
    /// Bytes of files are other bytes when a node starts.
    Corrupt,
    /// Nodes are added, removed, replaced.
    Membership,
    /// Leaders hand over.
    Transfer,
    /// Nodes have too little processor time, memory or files.
    Starve,
    /// Two of these at a time, but for those that count on a cluster of which nothing is missing.
    Mix,
}

impl Nemesis {
    /// All that inject something, in the order of tables.
    pub const ALL: [Nemesis; 11] = [
        Nemesis::Partition,
        Nemesis::Kill,
        Nemesis::Pause,
        Nemesis::Power,
        Nemesis::Clock,
        Nemesis::Disk,
        Nemesis::Corrupt,
        Nemesis::Membership,
        Nemesis::Transfer,
        Nemesis::Starve,
        Nemesis::Mix,
    ];

    /// Its name in histories and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Nemesis::None => "none",
            Nemesis::Partition => "partition",
            Nemesis::Kill => "kill",
            Nemesis::Pause => "pause",
            Nemesis::Power => "power",
            Nemesis::Clock => "clock",
            Nemesis::Disk => "disk",
            Nemesis::Corrupt => "corrupt",
            Nemesis::Membership => "membership",
            Nemesis::Transfer => "transfer",
            Nemesis::Starve => "starve",
            Nemesis::Mix => "mix",
        }
    }
}
