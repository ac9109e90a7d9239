//! What a cluster shows of itself: who leads, whether it is whole, whether it has come to itself.

use proto::admin::{Group, GroupsRequest};
use server::cluster::{ClusterError, admin};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{HEALS_WITHIN, World, WorldError};
use crate::{history::Leader, inject::Skipped};

impl World {
    /// Whom to ask who leads.
    ///
    /// # Errors
    /// The operator's files cannot be read.
    pub fn leaders(&self) -> Result<Leaders, WorldError> {
        let tls = admin::operator_tls(&self.cluster.operator()).map_err(ClusterError::from)?;
        Ok(Leaders { tls, endpoints: self.net.endpoints(&self.cluster) })
    }

    /// Every group, as some node that answers sees it.
    pub async fn groups(&self) -> Vec<Group> {
        for node in self.members() {
            if self.pid(node).is_none() {
                continue;
            }
            let asked = async {
                let mut admin = self.cluster.admin(node).await.ok()?;
                let request = GroupsRequest { local: true };
                Some(admin.groups(request).await.ok()?.into_inner().groups)
            };
            let answer = tokio::time::timeout(Duration::from_secs(1), asked).await;
            if let Ok(Some(groups)) = answer
                && groups.iter().any(|group| !group.leader.is_empty())
            {
                return groups;
            }
        }
        Vec::new()
    }

    /// The node that leads a group, as far as anybody says.
    pub async fn leader(&self, group: u32) -> Option<usize> {
        let groups = self.groups().await;
        let leader = &groups.iter().find(|found| found.id == group)?.leader;
        self.cluster.find(leader)
    }

    /// Waits until every member has a vote in every group, and none is being repaired: then one of them may be
    /// harmed, and nothing else.
    ///
    /// # Errors
    /// Not within the time.
    pub async fn whole(&self, within: Duration) -> Result<(), Skipped> {
        let until = Instant::now() + within;
        loop {
            let reason = match self.what_is_missing().await {
                None => return Ok(()),
                Some(reason) => reason,
            };
            if Instant::now() > until {
                return Err(Skipped(format!("the cluster was not whole before it: {reason}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn what_is_missing(&self) -> Option<String> {
        let members = self.members();
        for node in &members {
            let name = self.name(*node);
            match self.cluster.status(*node).await {
                Err(error) => return Some(format!("{name}: {error}")),
                Ok(status) if !status.repair.is_empty() => {
                    return Some(format!("{name}: {}", status.repair));
                }
                Ok(status) if status.groups.iter().any(|group| group.leader.is_empty()) => {
                    return Some(format!("{name} does not know every leader"));
                }
                Ok(_) => {}
            }
        }
        let groups = self.groups().await;
        let voters =
            |group: &Group| group.replicas.iter().filter(|replica| replica.kind == "voter").count();
        let small = groups.iter().find(|group| voters(group) != members.len());
        small.map(|group| format!("group {} has {} voters", group.id, voters(group)))
    }

    /// Waits until every node answers and every group is led.
    ///
    /// # Errors
    /// Not within the bound; what was seen last.
    pub async fn settle(&mut self) -> Result<(), WorldError> {
        let until = Instant::now() + HEALS_WITHIN;
        for node in self.members() {
            loop {
                self.supervise()?;
                let left = until.saturating_duration_since(Instant::now());
                let patience = left.min(Duration::from_secs(5)).max(Duration::from_millis(100));
                match self.cluster.wait_answering(node, patience).await {
                    Ok(()) => break,
                    Err(error) if left.is_zero() => return Err(error.into()),
                    Err(_) => {}
                }
            }
        }
        self.cluster.wait_settled(until.saturating_duration_since(Instant::now())).await?;
        Ok(())
    }
}

/// Who leads what, as nodes say.
pub struct Leaders {
    tls: Arc<rustls::ClientConfig>,
    endpoints: Vec<String>,
}

impl Leaders {
    /// What the first node that answers knows.
    pub async fn ask(&self) -> Vec<Leader> {
        for endpoint in &self.endpoints {
            let asked = async {
                let mut admin = admin::connect(endpoint, self.tls.clone()).await.ok()?;
                let request = GroupsRequest { local: true };
                Some(admin.groups(request).await.ok()?.into_inner().groups)
            };
            if let Ok(Some(groups)) = tokio::time::timeout(Duration::from_millis(500), asked).await
            {
                let leader = |group: Group| Leader {
                    group: group.id.into(),
                    node: (!group.leader.is_empty()).then_some(group.leader),
                    term: group.term,
                };
                return groups.into_iter().map(leader).collect();
            }
        }
        Vec::new()
    }
}
