//! What a link is between, what can happen on it, and what did.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// A node, by its place in the layout.
    Node(usize),
    /// All clients.
    Clients,
}

/// How a link cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Nothing comes out, and nobody says so: a broken cable.
    Silent,
    /// What enters is answered by a reset: a firewall, or a machine without the process.
    Refuse,
}

/// What happens to what one end sends to another. The default is a link that nothing is wrong with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    /// How long the way takes.
    pub delay: Duration,
    /// How much longer at most, evenly drawn for each packet. Order is kept.
    pub jitter: Duration,
    /// Share of packets, 0 to 1, that do not come out.
    pub loss: f64,
    /// Share of packets that come out twice.
    pub duplicate: f64,
    /// Share of packets that are held back until later ones have overtaken them.
    pub reorder: f64,
    /// Share of packets with a damaged byte behind the IP header. The receiver's kernel drops them.
    pub corrupt: f64,
    /// How much comes out in a second. What would wait longer than 200 ms for its turn is lost.
    pub bytes_per_second: Option<u64>,
    /// Whether nothing comes out at all, what is under way included.
    pub cut: Option<Cut>,
}

/// What can be done to links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// [`Link::delay`]
    Delay,
    /// [`Link::jitter`]
    Jitter,
    /// [`Link::bytes_per_second`]
    Bandwidth,
    /// [`Cut::Silent`]
    Cut,
    /// [`Cut::Refuse`]
    Refuse,
    /// [`Link::loss`]
    Loss,
    /// [`Link::duplicate`]
    Duplicate,
    /// [`Link::reorder`]
    Reorder,
    /// [`Link::corrupt`]
    Corrupt,
    /// [`Net::filter`](super::Net::filter)
    Filter,
}

/// What happened on a directed link so far: packets with the switch; pieces of a stream, and connections
/// that were held or refused, with the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Came out, second copies included.
    pub passed: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Stopped by a cut.
    pub cut: u64,
    /// Lost because the link was too narrow, or the receiver was.
    pub overrun: u64,
    /// Took longer than the layout alone asks for.
    pub delayed: u64,
    /// Came out twice.
    pub duplicated: u64,
    /// Came out after one that entered later.
    pub reordered: u64,
    /// Came out damaged.
    pub corrupted: u64,
}

impl Counters {
    /// How many were harmed in any way: whether a fault was felt.
    pub fn harmed(&self) -> u64 {
        let Counters { passed: _, lost, cut, overrun, delayed, duplicated, reordered, corrupted } =
            self;
        lost + cut + overrun + delayed + duplicated + reordered + corrupted
    }

    /// What came since an earlier look.
    #[must_use]
    pub fn since(&self, earlier: &Counters) -> Counters {
        Counters {
            passed: self.passed - earlier.passed,
            lost: self.lost - earlier.lost,
            cut: self.cut - earlier.cut,
            overrun: self.overrun - earlier.overrun,
            delayed: self.delayed - earlier.delayed,
            duplicated: self.duplicated - earlier.duplicated,
            reordered: self.reordered - earlier.reordered,
            corrupted: self.corrupted - earlier.corrupted,
        }
    }
}
