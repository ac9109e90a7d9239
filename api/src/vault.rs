//! The vault: what may be done with wallets, free of any transport.
//!
//! A push is checked, wrapped and proposed; a pull is a fresh state, read and unwrapped. One use case,
//! one file. Whoever comes in through whichever door ends up here, so a rule stands in one place.
//!
//! Not here: how requests travel and how long they may take (`grpc`), who an operator is (`auth`), what
//! operators do to the cluster (`admin`).

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use raft::Node;
use seal::ServerKeyring;
use store::Reader;
use tokio::sync::Semaphore;
use types::{GroupId, Locator, Role, WalletId};

use crate::auth::rate::KeyedRate;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::shed::Keyed;

mod code;
mod error;
mod judge;
mod links;
mod nonce;
mod outer;
mod pull;
mod push;
mod quota;
mod recover;
mod session;
mod watch;

pub use code::Code;
pub use error::VaultError;
pub use links::Links;
pub use nonce::Nonce;
pub use pull::{Freshness, Held, Part, Pull};
pub use push::Pushed;
pub use session::{Invitation, Opened};
pub use watch::Watch;

use nonce::Nonces;

/// The use cases of one node.
pub struct Vault {
    node: Node,
    keyring: Arc<ServerKeyring>,
    policy: Policy,
    clock: Clock,
    metrics: Metrics,
    nonces: Nonces,
    recoveries: KeyedRate<Locator>,
    /// Pushes being replicated.
    pushes: Keyed<WalletId>,
    /// Work that takes a processor for long: as much at a time as there are processors.
    apart: Semaphore,
}

impl Vault {
    /// On a node, with the keys that it may come to hold.
    pub fn new(
        node: Node,
        keyring: Arc<ServerKeyring>,
        policy: Policy,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        let limits = policy.limits;
        Self {
            node,
            keyring,
            clock,
            metrics,
            nonces: Nonces::new(limits.challenges),
            recoveries: KeyedRate::new(limits.recovery, limits.recovery_per_locator),
            pushes: Keyed::new("pushes of this wallet", limits.pushes_per_wallet),
            apart: Semaphore::new(available_parallelism().map_or(1, usize::from)),
            policy,
        }
    }

    /// Its node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The keys it holds.
    pub fn keyring(&self) -> &Arc<ServerKeyring> {
        &self.keyring
    }

    /// Where it has the time from.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The public endpoint of the node that leads a wallet's group; empty if that is this node, or is
    /// not known.
    pub fn leader_hint(&self, wallet: &WalletId) -> String {
        let leader = self.node.group_of(wallet).and_then(|group| self.node.leader(group));
        let own = self.node.identity().place.map(|place| place.node);
        leader
            .filter(|leader| Some(leader.id) != own)
            .map_or_else(String::new, |leader| leader.endpoint)
    }

    /// Refuses on a node that serves no wallets: a witness, one without a key to wrap and open with, or
    /// one that does not know yet which there are.
    fn serves(&self) -> Result<(), VaultError> {
        if self.node.config().role == Role::Witness {
            Err(VaultError::Unavailable("a witness serves no wallets: ask a data node"))
        } else if self.keyring.is_locked() {
            Err(VaultError::Locked)
        } else if self.node.identity().place.is_none() {
            Err(VaultError::NoCluster)
        } else if !self.node.knows_cluster() {
            Err(VaultError::Unavailable("this node is starting"))
        } else {
            Ok(())
        }
    }

    /// The group in which a wallet lives.
    fn group_of(&self, wallet: &WalletId) -> Result<GroupId, VaultError> {
        match self.node.group_of(wallet) {
            Some(group) => Ok(group),
            None => {
                self.serves()?;
                Err(VaultError::Region(wallet.region()))
            }
        }
    }

    /// Refuses on a node that does not lead the group.
    fn leads(&self, group: GroupId) -> Result<(), VaultError> {
        if self.node.is_leader(group) {
            return Ok(());
        }
        Err(VaultError::NotLeader { leader: self.node.leader(group).map(Box::new) })
    }

    /// The state of a group, with everything acknowledged before the call in it.
    async fn read(&self, group: GroupId) -> Result<Reader, VaultError> {
        whole(self.node.read(group).await?)
    }

    /// The state of a group, with everything acknowledged until `max_age` ago in it.
    async fn read_recent(&self, group: GroupId, max_age: Duration) -> Result<Reader, VaultError> {
        whole(self.node.read_recent(group, max_age).await?)
    }

    /// Runs work that may take milliseconds apart from the threads that serve connections.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let _turn = self.apart.acquire().await;
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => Err(VaultError::broken("work apart from the runtime", &error)),
        }
    }
}

/// Refuses half a backup.
fn whole(reader: Reader) -> Result<Reader, VaultError> {
    if reader.restoring()? { Err(VaultError::Restoring) } else { Ok(reader) }
}
