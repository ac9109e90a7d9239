//! Watches: a pull, and then another whenever the head has moved.
//!
//! A watch shows only what its member may see at the time. Beside the pulls runs a guard that looks the
//! member up at a fresh state, often enough that a revocation, a lost majority or a locked node ends
//! the watch within a second, whatever else the watch is doing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use types::{GroupId, HeadHash};

use super::Vault;
use super::error::VaultError;
use super::pull::{Freshness, Held, Pull, RECENT};
use super::session::reading;
use crate::auth::Caller;

/// How often the guard looks, and how old the state may be in which it does.
const GUARD: Duration = Duration::from_millis(250);
/// The least time between two looks at whether the head has moved: changes of other wallets of the
/// group wake a watch too.
const REST: Duration = Duration::from_millis(20);

/// One watch of one member.
pub struct Watch {
    vault: Arc<Vault>,
    caller: Caller,
    group: GroupId,
    held: Held,
}

impl Vault {
    /// Begins a watch. Its first pull shows what changed since `held`, like any pull.
    ///
    /// # Errors
    /// As [`Vault::pull`].
    pub async fn watch(
        self: &Arc<Self>,
        caller: &Caller,
        held: Held,
        freshness: Freshness,
    ) -> Result<(Watch, Pull), VaultError> {
        let pull = self.pull(caller, held, freshness).await?;
        let group = self.group_of(&held.wallet)?;
        let mut watch = Watch { vault: Arc::clone(self), caller: caller.clone(), group, held };
        watch.shown(&pull);
        Ok((watch, pull))
    }

    /// Comes back, with the reason, within a second after the member may not read any more or this
    /// node can no longer know.
    pub async fn guard(&self, caller: &Caller) -> VaultError {
        let mut ticks = interval(GUARD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut fresh_at = Instant::now();
        loop {
            ticks.tick().await;
            let looked_at = Instant::now();
            match timeout_at(fresh_at + RECENT, self.may_still_read(caller)).await {
                Ok(Ok(())) => fresh_at = looked_at.checked_sub(GUARD).unwrap_or(looked_at),
                Ok(Err(refused)) => return refused,
                Err(_) => {
                    return VaultError::Unavailable(
                        "no majority confirmed in time that the member may still read",
                    );
                }
            }
        }
    }

    async fn may_still_read(&self, caller: &Caller) -> Result<(), VaultError> {
        caller.still_open(self.clock.now_s())?;
        self.serves()?;
        let group = self.group_of(&caller.wallet)?;
        let reader = self.read_recent(group, GUARD).await?;
        reading(reader.membership(caller.wallet)?, &caller.member).map(drop)
    }
}

impl Watch {
    /// Waits until the head has moved, and begins the pull that shows it.
    ///
    /// # Errors
    /// As [`Vault::pull`].
    pub async fn next(&mut self) -> Result<Pull, VaultError> {
        let node = self.vault.node().clone();
        let mut applied =
            node.applied(self.group).ok_or(VaultError::Unavailable("this node is stopping"))?;
        loop {
            applied.borrow_and_update();
            let reader = node.replica(self.group)?;
            let head = reader.wallet(self.held.wallet)?.map(|row| row.head.hash());
            if head.is_some_and(|head| head != self.held.head) {
                let pull = self.vault.begin(reader, self.held, self.caller.member).await?;
                // This replica is behind where the watch began: it will get there.
                if pull.head().head().seq > self.held.seq {
                    self.shown(&pull);
                    return Ok(pull);
                }
            }
            tokio::time::sleep(REST).await;
            applied
                .changed()
                .await
                .map_err(|_| VaultError::Unavailable("this node is stopping"))?;
        }
    }

    /// The place of the last head that was shown.
    pub fn seq(&self) -> u64 {
        self.held.seq
    }

    fn shown(&mut self, pull: &Pull) {
        let head = pull.head();
        let (head_hash, links): (HeadHash, u32) = (head.hash(), head.head().links);
        self.held = Held { seq: head.head().seq, head: head_hash, links, ..self.held };
    }
}
