//! Permits: how much may be under way at once. Who gets none is told so at once; nobody queues here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use types::WalletId;

use crate::policy::Limits;
use crate::vault::VaultError;

/// The permits of one node.
pub(crate) struct Permits {
    requests: Pool,
    forwarded: Pool,
    admin: Pool,
    pulls: Pool,
    watches: Pool,
    watched: Arc<Mutex<HashMap<WalletId, usize>>>,
    watches_per_wallet: usize,
}

struct Pool {
    what: &'static str,
    limit: usize,
    free: Arc<Semaphore>,
}

/// Given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// A watch of one wallet; given back when dropped.
pub(crate) struct WatchPermit {
    _node: Permit,
    wallet: WalletId,
    watched: Arc<Mutex<HashMap<WalletId, usize>>>,
}

impl Permits {
    /// As many as the limits say, all free.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            requests: Pool::new("requests", limits.requests),
            forwarded: Pool::new("forwarded requests", limits.forwarded),
            admin: Pool::new("operators' requests", limits.admin_requests),
            pulls: Pool::new("pulls", limits.pulls),
            watches: Pool::new("watches", limits.watches),
            watched: Arc::default(),
            watches_per_wallet: limits.watches_per_wallet,
        }
    }

    /// One request of a client.
    pub(crate) fn request(&self) -> Result<Permit, VaultError> {
        self.requests.take()
    }

    /// One request that another node passed on.
    pub(crate) fn forwarded(&self) -> Result<Permit, VaultError> {
        self.forwarded.take()
    }

    /// One request of an operator.
    pub(crate) fn admin(&self) -> Result<Permit, VaultError> {
        self.admin.take()
    }

    /// One pull.
    pub(crate) fn pull(&self) -> Result<Permit, VaultError> {
        self.pulls.take()
    }

    /// One watch of a wallet.
    pub(crate) fn watch(&self, wallet: WalletId) -> Result<WatchPermit, VaultError> {
        let node = self.watches.take()?;
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let count = watched.entry(wallet).or_insert(0);
        if *count >= self.watches_per_wallet {
            return Err(VaultError::Busy {
                what: "watches of this wallet",
                limit: self.watches_per_wallet,
            });
        }
        *count += 1;
        Ok(WatchPermit { _node: node, wallet, watched: Arc::clone(&self.watched) })
    }
}

impl Pool {
    fn new(what: &'static str, limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self { what, limit, free: Arc::new(Semaphore::new(limit)) }
    }

    fn take(&self) -> Result<Permit, VaultError> {
        let free = Arc::clone(&self.free);
        let busy = VaultError::Busy { what: self.what, limit: self.limit };
        free.try_acquire_owned().map(Permit).map_err(|_| busy)
    }
}

impl Drop for WatchPermit {
    fn drop(&mut self) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = watched.get_mut(&self.wallet) {
            *count -= 1;
            if *count == 0 {
                watched.remove(&self.wallet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WALLET: WalletId = WalletId::from_bytes([1; 32]);
    const OTHER: WalletId = WalletId::from_bytes([2; 32]);

    fn permits() -> Permits {
        let limits = Limits { requests: 2, watches: 3, watches_per_wallet: 2, ..Limits::default() };
        Permits::new(&limits)
    }

    #[test]
    fn a_permit_comes_back_when_its_holder_is_done() {
        let permits = permits();
        let first = permits.request().unwrap();
        let _second = permits.request().unwrap();
        let refused = permits.request().unwrap_err();
        assert!(matches!(refused, VaultError::Busy { what: "requests", limit: 2 }), "{refused}");
        drop(first);
        assert!(permits.request().is_ok());
    }

    #[test]
    fn watches_are_limited_per_wallet_and_per_node() {
        let permits = permits();
        let first = permits.watch(WALLET).unwrap();
        let _second = permits.watch(WALLET).unwrap();
        assert!(matches!(permits.watch(WALLET), Err(VaultError::Busy { limit: 2, .. })));
        let _third = permits.watch(OTHER).unwrap();
        assert!(matches!(
            permits.watch(OTHER),
            Err(VaultError::Busy { what: "watches", limit: 3 })
        ));
        drop(first);
        assert!(permits.watch(WALLET).is_ok());
    }

    #[test]
    fn a_wallet_that_nobody_watches_is_forgotten() {
        let permits = permits();
        drop(permits.watch(WALLET).unwrap());
        assert!(permits.watched.lock().unwrap().is_empty());
    }
}
