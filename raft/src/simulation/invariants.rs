//! What must always hold, looked at after everything that happens.
//!
//! One invariant a file, each with its section of the Raft paper ("In Search of an Understandable
//! Consensus Algorithm", extended version) or the promise of Holdfast that it keeps watch over. They know
//! nothing of how openraft works: they see what nodes write to their logs and votes, what they report of
//! themselves, and what clients are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use store::StateDigest;
use types::{GroupId, HeadHash, WalletId};

use super::disk::Disk;
use crate::log::entry::encode_payload;
use crate::types::{LeaderId, LogId, Payload, Vote};

mod committed_is_durable;
mod election_safety;
mod history;
mod leader_append_only;
mod leader_completeness;
mod log_matching;
mod monotonic;
mod state_machine_safety;
mod two_data_centres;
mod votes_are_durable;

mod tests;

/// Something that happened to a node or a client.
pub(super) enum Event<'a> {
    /// A node's life ended, however it did.
    Ended { node: u64 },
    /// A node wrote an entry to its log.
    Wrote { node: u64, group: GroupId, id: LogId, content: u64 },
    /// A node removed its entries from this one on.
    Truncated { node: u64, group: GroupId, first: u64 },
    /// A node takes its entries up to this one away.
    Purged { node: u64, group: GroupId, upto: LogId },
    /// A node wrote its vote.
    Voted { node: u64, group: GroupId, vote: Vote },
    /// What a node says of itself.
    Reported { node: u64, group: GroupId, report: &'a Report },
    /// A client was told that a push is done, by the leader that applied it.
    Acknowledged { group: GroupId, content: u64, push: &'a Push },
    /// A client was told that a push is refused, by the leader that applied it.
    Refused { push: &'a Push },
    /// A client was shown a wallet.
    Read { wallet: WalletId, seen: Option<(u64, HeadHash)>, floor: u64 },
}

/// What a node says of itself in one group.
pub(super) struct Report {
    pub(super) vote: Vote,
    pub(super) leads: bool,
    pub(super) committed: Option<LogId>,
    /// The last entry in the state, and the state's digest there.
    pub(super) applied: Option<(LogId, StateDigest)>,
    /// The sets of voters, and where in the log they stand.
    pub(super) voters: Voters,
    pub(super) voters_at: Option<LogId>,
}

/// A push as its client knows it.
pub(super) struct Push {
    pub(super) wallet: WalletId,
    pub(super) seq: u64,
    pub(super) head: HeadHash,
    pub(super) base: HeadHash,
    /// The highest number that any client had been shown before this was asked for the first time.
    pub(super) floor: u64,
    pub(super) is_retry: bool,
}

/// The nodes, for invariants that are about more than one of them.
#[derive(Default)]
pub(super) struct Cluster {
    pub(super) disks: Vec<Arc<Disk>>,
    /// The data centre of each.
    pub(super) dcs: Vec<&'static str>,
    /// The voters of each group, as anybody knew them last.
    pub(super) voters: BTreeMap<GroupId, BTreeMap<LogId, Voters>>,
    /// How often voters changed, and how often from one set to two.
    pub(super) voters_changed: u64,
    pub(super) joint_voters: u64,
}

/// Sets of voters. What is to hold needs a majority of each.
pub(super) type Voters = Vec<BTreeSet<u64>>;

/// How many of a group's last sets of voters count. What was committed or granted among one of them may
/// be told of when the next is there, or the next but one.
const VOTERS_KEPT: usize = 3;

impl Cluster {
    pub(super) fn disk(&self, node: u64) -> &Disk {
        &self.disks[node as usize - 1]
    }

    pub(super) fn dc(&self, node: u64) -> &'static str {
        self.dcs[node as usize - 1]
    }

    /// Whether a node would still have an entry if all power went now: in its log, or, where the log says
    /// that it is purged, in the state that is there then.
    pub(super) fn holds(&self, node: u64, group: GroupId, id: LogId) -> bool {
        let disk = self.disk(node);
        let is_in_state = || disk.durable_state(group) >= Some(id);
        disk.durable_entry(group, id.index) == Some(id)
            || (disk.purged(group) >= Some(id) && is_in_state())
    }

    /// Notes the voters that a node knows of.
    fn note_voters(&mut self, group: GroupId, report: &Report) {
        let Some(at) = report.voters_at.filter(|_| !report.voters.is_empty()) else { return };
        let known = self.voters.entry(group).or_default();
        if let Some((last, before)) = known.last_key_value()
            && *last < at
            && *before != report.voters
        {
            self.voters_changed += 1;
            self.joint_voters += u64::from(report.voters.len() > 1);
        }
        known.entry(at).or_insert_with(|| report.voters.clone());
        while known.len() > VOTERS_KEPT {
            known.pop_first();
        }
    }

    /// Whether something holds for one of the last sets of voters of a group.
    pub(super) fn any_voters(&self, group: GroupId, holds: impl Fn(&Voters) -> bool) -> bool {
        self.voters.get(&group).is_some_and(|known| known.values().any(holds))
    }

    /// Whether those are a majority in every set.
    pub(super) fn is_quorum(voters: &Voters, have: impl Fn(u64) -> bool) -> bool {
        voters.iter().all(|set| set.iter().filter(|node| have(**node)).count() > set.len() / 2)
    }
}

/// Something that must always hold.
pub(super) trait Invariant: Send {
    /// Looks at what happened. An error says what it broke.
    fn see(&mut self, event: &Event<'_>, cluster: &Cluster) -> Result<(), String>;
}

/// All invariants, by name.
pub(super) struct Judge {
    pub(super) cluster: Cluster,
    invariants: Vec<(&'static str, Box<dyn Invariant>)>,
}

impl Default for Judge {
    fn default() -> Self {
        let invariants: Vec<(&'static str, Box<dyn Invariant>)> = vec![
            ("election safety", Box::<election_safety::ElectionSafety>::default()),
            ("leader append-only", Box::<leader_append_only::LeaderAppendOnly>::default()),
            ("log matching", Box::<log_matching::LogMatching>::default()),
            ("leader completeness", Box::<leader_completeness::LeaderCompleteness>::default()),
            ("state machine safety", Box::<state_machine_safety::StateMachineSafety>::default()),
            ("committed is durable", Box::<committed_is_durable::CommittedIsDurable>::default()),
            ("two data centres", Box::<two_data_centres::TwoDataCentres>::default()),
            ("votes are durable", Box::<votes_are_durable::VotesAreDurable>::default()),
            ("monotonic", Box::<monotonic::Monotonic>::default()),
            ("history", Box::<history::History>::default()),
        ];
        Judge { cluster: Cluster::default(), invariants }
    }
}

impl Judge {
    pub(super) fn see(&mut self, event: &Event<'_>) -> Result<(), String> {
        if self.cluster.disks.is_empty() {
            return Ok(());
        }
        if let Event::Reported { group, report, .. } = event {
            self.cluster.note_voters(*group, report);
        }
        for (name, invariant) in &mut self.invariants {
            invariant.see(event, &self.cluster).map_err(|broken| format!("{name}: {broken}"))?;
        }
        Ok(())
    }
}

/// A number for what an entry carries; equal contents have equal numbers.
pub(super) fn content(payload: &Payload) -> u64 {
    let (kind, bytes) = encode_payload(payload);
    std::iter::once(&kind).chain(bytes.iter()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The leadership that a node's vote speaks of.
pub(super) fn leadership(vote: &Vote) -> LeaderId {
    vote.leader_id
}
