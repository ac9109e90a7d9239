//! What survivors do until the cluster is one again, from one start to the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::command::SystemCommand;
use store::rows::PlacementRow;
use tokio::time::sleep;
use types::{GroupId, NodeId, NodeState};

use crate::bounds::{self, check_leap};
use crate::error::chain;
use crate::fatal::End;
use crate::membership::act::Order;
use crate::membership::rule;
use crate::node::{Group, Inner};
use crate::recovery::mandate::Cut;
use crate::recovery::survey::{self, Standing, Survey};
use crate::recovery::{Mandate, membership_left, proof};
use crate::roster::Roster;
use crate::types::{Membership, Replica};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Carries the mandate out, if the node has one.
pub(crate) fn start(node: &Arc<Inner>) {
    let node = node.clone();
    node.clone().spawn(async move {
        let (mut said, mut told_all) = (String::new(), false);
        while let Some(mandate) = node.mandate() {
            if let Err(reason) = node.carry_out(&mandate, &mut told_all).await
                && said != reason
            {
                tracing::warn!(reason, "the recovery is not at its end");
                said = reason;
            }
            sleep(LOOK).await;
        }
    });
}

impl Inner {
    /// The next thing that has to be done. `told_all`: every survivor is known to have the decision.
    ///
    /// # Errors
    /// What it waits for.
    async fn carry_out(&self, mandate: &Mandate, told_all: &mut bool) -> Result<(), String> {
        let drives = self.id() == Some(mandate.driver);
        match &mandate.cuts {
            None if drives => self.decide(mandate).await,
            None => Err(format!("waits for node {} to decide", mandate.driver)),
            Some(_) => {
                // A survivor that is gone meanwhile, or has come to the end, keeps nobody from it.
                let told = match drives && !*told_all {
                    true => self.tell_survivors(mandate).await.map(|_| *told_all = true),
                    false => Ok(()),
                };
                self.settle_system(mandate).await.and(told)
            }
        }
    }

    /// Brings every survivor to hear no lost node any more, and then decides whose logs go on.
    async fn decide(&self, mandate: &Mandate) -> Result<(), String> {
        let surveys = self.tell_survivors(mandate).await?;
        let directory = self.config.directory.clone();
        let decided = Mandate { cuts: Some(decide(mandate, &surveys)?), ..mandate.clone() };
        // From here on there is no other decision: it is written down before anybody hears of it.
        let saved = tokio::task::spawn_blocking(move || decided.save(&directory)).await;
        saved.map_err(|error| error.to_string())?.map_err(|error| chain(&error))?;
        self.fatal.end(End::Again("the recovery is decided".to_owned()));
        Ok(())
    }

    /// Gives the mandate to every survivor; what they all have, once it is in force with all of them.
    async fn tell_survivors(&self, mandate: &Mandate) -> Result<BTreeMap<NodeId, Survey>, String> {
        let mut surveys = BTreeMap::new();
        for id in &mandate.survivors {
            let survey = if self.id() == Some(*id) {
                self.survey().await?
            } else {
                let bytes = Bytes::from(mandate.encode());
                self.ask_survivor(*id, bytes)
                    .await
                    .map_err(|reason| format!("node {id}: {reason}"))?
            };
            let undecided = mandate.cuts.is_some() && !survey.cut;
            if survey.plan != Some(mandate.plan) || undecided {
                return Err(format!("node {id} is about to start again with the mandate"));
            }
            surveys.insert(*id, survey);
        }
        Ok(surveys)
    }

    /// Has group 0 say what is now true, and in the end takes the mandate away.
    async fn settle_system(&self, mandate: &Mandate) -> Result<(), String> {
        let unavailable = |error: crate::error::ClusterError| error.to_string();
        let (facts, roster) = self.system().await.map_err(unavailable)?;
        let counts = |id: &NodeId| roster.get(*id).is_some_and(|node| node.state.counts());
        let still_counted: Vec<NodeId> = mandate.lost.iter().copied().filter(counts).collect();
        if still_counted.is_empty() && (!mandate.restores_rule || !facts.allow_single_dc()) {
            let directory = self.config.directory.clone();
            let removed = tokio::task::spawn_blocking(move || Mandate::remove(&directory)).await;
            removed.map_err(|error| error.to_string())?.map_err(|error| chain(&error))?;
            self.mandate.store(None);
            tracing::info!("the recovery has come to its end");
            return Ok(());
        }
        let leads = self.group(GroupId::SYSTEM).is_some_and(|group| group.raft.is_leader());
        if !leads {
            return Ok(());
        }
        if still_counted.is_empty() {
            if mandate.is_over(&facts.placements, &roster, &self.memberships()) {
                let order = mandate.order(0, b"spread");
                let strict = SystemCommand::AllowSingleDc(false);
                self.must(GroupId::SYSTEM, order, strict).await.map_err(unavailable)?;
            }
            return Ok(());
        }
        if mandate.restores_rule && !facts.allow_single_dc() {
            let order = mandate.order(0, b"one data centre");
            let allow = SystemCommand::AllowSingleDc(true);
            self.must(GroupId::SYSTEM, order, allow).await.map_err(unavailable)?;
        }
        for id in still_counted {
            let order = mandate.order(1, &id.0.to_be_bytes());
            let fence = SystemCommand::SetNodeState { node: id, state: NodeState::Fenced };
            self.must(GroupId::SYSTEM, order, fence).await.map_err(unavailable)?;
        }
        Ok(())
    }

    fn memberships(&self) -> Vec<Membership> {
        let groups = self.groups.borrow().clone();
        let membership =
            |group: &Arc<Group>| group.report().now().membership_config.membership().clone();
        groups.values().map(membership).collect()
    }
}

impl Mandate {
    /// Whether the rule of zero loss holds again, where the replicas are and where they are to be. It seems to
    /// hold also before the lost nodes have left: then it holds because of them.
    fn is_over(
        &self,
        placements: &BTreeMap<GroupId, PlacementRow>,
        roster: &Roster,
        memberships: &[Membership],
    ) -> bool {
        let is_lost = |id: &u64| self.lost.contains(&NodeId(*id));
        let placed = placements.values().all(|placed| {
            let nodes = placed.voters.iter().chain(&placed.learners);
            let dcs = placed.voters.iter().filter_map(|id| {
                roster.get(*id).map(|node| (id.0, Replica { dc: node.dc.clone() }))
            });
            let voters = placed.voters.iter().map(|id| id.0).collect();
            !nodes.map(|id| id.0).any(|id| is_lost(&id))
                && rule::check_sets(&[voters], &dcs.collect(), false).is_ok()
        });
        let there = memberships.iter().all(|membership| {
            !membership.nodes().any(|(id, _)| is_lost(id)) && rule::check(membership, false).is_ok()
        });
        placed && there
    }

    /// An act in the name of one of the operators, named by the plan.
    fn order(&self, operator: usize, act: &[u8]) -> Order {
        let operator = self.operators.get(operator).map_or("", String::as_str);
        Order::named(operator, &[b"recovery", &self.plan, act])
    }
}

/// Whose logs go on, and from where.
fn decide(mandate: &Mandate, surveys: &BTreeMap<NodeId, Survey>) -> Result<Vec<Cut>, String> {
    let survivors = mandate.survivors.iter().map(|id| id.0).collect();
    let mut cuts = Vec::new();
    for (group, standings) in survey::by_group(surveys) {
        let of_group = |reason: String| format!("group {group}: {reason}");
        let (node, membership) = proof::furthest(&standings).map_err(of_group)?;
        let sets = membership.get_joint_config();
        proof::nothing_is_lost(sets, &survivors).map_err(of_group)?;
        if proof::goes_on(sets, &survivors) {
            continue;
        }
        let term = term_above(&standings).map_err(of_group)?;
        cuts.push(Cut {
            group,
            node,
            term,
            after: standings.get(&node).and_then(|standing| standing.last),
            membership: membership_left(&membership, &survivors).map_err(of_group)?,
        });
    }
    Ok(cuts)
}

/// A term above every one that a survivor has voted in, and that every one of them will hear of.
fn term_above(standings: &BTreeMap<NodeId, Standing>) -> Result<u64, String> {
    let of = |(id, standing): (&NodeId, &Standing)| (standing.term, *id);
    let (highest, named_by) = standings.iter().map(of).max().unwrap_or_default();
    // Whoever has voted in none yet hears of any.
    let mut voted = standings.values().filter(|standing| standing.term > 0);
    let believed = voted.try_for_each(|standing| check_leap(standing.term, highest));
    believed.map_err(|leap| format!("node {named_by}: {leap}"))?;
    bounds::next(highest).ok_or_else(|| format!("node {named_by}: no term is above {highest}"))
}

#[cfg(test)]
mod tests;
