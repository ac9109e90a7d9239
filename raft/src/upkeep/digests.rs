//! Replicas compare their states at the same entries: every so many, each keeps the digest it had.
//!
//! A group's leader asks the others. If a majority of the voters had one digest, whoever had another
//! holds another state, and is fenced, be it the leader itself. Without such a majority nobody knows who
//! is right: it is said aloud, and nobody is touched.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::{Position, StateDigest};
use tokio::time::{MissedTickBehavior, interval};
use types::NodeId;

use crate::node::{Group, Inner};
use crate::peer::convert::{self, ControlKind};

/// How often leaders compare.
const LOOK: Duration = Duration::from_secs(1);
/// How long a replica may take to answer.
const ASK: Duration = Duration::from_secs(2);
/// How many digests a replica keeps: how far replicas may be apart and still be compared.
const KEPT: usize = 8;

/// The digests that a replica had, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoints(pub(crate) VecDeque<(Position, StateDigest)>);

impl Checkpoints {
    pub(crate) fn keep(&mut self, at: Position, digest: StateDigest) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((at, digest));
    }

    fn at(&self, position: Position) -> Option<StateDigest> {
        self.0.iter().find(|(at, _)| *at == position).map(|(_, digest)| *digest)
    }
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Equal,
    /// These hold another state than a majority of the voters.
    Odd(BTreeSet<NodeId>),
    /// They differ, and no majority of the voters agrees.
    Unclear,
}

fn judge(found: &BTreeMap<NodeId, StateDigest>, voters: &BTreeSet<NodeId>) -> Verdict {
    let mut votes: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    for (_, digest) in found.iter().filter(|(node, _)| voters.contains(node)) {
        *votes.entry(digest.to_bytes()).or_default() += 1;
    }
    let majority = voters.len() / 2 + 1;
    let right = votes.iter().find(|(_, count)| **count >= majority).map(|(digest, _)| *digest);
    let differ = found.values().any(|digest| Some(digest) != found.values().next());
    match right {
        _ if !differ => Verdict::Equal,
        None => Verdict::Unclear,
        Some(right) => {
            let odd = found.iter().filter(|(_, digest)| digest.to_bytes() != right);
            Verdict::Odd(odd.map(|(node, _)| *node).collect())
        }
    }
}

pub(super) fn start(node: &Arc<Inner>) {
    let own = node.clone();
    node.spawn(async move {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let groups = own.groups.borrow().clone();
            for group in groups.values().filter(|group| group.raft.is_leader()) {
                own.compare(group).await;
            }
        }
    });
}

impl Inner {
    async fn compare(&self, group: &Group) {
        let Some(own) = self.id() else { return };
        let mine = group.cell.checkpoints();
        let Some((at, digest)) = mine.0.back().copied() else { return };
        let (voters, replicas) = {
            let report = group.report();
            let seen = report.now();
            let membership = seen.membership_config.membership();
            let voters: BTreeSet<NodeId> = membership.voter_ids().map(NodeId).collect();
            let all: Vec<NodeId> = membership.nodes().map(|(id, _)| NodeId(*id)).collect();
            (voters, all)
        };
        let others = replicas.into_iter().filter(|id| *id != own && !self.is_out(*id));
        let asked = others.map(|id| async move {
            let said =
                self.peers.call(id, group.id, ControlKind::Checkpoints, Bytes::new(), ASK).await;
            let said = convert::decode_checkpoints(said.ok()?).ok()?;
            Some((id, said.at(at)?))
        });
        let mut found: BTreeMap<NodeId, StateDigest> =
            futures::future::join_all(asked).await.into_iter().flatten().collect();
        found.insert(own, digest);
        match judge(&found, &voters) {
            Verdict::Equal => {}
            Verdict::Unclear => {
                self.metrics.digests_unclear();
                tracing::error!(group = %group.id, entry = at.index, "replicas hold different states, and no majority agrees on one");
            }
            Verdict::Odd(odd) => {
                for id in odd {
                    let reason = format!(
                        "its state of group {} after entry {} is not that of the majority",
                        group.id, at.index
                    );
                    self.fence(id, &reason).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(list: &[(u64, u8)]) -> BTreeMap<NodeId, StateDigest> {
        let digest = |byte| StateDigest::from_bytes([byte; 32]);
        list.iter().map(|(node, byte)| (NodeId(*node), digest(*byte))).collect()
    }

    fn ids(list: &[u64]) -> BTreeSet<NodeId> {
        list.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn the_odd_one_is_who_differs_from_a_majority_of_voters() {
        let voters = ids(&[1, 2, 3]);
        let judge = |list: &[(u64, u8)]| judge(&digests(list), &voters);
        assert_eq!(judge(&[(1, 7), (2, 7), (3, 7)]), Verdict::Equal);
        assert_eq!(judge(&[(1, 7)]), Verdict::Equal, "nobody to compare with");
        assert_eq!(judge(&[(1, 7), (2, 7), (3, 8)]), Verdict::Odd(ids(&[3])));
        assert_eq!(judge(&[(1, 8), (2, 7), (3, 7)]), Verdict::Odd(ids(&[1])), "the leader itself");
        assert_eq!(judge(&[(1, 7), (3, 8)]), Verdict::Unclear);
        assert_eq!(judge(&[(1, 7), (2, 8), (3, 9)]), Verdict::Unclear);
        // Learners have no say, and are judged all the same.
        assert_eq!(judge(&[(1, 7), (2, 7), (3, 7), (4, 8)]), Verdict::Odd(ids(&[4])));
        assert_eq!(judge(&[(1, 7), (4, 8), (5, 8), (6, 8)]), Verdict::Unclear);
    }
}
