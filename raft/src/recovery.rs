//! Going on without data centres that are lost, where the nodes left are no majority.
//!
//! With two data centres every commit spans both, so the loss of one loses nothing and stops everything.
//! Only people can know that it will not come back; two operators say so, and the nodes left
//! (the survivors) go on alone. Two data centres that each take the other for lost would go on apart:
//! no program can tell, which is why no program decides it.
//!
//! Nothing acknowledged is lost, by this argument ([`proof`]). The lost nodes are no majority of any voter
//! set, so every majority that ever committed an entry has a survivor in it. The survivor whose last entry
//! has the highest term, and the highest index in that term, therefore has every committed entry (Raft,
//! section 5.4.1). The steps make that argument hold while they are taken, also when they are cut short:
//!
//! 1. Every survivor writes down the **mandate** ([`mandate`]): who is lost, who allowed it. It starts
//!    again, and from its first moment on hears no lost node: what the lost ones may still commit, they
//!    commit without it, which they cannot.
//! 2. The node that was asked looks at every survivor's disk, chooses the furthest for each group that has no
//!    majority left, and writes the choice into its mandate: from there on there is no other.
//! 3. Every survivor takes the choice over and starts again. The chosen one adds to its log one entry: the
//!    survivors are the membership. It has a term that no leader ever had, and is committed by the
//!    survivors as every entry is ([`cut`]).
//! 4. Group 0 allows that the voters stand where they do, and fences the lost nodes: their machines come back
//!    under new ids, without what they alone had. When the voters span data centres again, what was
//!    allowed is taken back ([`drive`]).
//!
//! Not here: who may ask for it (`api`).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use types::{GroupId, NodeId, NodeInfo, tagged, zero_loss};

use crate::error::{ClusterError, chain};
use crate::fatal::End;

use crate::node::start::identify;
use crate::node::{Inner, Node};
use crate::types::Membership;

pub(crate) mod cut;
pub(crate) mod drive;
pub(crate) mod mandate;
mod proof;
mod survey;

pub(crate) use mandate::Mandate;
use survey::Survey;

/// What going on without lost data centres would do, and why it loses nothing.
#[derive(Clone, Debug)]
pub struct RecoveryPlan {
    /// Names the plan: what is approved. It stays the same for as long as who is left, who is lost and
    /// who votes stays the same.
    pub id: [u8; 32],
    /// The nodes that go on.
    pub survivors: Vec<NodeInfo>,
    /// The survivor that looks and decides, and that has to be asked to begin.
    pub driver: NodeInfo,
    /// The nodes that do not count any more.
    pub lost: Vec<NodeInfo>,
    /// Every group.
    pub groups: Vec<GroupRecovery>,
    /// Whether the survivors alone can lose a data centre without losing what is acknowledged from then on.
    pub zero_loss: bool,
}

/// What becomes of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRecovery {
    /// The group.
    pub group: GroupId,
    /// Its voter sets now; two while voters change.
    pub voters: Vec<Vec<NodeId>>,
    /// Who votes afterwards; none if the group has a majority left and goes on by itself.
    pub then: Vec<NodeId>,
    /// The survivor whose log goes furthest, as far as can be seen now.
    pub furthest: NodeId,
    /// Index of the last entry of that log.
    pub last: Option<u64>,
}

impl Node {
    /// Plans to go on with the nodes of the data centres `surviving` alone. Changes nothing.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] when that is not possible without losing what was acknowledged, not needed,
    /// or a node of a lost data centre answers; [`ClusterError::Unavailable`] when a survivor does not.
    pub async fn plan_recovery(&self, surviving: &[String]) -> Result<RecoveryPlan, ClusterError> {
        let (parties, surveys) = self.inner.look_at_parties(surviving).await?;
        parties.plan(&surveys)
    }

    /// Goes on without the lost nodes of a plan, in the name of two operators. From here on there is no way
    /// back; what was begun goes on by itself, also after a restart of any survivor.
    ///
    /// # Errors
    /// As [`Node::plan_recovery`]; [`ClusterError::Refused`] when the plan that holds now is another one.
    pub async fn recover(
        &self,
        surviving: &[String],
        plan: [u8; 32],
        operators: [String; 2],
    ) -> Result<RecoveryPlan, ClusterError> {
        let (parties, surveys) = self.inner.look_at_parties(surviving).await?;
        let found = parties.plan(&surveys)?;
        if found.id != plan {
            return Err(ClusterError::Refused(
                "what would be done is not what was approved: look at the new plan, and approve that"
                    .to_owned(),
            ));
        }
        if self.inner.id() != Some(parties.driver.id) {
            return Err(ClusterError::Refused(format!("{} has to be asked", parties.driver.name)));
        }
        let mandate = Mandate {
            plan,
            operators,
            driver: parties.driver.id,
            survivors: parties.survivors.iter().map(|node| node.id).collect(),
            lost: parties.lost.iter().map(|node| node.id).collect(),
            restores_rule: !self.inner.facts.borrow().allow_single_dc() && !found.zero_loss,
            cuts: None,
        };
        self.inner.take_mandate(mandate).await?;
        Ok(found)
    }
}

/// Who is left and who is lost.
struct Parties {
    driver: NodeInfo,
    survivors: Vec<NodeInfo>,
    lost: Vec<NodeInfo>,
}

impl Parties {
    fn of(nodes: &[NodeInfo], surviving: &[String], own: NodeId) -> Result<Self, ClusterError> {
        let refused = |reason: String| Err(ClusterError::Refused(reason));
        let dcs: BTreeSet<&str> = nodes.iter().map(|node| node.dc.as_str()).collect();
        if let Some(unknown) = surviving.iter().find(|dc| !dcs.contains(dc.as_str())) {
            return refused(format!(
                "no node stands in a data centre called {unknown}: there are {dcs:?}"
            ));
        }
        let (survivors, lost): (Vec<_>, Vec<_>) =
            nodes.iter().cloned().partition(|node| surviving.contains(&node.dc));
        let driver = survivors.iter().min_by_key(|node| node.id).cloned();
        let driver = driver.filter(|_| survivors.iter().any(|node| node.id == own));
        let Some(driver) = driver else {
            return refused("ask a node of a surviving data centre".to_owned());
        };
        if lost.is_empty() {
            return refused("no data centre would be lost".to_owned());
        }
        Ok(Parties { driver, survivors, lost })
    }

    fn survivor_ids(&self) -> BTreeSet<u64> {
        self.survivors.iter().map(|node| node.id.0).collect()
    }

    fn plan(&self, surveys: &BTreeMap<NodeId, Survey>) -> Result<RecoveryPlan, ClusterError> {
        let survivors = self.survivor_ids();
        let mut groups = Vec::new();
        for (group, standings) in survey::by_group(surveys) {
            let (furthest, membership) =
                proof::furthest(&standings).map_err(|reason| refused_of(group, reason))?;
            proof::nothing_is_lost(membership.get_joint_config(), &survivors)
                .map_err(|reason| refused_of(group, reason))?;
            let goes_on = proof::goes_on(membership.get_joint_config(), &survivors);
            let then = if goes_on { Vec::new() } else { voters_left(&membership, &survivors) };
            groups.push(GroupRecovery {
                group,
                voters: sets(&membership),
                then: then.into_iter().map(NodeId).collect(),
                furthest,
                last: standings.get(&furthest).and_then(|standing| Some(standing.last?.index)),
            });
        }
        if groups.iter().all(|group| group.then.is_empty()) {
            return Err(ClusterError::Refused(
                "every group has a majority without the lost nodes: there is nothing to recover; `admin drain` \
                 and `admin remove` take them out"
                    .to_owned(),
            ));
        }
        let id = self.name_of(&groups);
        let zero_loss = zero_loss(self.survivors.iter().map(|node| &node.dc));
        Ok(RecoveryPlan {
            id,
            survivors: self.survivors.clone(),
            driver: self.driver.clone(),
            lost: self.lost.clone(),
            groups,
            zero_loss,
        })
    }

    /// Everything that decides what will happen, and nothing that changes while people think.
    fn name_of(&self, groups: &[GroupRecovery]) -> [u8; 32] {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for (kind, nodes) in [(1_u8, &self.survivors), (2, &self.lost)] {
            for node in nodes {
                let (id, life) = (node.id.0.to_be_bytes(), node.incarnation);
                parts.push([&[kind], id.as_slice(), life.as_bytes()].concat());
            }
        }
        for group in groups {
            let lists = group.voters.iter().chain([&group.then]);
            let lists = lists.flat_map(|list| {
                [(list.len() as u64).to_be_bytes()]
                    .into_iter()
                    .chain(list.iter().map(|id| id.0.to_be_bytes()))
            });
            parts.push(
                [vec![3], group.group.0.to_be_bytes().to_vec(), lists.collect::<Vec<_>>().concat()]
                    .concat(),
            );
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        tagged("holdfast/1 recovery plan", &parts)
    }
}

fn refused_of(group: GroupId, reason: String) -> ClusterError {
    ClusterError::Refused(format!("group {group}: {reason}"))
}

fn sets(membership: &Membership) -> Vec<Vec<NodeId>> {
    let sets = membership.get_joint_config().iter();
    sets.map(|set| set.iter().copied().map(NodeId).collect()).collect()
}

/// The voters of a membership that are left.
fn voters_left(membership: &Membership, survivors: &BTreeSet<u64>) -> Vec<u64> {
    let left: BTreeSet<u64> = membership.voter_ids().filter(|id| survivors.contains(id)).collect();
    left.into_iter().collect()
}

/// The membership that the survivors go on with: they vote if they did, and else learn.
fn membership_left(
    membership: &Membership,
    survivors: &BTreeSet<u64>,
) -> Result<Membership, String> {
    let voters: BTreeSet<u64> = voters_left(membership, survivors).into_iter().collect();
    let nodes: BTreeMap<u64, _> = membership
        .nodes()
        .filter(|(id, _)| survivors.contains(id))
        .map(|(id, replica)| (*id, replica.clone()))
        .collect();
    Membership::new(vec![voters], nodes).map_err(|error| error.to_string())
}

impl Inner {
    async fn look_at_parties(
        &self,
        surviving: &[String],
    ) -> Result<(Parties, BTreeMap<NodeId, Survey>), ClusterError> {
        let own = self
            .id()
            .ok_or_else(|| ClusterError::Refused("this node is in no cluster".to_owned()))?;
        if self.mandate().is_some() {
            return Err(ClusterError::Refused(
                "a recovery is under way, or its data centre is not back yet: see `admin status`"
                    .to_owned(),
            ));
        }
        let counted: Vec<NodeInfo> =
            self.roster.load().nodes().filter(|node| node.state.counts()).cloned().collect();
        let parties = Parties::of(&counted, surviving, own)?;
        self.are_silent(parties.lost.iter()).await?;
        let mut surveys = BTreeMap::new();
        for node in &parties.survivors {
            let survey = if node.id == own {
                self.survey().await.map_err(ClusterError::Unavailable)?
            } else {
                self.ask_survivor(node.id, Bytes::new()).await.map_err(|reason| {
                    ClusterError::Unavailable(format!(
                        "{}: {reason}; every node of the surviving data centres has to answer, and be sound",
                        node.name
                    ))
                })?
            };
            let heard = parties.lost.iter().find(|lost| survey.hears.contains(&lost.id));
            if let Some(lost) = heard {
                return Err(ClusterError::Refused(format!(
                    "{} has heard of {} in the last few seconds: its data centre is not lost, or not for long",
                    node.name, lost.name
                )));
            }
            surveys.insert(node.id, survey);
        }
        Ok((parties, surveys))
    }

    /// Whether nobody of those that are to be lost answers. Whoever answers is not lost.
    async fn are_silent(&self, lost: impl Iterator<Item = &NodeInfo>) -> Result<(), ClusterError> {
        let asked =
            lost.map(|node| async move { (node, identify(&self.host, &node.peer).await.is_ok()) });
        for (node, answers) in futures::future::join_all(asked).await {
            if answers {
                return Err(ClusterError::Refused(format!(
                    "{} in {} answers: its data centre is not lost; stop its nodes first if it has to be given up",
                    node.name, node.dc
                )));
            }
        }
        Ok(())
    }

    /// The mandate in force, if there is one.
    pub(crate) fn mandate(&self) -> Option<std::sync::Arc<Mandate>> {
        self.mandate.load_full()
    }

    /// Writes a mandate down, and has the process begin again with it. Content if it did already.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] if another one stands, or this node has no part in it.
    pub(crate) async fn take_mandate(&self, mandate: Mandate) -> Result<(), ClusterError> {
        let _one = self.adopting.lock().await;
        let refused = |reason: &str| Err(ClusterError::Refused(reason.to_owned()));
        let roster = self.roster.load_full();
        if !self.id().is_some_and(|own| mandate.survivors.contains(&own)) {
            return refused("the mandate is not for this node");
        }
        match self.mandate() {
            Some(stands) if stands.plan != mandate.plan => {
                return refused("another recovery stands here");
            }
            Some(stands) if stands.cuts.is_some() || mandate.cuts.is_none() => return Ok(()),
            Some(_) => {}
            // It was decided when every survivor had it: this one has carried it out since.
            None if mandate.cuts.is_some() => return refused("that recovery is over here"),
            None if !mandate.divides(&roster) => {
                return refused(
                    "the mandate does not divide the nodes into survivors and lost ones",
                );
            }
            None => {
                let lost = mandate.lost.iter().filter_map(|id| roster.get(*id));
                self.are_silent(lost).await?;
            }
        }
        let directory = self.config.directory.clone();
        let lost = mandate.lost.len();
        let saved = tokio::task::spawn_blocking(move || mandate.save(&directory)).await;
        let unsaved =
            |reason: String| ClusterError::Unavailable(format!("keep the mandate: {reason}"));
        saved
            .map_err(|error| unsaved(error.to_string()))?
            .map_err(|error| unsaved(chain(&error)))?;
        self.fatal.end(End::Again(format!("the cluster goes on without {lost} lost nodes")));
        Ok(())
    }
}
