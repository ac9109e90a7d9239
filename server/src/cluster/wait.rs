//! Waiting for what a cluster should become. Each wait names its condition, and says at its
//! deadline what it last saw.

use super::{Cluster, ClusterError};
use proto::admin::{GroupsRequest, StatusReply, StatusRequest};
use std::{
    collections::BTreeSet,
    future::Future,
    time::{Duration, Instant},
};
use types::{GroupId, Slot, WalletId};

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

impl Cluster {
    /// Waits until a node answers its operator.
    ///
    /// # Errors
    /// Its process ends, or it does not answer in time.
    pub async fn wait_answering(&mut self, n: usize, within: Duration) -> Result<(), ClusterError> {
        let since = Instant::now();
        let mut seen = String::from("no answer yet");
        while since.elapsed() < within {
            if let Some(process) = self.node(n)?.process() {
                process.check_running()?;
            }
            match self.status(n).await {
                Ok(_) => return Ok(()),
                Err(error) => seen = error.to_string(),
            }
            tokio::time::sleep(LOOK).await;
        }
        let what = format!("answering: node {}", self.node(n)?.plan.name);
        Err(ClusterError::NotInTime { what, seen, waited: within })
    }

    /// Waits until every node that runs knows a leader of every group, and it is the same one.
    ///
    /// # Errors
    /// It did not come to that in time.
    pub async fn wait_settled(&self, within: Duration) -> Result<(), ClusterError> {
        let settled = || async {
            let mut views = BTreeSet::new();
            for n in self.running() {
                let status = self.status(n).await?;
                let leaders: Vec<(u32, String)> =
                    status.groups.iter().map(|group| (group.id, group.leader.clone())).collect();
                let full = status.bootstrapped && leaders.iter().all(|(_, name)| !name.is_empty());
                views.insert((full && !leaders.is_empty(), leaders));
            }
            let agreed = views.len() == 1 && views.iter().all(|(full, _)| *full);
            Ok(if agreed { None } else { Some(format!("leaders as seen by each node: {views:?}")) })
        };
        until("settled: one leader of every group, known to every node", within, settled).await
    }

    /// Waits until every node that runs has applied the same entries of every group and come to the
    /// same state digest, and gives the digests by group.
    ///
    /// # Errors
    /// It did not come to that in time. While writes go on it may never.
    pub async fn wait_equal(&self, within: Duration) -> Result<Vec<(u32, Vec<u8>)>, ClusterError> {
        let found = std::cell::RefCell::new(Vec::new());
        let equal = || async {
            let mut views = BTreeSet::new();
            for n in self.running() {
                let groups = self.admin(n).await?.groups(GroupsRequest { local: true }).await;
                let groups = groups.map_err(|status| self.refused(n, &status))?.into_inner().groups;
                let view: Vec<(u32, u64, Vec<u8>)> = groups
                    .into_iter()
                    .map(|group| (group.id, group.digest_index, group.digest))
                    .collect();
                views.insert(view);
            }
            let mut each = views.into_iter();
            match (each.next(), each.next()) {
                (Some(view), None) if !view.is_empty() => {
                    *found.borrow_mut() =
                        view.into_iter().map(|(group, _, digest)| (group, digest)).collect();
                    Ok(None)
                }
                (one, other) => Ok(Some(differences(&one, &other))),
            }
        };
        until("equal: the same state digest of every group on every node", within, equal).await?;
        Ok(found.into_inner())
    }

    /// The name of the node that leads a group, as some node that runs knows it.
    ///
    /// # Errors
    /// No leader was known in time.
    pub async fn wait_leader(&self, group: u32, within: Duration) -> Result<String, ClusterError> {
        let found = std::cell::RefCell::new(String::new());
        let known = || async {
            for n in self.running() {
                let status = self.status(n).await?;
                let leader = status.groups.into_iter().find(|known| known.id == group);
                // A node that is down may still be named by those that have not noticed.
                let running = |name: &str| self.find(name).is_some_and(|n| self.is_running(n));
                if let Some(leader) = leader.map(|group| group.leader).filter(|name| running(name))
                {
                    *found.borrow_mut() = leader;
                    return Ok(None);
                }
            }
            Ok(Some(String::from("no node names a leader that runs")))
        };
        until(&format!("led: group {group}"), within, known).await?;
        Ok(found.into_inner())
    }

    /// What one node knows about the cluster.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self, n: usize) -> Result<StatusReply, ClusterError> {
        let reply = self.admin(n).await?.status(StatusRequest { local: true }).await;
        Ok(reply.map_err(|status| self.refused(n, &status))?.into_inner())
    }

    /// The numbers of the nodes that have a process.
    pub fn running(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|n| self.is_running(*n)).collect()
    }

    fn is_running(&self, n: usize) -> bool {
        self.nodes.get(n).is_some_and(|node| node.process.is_some())
    }

    fn refused(&self, n: usize, status: &tonic::Status) -> ClusterError {
        let node = self.nodes.get(n).map_or_else(String::new, |node| node.plan.name.clone());
        ClusterError::Refused { node, message: status.message().to_owned() }
    }
}

/// The group that a wallet falls into in a cluster whose slots were never moved: bootstrap gives each
/// wallet group the same share of them, in order. A cluster without wallet groups counts as one with one:
/// there is none, and what is asked about it has no answer.
pub fn group_of(wallet: &WalletId, wallet_groups: u32) -> u32 {
    let slots_up_to = (u64::from(Slot::of(wallet).get()) + 1) * u64::from(wallet_groups.max(1));
    let before = (slots_up_to - 1) / u64::from(Slot::COUNT);
    // The quotient is below the number of groups, and so fits.
    GroupId::FIRST_WALLET.0.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
}

/// Looks at a condition until it says `None`; what it says instead is what was last seen. A node
/// that does not answer is something seen, not a failure of the wait.
async fn until<Look, Looked>(what: &str, within: Duration, look: Look) -> Result<(), ClusterError>
where
    Look: Fn() -> Looked,
    Looked: Future<Output = Result<Option<String>, ClusterError>>,
{
    let since = Instant::now();
    loop {
        let seen = match look().await {
            Ok(None) => return Ok(()),
            Ok(Some(seen)) => seen,
            Err(error @ (ClusterError::Connect(_) | ClusterError::Refused { .. })) => {
                error.to_string()
            }
            Err(error) => return Err(error),
        };
        if since.elapsed() > within {
            return Err(ClusterError::NotInTime { what: what.to_owned(), seen, waited: within });
        }
        tokio::time::sleep(LOOK).await;
    }
}

type View = Vec<(u32, u64, Vec<u8>)>;

fn differences(one: &Option<View>, other: &Option<View>) -> String {
    let (Some(one), Some(other)) = (one, other) else {
        return String::from("no groups yet");
    };
    let odd: Vec<String> = one
        .iter()
        .zip(other)
        .filter(|(a, b)| a != b)
        .map(|((group, a, _), (_, b, _))| format!("group {group} at {a} here and at {b} there"))
        .collect();
    format!("two replicas differ: {}", odd.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use types::LinkHash;

    #[test]
    fn every_number_of_groups_has_an_answer() {
        let wallets = [WalletId::ZERO, WalletId::from_bytes([0xff; WalletId::LEN])];
        for wallet in &wallets {
            for groups in [0, 1, 4, 4096] {
                assert!((2..=2 + groups.max(1)).contains(&group_of(wallet, groups)), "{groups}");
            }
            assert!(group_of(wallet, u32::MAX) >= 2);
        }
        let shares = (0..4).map(|n| group_of(&wallet_in(n * 1024), 4)).collect::<Vec<_>>();
        assert_eq!(shares, [2, 3, 4, 5]);
    }

    /// Some wallet of a slot.
    fn wallet_in(slot: u16) -> WalletId {
        let genesis =
            |n: u64| LinkHash::from_bytes([n.to_be_bytes(); 4].concat().try_into().unwrap());
        let mut wallets = (0..).map(|n| WalletId::of_genesis(0, &genesis(n)));
        wallets.find(|wallet| Slot::of(wallet).get() == slot).unwrap()
    }
}
