//! Where a node's epoch key comes from, as far as the door has to know.

use std::sync::Arc;

use seal::EpochKeys;
use types::Secret;

/// Opens the epoch key of a node that was started without it.
pub trait KeySource: Send + Sync {
    /// Whether the key opens at the start of the node, without a person.
    fn opens_unattended(&self) -> bool;

    /// Opens it by a passphrase. May take a second, and is called where that disturbs nobody.
    ///
    /// # Errors
    /// [`KeySourceError`].
    fn open(&self, passphrase: &Secret) -> Result<Arc<dyn EpochKeys>, KeySourceError>;
}

/// Why the epoch key does not open.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// The passphrase is another one.
    #[error("the passphrase does not open the epoch key")]
    Passphrase,
    /// It needs none.
    #[error("this node's epoch key opens without a passphrase")]
    NoneNeeded,
    /// The key cannot be read.
    #[error("read the epoch key: {0}")]
    Unreadable(String),
}

/// The source of a key that is held from the start.
pub struct NoSource;

impl KeySource for NoSource {
    fn opens_unattended(&self) -> bool {
        true
    }

    fn open(&self, _: &Secret) -> Result<Arc<dyn EpochKeys>, KeySourceError> {
        Err(KeySourceError::NoneNeeded)
    }
}
