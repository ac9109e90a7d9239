//! How the cluster is, in the words of `admin.proto`.

use std::collections::BTreeMap;

use futures::future::join_all;
use proto::admin;
use proto::peer::DescribeReply;
use raft::{GroupStatus, NodeStatus, ReplicaStatus};
use store::rows::BackupRow;
use types::{GroupId, NodeId, NodeInfo, NodeState, zero_loss};

use crate::Shared;

/// What is known about all nodes: from this one, and from those that answered.
pub(crate) struct Report {
    own: Option<NodeId>,
    status: NodeStatus,
    /// The last backups: taken, and compared.
    backups: [Option<BackupRow>; 2],
    level: u8,
    described: BTreeMap<NodeId, DescribeReply>,
}

impl Report {
    /// Looks around. With `local`, only this node's door is described.
    pub(crate) async fn make(inner: &Shared, local: bool) -> Self {
        let node = inner.vault.node();
        let own = node.identity().place.map(|place| place.node);
        let nodes = node.nodes().into_iter();
        let others = nodes.filter(|node| !local && Some(node.id) != own && node.state.counts());
        let asked = join_all(
            others.map(|node| async move { (node.id, inner.forwarder.describe(node.id).await) }),
        );
        let (status, answers) = futures::future::join(node.status(), asked).await;
        let mut described: BTreeMap<_, _> =
            answers.into_iter().filter_map(|(id, said)| Some((id, said?))).collect();
        if let Some(own) = own {
            described.insert(own, inner.describe());
        }
        let backups = backups(inner);
        Self { own, status, backups, level: node.level(), described }
    }

    /// Everything.
    pub(crate) fn status(&self, locked: bool) -> admin::StatusReply {
        admin::StatusReply {
            cluster: self
                .status
                .cluster
                .map_or_else(Vec::new, |cluster| cluster.as_bytes().to_vec()),
            node: self.status.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            bootstrapped: self.status.cluster.is_some(),
            locked,
            zero_loss: Some(self.zero_loss()),
            self_healing: Some(self.self_healing()),
            nodes: self.nodes(),
            groups: self.groups(),
            backup_taken: self.backups[0].map(note),
            backup_verified: self.backups[1].map(note),
            format_level: self.level.into(),
            repair: self.status.repair.clone().unwrap_or_default(),
            disk_low: self.status.disk_is_low,
            repairs: self.repairs(),
        }
    }

    /// How far the cluster is with nodes that it fenced.
    fn repairs(&self) -> Vec<String> {
        let fenced = self.status.nodes.iter().filter(|node| node.state == NodeState::Fenced);
        let progress = fenced.map(|node| {
            let counts_on = |status: &&GroupStatus| {
                status.replicas.iter().any(|replica| replica.node == node.id)
            };
            let left: Vec<String> = self
                .status
                .groups
                .iter()
                .filter(counts_on)
                .map(|status| status.group.to_string())
                .collect();
            let state = match left.as_slice() {
                [] => "no group counts on it; its machine comes back under another id".to_owned(),
                left => {
                    format!("its replicas of groups {} are being placed elsewhere", left.join(", "))
                }
            };
            format!("node {} ({}) is fenced: {state}", node.id, node.name)
        });
        progress.collect()
    }

    /// Every node that was ever registered.
    pub(crate) fn nodes(&self) -> Vec<admin::Node> {
        self.status.nodes.iter().map(|node| self.node(node)).collect()
    }

    /// The node of this id.
    pub(crate) fn node_of(&self, id: NodeId) -> Option<admin::Node> {
        self.status.nodes.iter().find(|node| node.id == id).map(|node| self.node(node))
    }

    /// Every group.
    pub(crate) fn groups(&self) -> Vec<admin::Group> {
        self.status.groups.iter().map(|group| self.group(group)).collect()
    }

    fn node(&self, node: &NodeInfo) -> admin::Node {
        admin::Node {
            id: node.id.0,
            name: node.name.clone(),
            dc: node.dc.clone(),
            role: node.role.to_string(),
            peer: node.peer.clone(),
            endpoint: node.endpoint.clone(),
            state: node.state.to_string(),
            reachable: self.described.contains_key(&node.id),
        }
    }

    fn group(&self, group: &GroupStatus) -> admin::Group {
        let own = self.own.map_or((Vec::new(), 0), |own| self.digest(own, group.group));
        admin::Group {
            id: group.group.0,
            leader: group.leader.map_or_else(String::new, |leader| self.name(leader)),
            term: group.term,
            committed: group.committed.unwrap_or(0),
            applied: group.applied_here.unwrap_or(0),
            replicas: group
                .replicas
                .iter()
                .map(|replica| self.replica(group.group, replica))
                .collect(),
            zero_loss: zero_loss(voters(group).map(|voter| &voter.dc)),
            digest: own.0,
            digest_index: own.1,
        }
    }

    fn replica(&self, group: GroupId, replica: &ReplicaStatus) -> admin::Replica {
        let (digest, digest_index) = self.digest(replica.node, group);
        admin::Replica {
            node: replica.node.0,
            name: self.name(replica.node),
            dc: replica.dc.clone(),
            kind: if replica.voter { "voter" } else { "learner" }.to_owned(),
            lag: replica.lag,
            digest,
            digest_index,
        }
    }

    fn digest(&self, node: NodeId, group: GroupId) -> (Vec<u8>, u64) {
        let said = self.described.get(&node);
        let digest =
            said.and_then(|said| said.digests.iter().find(|digest| digest.group == group.0));
        digest.map_or((Vec::new(), 0), |digest| (digest.digest.to_vec(), digest.index))
    }

    fn name(&self, id: NodeId) -> String {
        let node = self.status.nodes.iter().find(|node| node.id == id);
        node.map_or_else(|| format!("node {id}"), |node| node.name.clone())
    }

    fn zero_loss(&self) -> admin::Promise {
        match &self.status.zero_loss {
            Ok(()) => {
                held("every majority of every group's voters spans at least two data centres")
            }
            Err(reason) => broken(reason.clone()),
        }
    }

    /// Whether nobody is needed when a node fails.
    pub(crate) fn is_self_healing(&self) -> bool {
        self.self_healing().held
    }

    /// The same, with the reason.
    fn self_healing(&self) -> admin::Promise {
        if self.status.cluster.is_none() {
            return broken("the node belongs to no cluster");
        }
        if let Some((group, reason)) = self.status.stuck.iter().next() {
            return broken(format!("group {group} cannot be put in order: {reason}"));
        }
        for group in &self.status.groups {
            let voters = voters(group).count();
            if voters < 3 {
                return broken(format!(
                    "group {} has {voters} voters: the loss of one stops it until it is back",
                    group.group
                ));
            }
        }
        let needs_somebody =
            |(id, said): (&NodeId, &DescribeReply)| (!said.opens_unattended).then_some(*id);
        if let Some(id) = self.described.iter().find_map(needs_somebody) {
            return broken(format!(
                "node {} needs a person to open its epoch key when it starts",
                self.name(id)
            ));
        }
        held(
            "every group survives the loss of a node, and every node that answers opens its epoch key by itself",
        )
    }
}

fn voters(group: &GroupStatus) -> impl Iterator<Item = &ReplicaStatus> {
    group.replicas.iter().filter(|replica| replica.voter)
}

fn held(reason: impl Into<String>) -> admin::Promise {
    admin::Promise { held: true, reason: reason.into() }
}

fn broken(reason: impl Into<String>) -> admin::Promise {
    admin::Promise { held: false, reason: reason.into() }
}

/// The last backup that was taken, and the last that was compared, as far as this node knows.
pub(crate) fn backups(inner: &Shared) -> [Option<BackupRow>; 2] {
    let Ok(system) = inner.vault.node().replica(GroupId::SYSTEM) else { return [None; 2] };
    [false, true].map(|verified| system.backup(verified).ok().flatten())
}

fn note(backup: BackupRow) -> admin::BackupNote {
    admin::BackupNote { backup: backup.backup.to_vec(), time_ms: backup.time_ms }
}
