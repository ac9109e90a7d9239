//! What a node does so that nobody has to look after it: it watches its disk, its peers and its state.
//!
//! | where | what |
//! |---|---|
//! | [`health`] | nodes tell each other once a second how their disks are; one that is full or slow does not lead |
//! | [`latency`] | how long the node's own syncs take |
//! | [`disk`] | the reserve: below it a node takes no pushes |
//! | [`digests`] | replicas compare their states; an odd one is fenced |
//! | [`scrub`] | a node reads its own disk again and again, and compares it with what was applied |
//! | [`replace`] | a node that lost what it acknowledged, or has been away for too long, is fenced |
//!
//! Fencing takes a majority of group 0, one node after the other, and only while every group has a
//! majority of its voters without the node (`replace`).

use std::sync::Arc;
use std::time::Duration;

use crate::node::Inner;

pub(crate) mod digests;
pub(crate) mod disk;
pub(crate) mod health;
pub(crate) mod latency;
pub(crate) mod replace;
mod scrub;

/// How a node looks after itself and its cluster. The same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// After how many entries of a group its replicas compare their states.
    pub digest_entries: u64,
    /// How often a node reads its whole state and log again; zero: never.
    pub scrub_every: Duration,
    /// For how long a node may be away before a spare node of its data centre takes its place; zero: for
    /// ever.
    pub replace_after: Duration,
    /// Bytes that must stay free on the disk, unless `reserve_percent` is less.
    pub reserve_bytes: u64,
    /// Hundredths of the disk that must stay free, unless `reserve_bytes` is less.
    pub reserve_percent: u64,
}

impl Default for Upkeep {
    fn default() -> Self {
        Upkeep {
            digest_entries: 10_000,
            scrub_every: Duration::from_secs(24 * 3600),
            replace_after: Duration::from_secs(15 * 60),
            reserve_bytes: 1 << 30,
            reserve_percent: 5,
        }
    }
}

/// Starts all of it, on a node that has its place and its groups.
pub(crate) fn start(node: &Arc<Inner>) {
    disk::start(node);
    health::start(node);
    digests::start(node);
    scrub::start(node);
    replace::start(node);
}
