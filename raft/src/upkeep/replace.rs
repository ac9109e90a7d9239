//! Who is fenced: a node that lost what it had acknowledged, holds another state than the others, or has
//! been away for so long that a spare node takes its place.
//!
//! A spare is a node in service, of the same data centre and role, that has no vote in any placement: as
//! every node holds every group, it has caught up already. What a fenced node had moves by the placements,
//! and its machine comes back as another node ([`crate::membership::rejoin`]).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use store::command::SystemCommand;
use tokio::time::{Instant, MissedTickBehavior, interval};
use types::{GroupId, NodeId, NodeInfo, NodeState};

use crate::facts::Facts;
use crate::fatal::End;
use crate::membership::plan;
use crate::node::Inner;
use crate::node::start::identify;
use crate::repair::Note;
use crate::roster::Roster;
use crate::upkeep::health::LATELY;

const LOOK: Duration = Duration::from_secs(1);

pub(super) fn start(node: &Arc<Inner>) {
    let own = node.clone();
    node.spawn(async move {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let begun = Instant::now();
        loop {
            looks.tick().await;
            for id in own.peers.went_back() {
                own.fence(id, "it lacks what it had acknowledged").await;
            }
            let leads = own.group(GroupId::SYSTEM).is_some_and(|group| group.raft.is_leader());
            if leads {
                own.replace_the_dead(begun).await;
            } else {
                own.ask_if_fenced().await;
            }
        }
    });
}

impl Inner {
    async fn replace_the_dead(&self, begun: Instant) {
        let after = self.config.upkeep.replace_after;
        if after.is_zero() {
            return;
        }
        let (facts, roster) = (self.facts.borrow().clone(), self.roster.load_full());
        let silent = |id| self.health.silent_for(id).unwrap_or_else(|| begun.elapsed());
        let is_there = |id| Some(id) == self.id() || silent(id) < LATELY;
        for dead in roster.nodes().filter(|node| Some(node.id) != self.id()) {
            if silent(dead.id) >= after
                && let Some(spare) = spare_for(dead, &facts, &roster, is_there)
            {
                let reason = format!(
                    "it has been away for {} s, and node {spare} can take its place",
                    after.as_secs()
                );
                self.fence(dead.id, &reason).await;
            }
        }
    }

    /// Has a node fenced, if that leaves every group a majority of its voters. If not, it is said, and
    /// tried again by whoever found the reason.
    pub(crate) async fn fence(&self, id: NodeId, reason: &str) {
        if self.is_out(id) {
            return;
        }
        if let Err(obstacle) = self.may_fence(id) {
            tracing::error!(node = %id, reason, obstacle, "a node should be fenced and cannot be yet");
            return;
        }
        tracing::error!(node = %id, reason, "a node is being fenced");
        let order = self.order(&[b"fence", &id.0.to_be_bytes()]);
        let fence = SystemCommand::SetNodeState { node: id, state: NodeState::Fenced };
        match self.act(GroupId::SYSTEM, order, fence).await {
            Ok(Ok(_)) => {}
            Ok(Err(rejection)) => tracing::warn!(node = %id, %rejection, "the node was not fenced"),
            Err(error) => tracing::warn!(node = %id, %error, "the node is not fenced yet"),
        }
    }

    fn may_fence(&self, id: NodeId) -> Result<(), String> {
        let roster = self.roster.load();
        let allow = self.facts.borrow().allow_single_dc();
        plan::place(roster.nodes().filter(|node| node.id != id), &[], allow)?;
        let is_there = |other: NodeId| {
            Some(other) == self.id()
                || (!self.is_out(other)
                    && self.health.silent_for(other).is_some_and(|silent| silent < LATELY))
        };
        let groups = self.groups.borrow().clone();
        for group in groups.values() {
            let sets: Vec<BTreeSet<u64>> = {
                let report = group.report();
                let seen = report.now();
                seen.membership_config.membership().get_joint_config().clone()
            };
            for set in sets {
                let left = set.iter().copied().map(NodeId).filter(|other| *other != id);
                if left.filter(|other| is_there(*other)).count() <= set.len() / 2 {
                    return Err(format!("group {} has no majority without it now", group.id));
                }
            }
        }
        Ok(())
    }

    /// A node that follows nobody may have been fenced meanwhile: the others do not speak to it any more.
    async fn ask_if_fenced(&self) {
        let led = self
            .group(GroupId::SYSTEM)
            .is_some_and(|group| group.report().now().current_leader.is_some());
        if led {
            return;
        }
        let roster = self.roster.load_full();
        let others =
            roster.nodes().filter(|node| node.state.counts() && Some(node.id) != self.id());
        for other in others {
            let Ok((_, reply)) = identify(&self.host, &other.peer).await else { continue };
            if let Ok(Some(reason)) = self.check_known(&other.peer, reply) {
                self.leave(reason);
                return;
            }
        }
    }

    /// The cluster counts on this node no more: it starts again, in quarantine.
    pub(crate) fn leave(&self, reason: String) {
        let note = Note::found(store::Damage::Log, reason.clone());
        if let Err(error) = note.save(&self.config.directory) {
            tracing::error!(%error, "no note could be left: the next start asks the cluster again");
        }
        self.fatal.end(End::Again(reason));
    }
}

/// Who can take the place of a dead voter.
fn spare_for(
    dead: &NodeInfo,
    facts: &Facts,
    roster: &Roster,
    is_there: impl Fn(NodeId) -> bool,
) -> Option<NodeId> {
    let votes = |id: NodeId| facts.placements.values().any(|placed| placed.voters.contains(&id));
    if !dead.state.counts() || !votes(dead.id) {
        return None;
    }
    let spare = |node: &&NodeInfo| {
        node.state == NodeState::Active
            && node.dc == dead.dc
            && node.role == dead.role
            && !votes(node.id)
            && is_there(node.id)
    };
    roster.nodes().find(spare).map(|node| node.id)
}

#[cfg(test)]
mod tests;
