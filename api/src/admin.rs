//! What operators do to the cluster, and what they are told of it.
//!
//! An act is an order under the operator's name and a request id: group 0 keeps the receipt, so a
//! repetition has no second effect, and an audit leaf in the same entry. What moves leaders and
//! replicas is `raft`'s; here is who may ask, and in which words it is told.

use std::sync::Arc;
use std::time::Duration;

use ::http::uri::Authority;
use raft::{NewCluster, Order};
use rand::Rng;
use store::Caller;
use tokio::sync::Semaphore;
use types::{ClusterId, GroupId, NodeId, NodeInfo, NodeState, RequestId, Role, Secret};

use crate::Shared;
use crate::auth::Operator;
use crate::keys::KeySourceError;
use crate::vault::VaultError;

pub(crate) mod backup;
pub(crate) mod recovery;
pub(crate) mod report;

/// Wallet groups of a new cluster, unless told otherwise.
const WALLET_GROUPS: u32 = 16;

/// The acts of operators on one node.
pub(crate) struct Acts {
    inner: Shared,
    /// Opening a key costs much memory: one at a time.
    unlocking: Semaphore,
    exporting: Arc<Semaphore>,
    approvals: recovery::Approvals,
}

/// A cluster as an operator asks for it.
pub(crate) struct Begin {
    /// Peer addresses of its first nodes.
    pub peers: Vec<String>,
    /// How many groups hold wallets; 0: the usual number.
    pub wallet_groups: u32,
    /// The region of its wallets.
    pub region: u8,
    /// Whether voters may be such that the loss of one data centre can lose acknowledged writes.
    pub allow_single_dc: bool,
}

impl Acts {
    /// On this node.
    pub(crate) fn new(inner: Shared) -> Self {
        let exporting = Arc::new(Semaphore::new(backup::EXPORTS));
        let approvals = recovery::Approvals::default();
        Self { inner, unlocking: Semaphore::new(1), exporting, approvals }
    }

    /// Forms a cluster out of fresh nodes.
    ///
    /// # Errors
    /// As every act: [`VaultError::Refused`] if it must not be, [`VaultError::Unfinished`] if it may be
    /// repeated.
    pub(crate) async fn bootstrap(
        &self,
        operator: &Operator,
        begin: Begin,
    ) -> Result<ClusterId, VaultError> {
        begin.peers.iter().try_for_each(|peer| check_address(peer))?;
        let new = NewCluster {
            peers: begin.peers,
            wallet_groups: if begin.wallet_groups == 0 {
                WALLET_GROUPS
            } else {
                begin.wallet_groups
            },
            regions: vec![begin.region],
            allow_single_dc: begin.allow_single_dc,
            policy: store::Policy::default(),
        };
        // The draft on the asked node's disk, not the name of the order, makes a repetition harmless.
        let order = self.order(operator, &[])?;
        Ok(self.inner.vault.node().bootstrap(order, &new).await?)
    }

    /// Takes a fresh node in.
    ///
    /// # Errors
    /// As [`Acts::bootstrap`].
    pub(crate) async fn join(
        &self,
        operator: &Operator,
        request: &[u8],
        peer: &str,
    ) -> Result<NodeId, VaultError> {
        check_address(peer)?;
        Ok(self.inner.vault.node().join(self.order(operator, request)?, peer).await?)
    }

    /// Empties a node, and waits for that at most `patience`.
    ///
    /// # Errors
    /// As [`Acts::bootstrap`].
    pub(crate) async fn drain(
        &self,
        operator: &Operator,
        request: &[u8],
        name: &str,
        patience: Duration,
    ) -> Result<(), VaultError> {
        let node = self.named(name)?;
        Ok(self.inner.vault.node().drain(self.order(operator, request)?, node.id, patience).await?)
    }

    /// Empties a node, and removes it for ever.
    ///
    /// # Errors
    /// As [`Acts::bootstrap`].
    pub(crate) async fn remove(
        &self,
        operator: &Operator,
        request: &[u8],
        name: &str,
        patience: Duration,
    ) -> Result<(), VaultError> {
        let node = self.named(name)?;
        Ok(self
            .inner
            .vault
            .node()
            .remove(self.order(operator, request)?, node.id, patience)
            .await?)
    }

    /// Makes the node called `to` the leader of a group; any other able one if the name is empty.
    ///
    /// # Errors
    /// As [`Acts::bootstrap`].
    pub(crate) async fn transfer(&self, group: GroupId, to: &str) -> Result<(), VaultError> {
        let node = self.inner.vault.node();
        if !node.groups().contains(&group) {
            return Err(VaultError::NoSuchGroup(group));
        }
        let to = if to.is_empty() { self.successor(group).await? } else { self.named(to)?.id };
        Ok(node.transfer(group, to).await?)
    }

    /// Opens this node's epoch key.
    ///
    /// # Errors
    /// [`VaultError::Passphrase`]; [`VaultError::Refused`] if there is nothing to open.
    pub(crate) async fn unlock(
        &self,
        operator: &Operator,
        passphrase: Secret,
    ) -> Result<(), VaultError> {
        let _turn = self.unlocking.acquire().await;
        let keys = Arc::clone(&self.inner.keys);
        let opened = tokio::task::spawn_blocking(move || keys.open(&passphrase)).await;
        match opened {
            Ok(Ok(key)) => {
                self.inner.vault.keyring().unlock(key);
                tracing::info!(operator = operator.name(), "unlocked");
                Ok(())
            }
            Ok(Err(KeySourceError::Passphrase)) => Err(VaultError::Passphrase),
            Ok(Err(KeySourceError::NoneNeeded)) => {
                Err(VaultError::Refused(KeySourceError::NoneNeeded.to_string()))
            }
            Ok(Err(error @ KeySourceError::Unreadable(_))) => {
                Err(VaultError::broken("unlock", &error))
            }
            Err(error) => Err(VaultError::broken("unlock", &error)),
        }
    }

    fn order(&self, operator: &Operator, request: &[u8]) -> Result<Order, VaultError> {
        let name = format!("spiffe://{}/operator/{}", self.inner.trust_domain, operator.name());
        let request = if request.is_empty() {
            let mut fresh = [0; RequestId::LEN];
            rand::rng().fill_bytes(&mut fresh);
            RequestId::from_bytes(fresh)
        } else {
            RequestId::parse(request)?
        };
        tracing::info!(operator = operator.name(), %request, "an operator acts");
        Ok(Order { caller: Caller::named(&name), request })
    }

    fn named(&self, name: &str) -> Result<NodeInfo, VaultError> {
        let nodes = self.inner.vault.node().nodes();
        // A name may have been another node's before: the one that is in service is meant.
        let (removed, serving): (Vec<_>, Vec<_>) = nodes
            .into_iter()
            .filter(|node| node.name == name)
            .partition(|node| node.state == NodeState::Removed);
        let found = serving.into_iter().next().or(removed.into_iter().next_back());
        found.ok_or_else(|| VaultError::NoSuchNode(name.to_owned()))
    }

    /// The voter of a group that is least behind, besides its leader.
    async fn successor(&self, group: GroupId) -> Result<NodeId, VaultError> {
        let node = self.inner.vault.node();
        let able = |id: NodeId| {
            node.node(id)
                .is_some_and(|node| node.state == NodeState::Active && node.role == Role::Data)
        };
        let status = node.status().await.groups.into_iter().find(|status| status.group == group);
        let status = status.ok_or(VaultError::NoSuchGroup(group))?;
        let others = status.replicas.iter().filter(|replica| {
            replica.voter && Some(replica.node) != status.leader && able(replica.node)
        });
        let found = others
            .min_by_key(|replica| replica.lag.unwrap_or(u64::MAX))
            .map(|replica| replica.node);
        found.ok_or_else(|| {
            VaultError::Refused(format!("nobody but its leader can lead group {group}"))
        })
    }
}

/// Whether a node can be asked under this address at all.
fn check_address(peer: &str) -> Result<(), VaultError> {
    let address: Option<Authority> = peer.parse().ok();
    let whole = address.filter(|address| {
        !address.host().is_empty() && address.port_u16().is_some_and(|port| port > 0)
    });
    match whole {
        Some(address) if !address.as_str().contains('@') => Ok(()),
        _ => Err(VaultError::Malformed(format!(
            "a peer's address is HOST:PORT, as 10.0.0.1:7601, not {peer:?}"
        ))),
    }
}
