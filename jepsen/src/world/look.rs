//! What a cluster shows of itself: who leads, whether it is whole, whether it has come to itself.

use proto::admin::{Group, GroupsRequest, admin_client::AdminClient};
use server::cluster::{
    ClusterError,
    admin::{self, ConnectError, OperatorFiles},
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    sync::Arc,
    time::{Duration, Instant},
};
use tonic::transport::Channel;

use super::{HEALS_WITHIN, World, WorldError};
use crate::{history::Leader, inject::Skipped};

/// How long a node may take to say how its groups are.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

impl World {
    /// The operator, at the doors of these nodes.
    ///
    /// # Errors
    /// The operator's files cannot be read.
    pub fn operator(&self, nodes: &[usize]) -> Result<Operator, WorldError> {
        let endpoints = self.net.endpoints(&self.cluster);
        let endpoints = nodes.iter().filter_map(|node| endpoints.get(*node).cloned()).collect();
        Operator::of(&self.cluster.operator(), endpoints)
    }

    /// How many bytes a node has logged.
    pub fn logged(&self, node: usize) -> u64 {
        self.cluster.nodes()[node].log().metadata().map_or(0, |about| about.len())
    }

    /// What a node has logged behind so many bytes.
    pub fn said(&self, node: usize, behind: u64) -> String {
        let mut new = Vec::new();
        let read = File::open(self.cluster.nodes()[node].log()).and_then(|mut log| {
            log.seek(SeekFrom::Start(behind))?;
            log.read_to_end(&mut new)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&new).into_owned(),
            Err(_) => String::new(),
        }
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
    /// harmed, and nothing else. Nodes that end meanwhile are started again. [`Skipped`] if it is not so within the
    /// time.
    ///
    /// # Errors
    /// A process cannot be started.
    pub async fn whole(&mut self, within: Duration) -> Result<Result<(), Skipped>, WorldError> {
        let until = Instant::now() + within;
        loop {
            self.supervise()?;
            let reason = match self.what_is_missing().await {
                None => return Ok(Ok(())),
                Some(reason) => reason,
            };
            if Instant::now() > until {
                let reason = format!("the cluster was not whole before it: {reason}");
                return Ok(Err(Skipped(reason)));
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

/// A cluster, as its operator sees it from outside.
#[derive(Clone)]
pub struct Operator {
    tls: Arc<rustls::ClientConfig>,
    endpoints: Vec<String>,
}

/// A state of a group: up to which entry, and its digest.
type State = BTreeMap<u32, (u64, Vec<u8>)>;

impl Operator {
    /// By the operator's files, and the nodes' public endpoints.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn of(files: &OperatorFiles, endpoints: Vec<String>) -> Result<Operator, WorldError> {
        let tls = admin::operator_tls(files).map_err(ClusterError::from)?;
        Ok(Operator { tls, endpoints })
    }

    /// Where it asks.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// A connection to one node.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn connect(&self, endpoint: &str) -> Result<AdminClient<Channel>, ConnectError> {
        admin::connect(endpoint, self.tls.clone()).await
    }

    async fn groups(&self, endpoint: &str) -> Option<Vec<Group>> {
        let asked = async {
            let mut admin = self.connect(endpoint).await.ok()?;
            Some(admin.groups(GroupsRequest { local: true }).await.ok()?.into_inner().groups)
        };
        tokio::time::timeout(ANSWERS_WITHIN, asked).await.ok()?
    }

    /// Who leads what, as the first node that answers knows.
    pub async fn leaders(&self) -> Vec<Leader> {
        for endpoint in &self.endpoints {
            if let Some(groups) = self.groups(endpoint).await {
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

    /// Waits until all nodes answer, and have the same state of every group.
    ///
    /// # Errors
    /// Not within the time; who differs or does not answer.
    pub async fn agree(&self, within: Duration) -> Result<(), String> {
        let until = Instant::now() + within;
        loop {
            let reason = match self.differ().await {
                None => return Ok(()),
                Some(reason) => reason,
            };
            if Instant::now() > until {
                return Err(reason);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn differ(&self) -> Option<String> {
        let mut first: Option<(&str, State)> = None;
        for endpoint in &self.endpoints {
            let Some(groups) = self.groups(endpoint).await else {
                return Some(format!("{endpoint} does not answer"));
            };
            let digests = groups.into_iter().map(|g| (g.id, (g.digest_index, g.digest)));
            let state: State = digests.collect();
            match &first {
                None => first = Some((endpoint, state)),
                Some((_, same)) if *same == state => {}
                Some((other, _)) => {
                    return Some(format!("{other} and {endpoint} have other digests"));
                }
            }
        }
        None
    }
}
