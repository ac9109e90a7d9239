//! Moving replicas towards their placement, one step at a time.
//!
//! Every node runs this; only leaders act. A step is decided from the membership as it is and guarded
//! by its position, so a step that somebody else was quicker with is refused and decided anew. Adding
//! comes before removing: a node becomes a learner, catches up, gets its vote in the same change that
//! takes the old voter's, and only then is the old one dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::{ChangeMembers, Precondition};
use store::command::{Placing, SystemCommand};
use store::rows::PlacementRow;
use tokio::time::{Instant, timeout};
use types::{GroupId, NodeId, NodeState};

use crate::facts::Facts;
use crate::membership::act::Order;
use crate::membership::{plan, rule, transfer};
use crate::node::{Group, Inner};
use crate::status::GroupView;
use crate::types::{Membership, Replica, TypeConfig};

/// How often a leader looks, besides whenever group 0 says something new.
const LOOK: Duration = Duration::from_millis(500);
/// A replica that is behind by no more than this gets a vote.
const CAUGHT_UP: u64 = 512;
/// How long one step may take before it is looked at anew.
const STEP: Duration = Duration::from_secs(30);

/// What a group's leader does next about its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ends a change of voters that was left half way.
    Finish,
    /// Begins to send the log to these nodes.
    Add(BTreeSet<NodeId>),
    /// Makes these the voters.
    Voters(BTreeSet<NodeId>),
    /// Stops sending the log to these nodes.
    Drop(BTreeSet<NodeId>),
    /// A new voter has to catch up first.
    Wait,
    /// Everything is where it should be.
    Done,
}

/// Decides the next step of one group.
pub(crate) fn next(membership: &Membership, wanted: &PlacementRow, view: &GroupView) -> Step {
    let sets = membership.get_joint_config();
    if sets.len() > 1 {
        return Step::Finish;
    }
    let present: BTreeSet<NodeId> = membership.nodes().map(|(node, _)| NodeId(*node)).collect();
    let voters: BTreeSet<NodeId> = membership.voter_ids().map(NodeId).collect();
    let wanted_voters: BTreeSet<NodeId> = wanted.voters.iter().copied().collect();
    let all: BTreeSet<NodeId> = wanted_voters.iter().chain(&wanted.learners).copied().collect();
    let missing: BTreeSet<NodeId> = all.difference(&present).copied().collect();
    if !missing.is_empty() {
        return Step::Add(missing);
    }
    if voters != wanted_voters {
        let ready = wanted_voters
            .difference(&voters)
            .all(|id| view.lag.get(id).is_some_and(|lag| *lag <= CAUGHT_UP));
        return if ready { Step::Voters(wanted_voters) } else { Step::Wait };
    }
    let left: BTreeSet<NodeId> = present.difference(&all).copied().collect();
    if left.is_empty() { Step::Done } else { Step::Drop(left) }
}

/// Starts looking.
pub(crate) fn start(node: &Arc<Inner>) {
    let reconciler =
        Arc::new(Reconciler { node: node.clone(), busy: Mutex::default(), run: rand::random() });
    node.spawn(async move {
        let mut facts = reconciler.node.facts.subscribe();
        loop {
            let known = facts.borrow_and_update().clone();
            if known.cluster.is_some() && !reconciler.node.draining.is_cancelled() {
                reconciler.look(&known);
                reconciler.announce().await;
                let run = reconciler.run.to_be_bytes();
                let order =
                    |parts: &[&[u8]]| reconciler.order(&[&[run.as_slice()], parts].concat());
                reconciler.node.tell_level(&known, order).await;
            }
            let _ = timeout(LOOK, facts.changed()).await;
        }
    });
}

struct Reconciler {
    node: Arc<Inner>,
    /// Groups with a step under way.
    busy: Mutex<BTreeSet<GroupId>>,
    /// Tells this run of the program from others: what it does again after another one is a new act.
    run: u64,
}

impl Reconciler {
    /// Tells the registry where this node is reached, if it was started with other addresses.
    async fn announce(&self) {
        let (node, config) = (&self.node, &self.node.config);
        let Some(known) = node.id().and_then(|id| node.node(id)) else { return };
        if !known.state.counts() || (known.peer == config.peer && known.endpoint == config.endpoint)
        {
            return;
        }
        let (peer, endpoint) = (config.peer.clone(), config.endpoint.clone());
        let update = SystemCommand::UpdateNode { node: known.id, peer, endpoint };
        let order = self.order(&[
            b"address",
            &self.run.to_be_bytes(),
            config.peer.as_bytes(),
            config.endpoint.as_bytes(),
        ]);
        match node.act(GroupId::SYSTEM, order, update).await {
            Ok(Ok(_)) => tracing::info!(peer = config.peer, "the registry knows the new address"),
            Ok(Err(rejection)) => tracing::warn!(%rejection, "the new address was refused"),
            Err(error) => tracing::debug!(%error, "the new address is not registered yet"),
        }
    }

    fn look(self: &Arc<Self>, facts: &Arc<Facts>) {
        self.node.metrics.zero_loss(self.node.zero_loss().is_ok());
        let roster = self.node.roster.load();
        let fenced = roster.nodes().filter(|node| node.state == NodeState::Fenced).count();
        self.node.metrics.fenced(fenced);
        let groups = self.node.groups.borrow().clone();
        for group in groups.values() {
            if !group.raft.is_leader() {
                self.node.note_stuck(group.id, None);
                continue;
            }
            let free = self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(group.id);
            if free {
                let (this, group, facts) = (self.clone(), group.clone(), facts.clone());
                self.node.spawn(async move {
                    let busy = Busy { reconciler: &this, group: group.id };
                    let stuck = timeout(STEP, this.step(&group, &facts)).await.unwrap_or(Ok(()));
                    this.node.note_stuck(group.id, stuck.err());
                    drop(busy);
                });
            }
        }
    }

    async fn step(&self, group: &Arc<Group>, facts: &Facts) -> Result<(), String> {
        if group.id == GroupId::SYSTEM {
            self.plan(facts).await?;
        }
        let own = self.node.id();
        if own.is_some_and(|own| !self.node.may_lead(own))
            && let Some(to) = transfer::successor(&self.node, group)
        {
            return transfer::hand_over(&self.node, group, to, Instant::now() + STEP).await;
        }
        let (membership, at, view) = {
            let report = group.report();
            let seen = report.now();
            let stored = &seen.membership_config;
            (stored.membership().clone(), *stored.log_id(), GroupView::of(&seen))
        };
        let wanted_here = |facts: &Facts| {
            let wanted = facts.placements.get(&group.id)?;
            Some(next(&membership, wanted, &view))
        };
        let step = match wanted_here(facts) {
            None | Some(Step::Done | Step::Wait) => return Ok(()),
            Some(Step::Finish) => Step::Finish,
            // What this node knows of group 0 may be old: a step is taken from what holds now.
            Some(_) => {
                let Ok((confirmed, _)) = self.node.system().await else { return Ok(()) };
                match wanted_here(&confirmed) {
                    Some(step) => step,
                    None => return Ok(()),
                }
            }
        };
        let nodes: BTreeMap<u64, Replica> =
            membership.nodes().map(|(id, replica)| (*id, replica.clone())).collect();
        let ids = |set: BTreeSet<NodeId>| set.into_iter().map(|id| id.0).collect::<BTreeSet<u64>>();
        let change = match step.clone() {
            Step::Done | Step::Wait => return Ok(()),
            // The change was checked when it began, and both ends of it keep the rule.
            Step::Finish => ChangeMembers::AddVoterIds(BTreeSet::new()),
            Step::Add(missing) => ChangeMembers::AddNodes(self.replicas(missing)?),
            Step::Drop(left) => ChangeMembers::RemoveNodes(ids(left)),
            Step::Voters(wanted) => {
                let wanted = ids(wanted);
                rule::check_sets(std::slice::from_ref(&wanted), &nodes, facts.allow_single_dc())?;
                ChangeMembers::ReplaceAllVoters(wanted)
            }
        };
        tracing::info!(group = %group.id, ?step, "moving replicas");
        let guard: [Precondition<TypeConfig>; 1] =
            [Precondition::LastMembershipLogId { last_membership_log_id: at }];
        if let Err(error) = group.raft.change_membership_if(change, true, guard).await {
            // Another change was quicker, or this node leads no more. Both are looked at anew.
            tracing::debug!(group = %group.id, %error, "the step was not taken");
        }
        Ok(())
    }

    fn replicas(&self, ids: BTreeSet<NodeId>) -> Result<BTreeMap<u64, Replica>, String> {
        let known = |id: NodeId| {
            let node = self.node.node(id).filter(|node| node.state.counts());
            node.map(|node| (id.0, Replica { dc: node.dc }))
                .ok_or_else(|| format!("node {id} is not in the registry"))
        };
        ids.into_iter().map(known).collect()
    }

    /// Group 0's leader plans where replicas should be, whenever the registry asks for another plan.
    async fn plan(&self, facts: &Facts) -> Result<(), String> {
        let roster = self.node.roster.load_full();
        let mut stuck = Ok(());
        for (group, present) in &facts.placements {
            let wanted = match plan::place(roster.nodes(), &present.voters, facts.allow_single_dc())
            {
                Ok(wanted) => wanted,
                Err(reason) => {
                    stuck = Err(reason);
                    continue;
                }
            };
            if wanted.voters == present.voters && wanted.learners == present.learners {
                continue;
            }
            let placing = Placing {
                group: *group,
                replaces: present.version,
                voters: wanted.voters,
                learners: wanted.learners,
            };
            // A placement has one successor, so that naming what it replaces names the act.
            let order = self.order(&[
                b"placement",
                &placing.group.0.to_be_bytes(),
                &placing.replaces.to_be_bytes(),
            ]);
            // Refused when somebody was quicker: then the next look finds a newer placement.
            let placed =
                self.node.act(GroupId::SYSTEM, order, SystemCommand::SetPlacement(placing)).await;
            placed.map_err(|error| error.to_string())?.map_or_else(
                |rejection| tracing::debug!(%group, %rejection, "the placement was not taken"),
                |_| tracing::info!(%group, "replicas are to be placed anew"),
            );
        }
        stuck
    }

    /// Under one name per act: whoever decides the same from the same has it done once.
    fn order(&self, act: &[&[u8]]) -> Order {
        Order::of_node(self.node.tls.cluster(), &self.node.config.name, act)
    }
}

struct Busy<'a> {
    reconciler: &'a Reconciler,
    group: GroupId,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.reconciler.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.group);
    }
}

#[cfg(test)]
mod tests;
