//! The epoch keys that a running server holds.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rand::CryptoRng;
use types::{Envelope, Sealed, WalletId};

use super::{DataKey, EpochKeys};
use crate::error::SealError;
use crate::secret::Secret32;

/// Why the keyring could not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The server was started without a key and nobody has unlocked it.
    #[error("the server is locked: unlock it with `holdfast admin unlock`")]
    Locked,
    /// The key of this epoch is not held: destroyed, or not yet given to this server.
    #[error("the key of epoch {0} is not held by this server")]
    UnknownEpoch(u32),
    /// A key is held and did not do it.
    #[error("use the epoch key")]
    Key(#[from] SealError),
}

/// Epoch keys by number. Starts locked; shared by all that a server does.
#[derive(Default)]
pub struct ServerKeyring {
    keys: RwLock<BTreeMap<u32, Arc<dyn EpochKeys>>>,
}

impl ServerKeyring {
    /// A keyring without keys.
    pub fn locked() -> Self {
        Self::default()
    }

    /// Takes a key in. The highest epoch held is the one that wraps.
    pub fn unlock(&self, key: Arc<dyn EpochKeys>) {
        self.write().insert(key.epoch(), key);
    }

    /// Whether no key is held.
    pub fn is_locked(&self) -> bool {
        self.read().is_empty()
    }

    /// The epoch that wraps now.
    ///
    /// # Errors
    /// [`KeyringError::Locked`].
    pub fn epoch(&self) -> Result<u32, KeyringError> {
        Ok(self.current()?.epoch())
    }

    /// Wraps a wallet's data key in the present epoch (purpose 7).
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn wrap(
        &self,
        rng: &mut dyn CryptoRng,
        wallet: &WalletId,
        key: &DataKey,
    ) -> Result<Sealed, KeyringError> {
        Ok(self.current()?.wrap(rng, wallet, key)?)
    }

    /// Opens a wallet's data key, wrapped in any epoch whose key is held.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open(&self, wallet: &WalletId, wrapped: &Sealed) -> Result<DataKey, KeyringError> {
        let envelope = Envelope::parse(wrapped.as_bytes()).map_err(SealError::from)?;
        Ok(self.of(envelope.header.generation)?.open(wallet, wrapped)?)
    }

    /// The MAC of a session token of this epoch.
    pub(crate) fn session_mac(&self, epoch: u32, message: &[u8]) -> Result<Secret32, KeyringError> {
        Ok(self.of(epoch)?.session_mac(message)?)
    }

    fn current(&self) -> Result<Arc<dyn EpochKeys>, KeyringError> {
        self.read().values().next_back().cloned().ok_or(KeyringError::Locked)
    }

    fn of(&self, epoch: u32) -> Result<Arc<dyn EpochKeys>, KeyringError> {
        let keys = self.read();
        if keys.is_empty() {
            return Err(KeyringError::Locked);
        }
        keys.get(&epoch).cloned().ok_or(KeyringError::UnknownEpoch(epoch))
    }

    // The map is whole whatever panicked while it was locked: every change is one call.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<u32, Arc<dyn EpochKeys>>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<u32, Arc<dyn EpochKeys>>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}
