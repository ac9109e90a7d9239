//! The local copy: what a device keeps of its wallet, sealed value by value (purpose 4).

use rand::CryptoRng;
use types::{EnvelopeHeader, Purpose, RecordId, Secret, Suite, WalletId};

use crate::error::SealError;
use crate::secret::Secret32;
use crate::{envelope, padding};

/// The key of one device's local copy, kept with the device's keys; wiped on drop.
pub struct LocalKey(Secret32);

impl LocalKey {
    /// A fresh key from `rng`.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(Secret32::random(rng))
    }

    pub(crate) fn from_key(key: Secret32) -> Self {
        Self(key)
    }

    pub(crate) fn key(&self) -> &Secret32 {
        &self.0
    }

    /// Seals a value under a record's id and version, padded.
    ///
    /// # Errors
    /// [`SealError::TooLong`] above 256 KiB less four bytes.
    pub fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        wallet: &WalletId,
        id: &RecordId,
        version: u64,
        data: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let padded = padding::pad(data)?;
        Ok(envelope::seal(rng, &self.0, &header(wallet, id, version), padded.expose()))
    }

    /// Opens the value that was sealed under this wallet, id and version.
    ///
    /// # Errors
    /// [`SealError::Format`] if the bytes are no envelope, [`SealError::DoesNotOpen`] otherwise.
    pub fn open(
        &self,
        wallet: &WalletId,
        id: &RecordId,
        version: u64,
        bytes: &[u8],
    ) -> Result<Secret, SealError> {
        padding::unpad(&envelope::open(&self.0, &header(wallet, id, version), bytes)?)
    }
}

fn header(wallet: &WalletId, id: &RecordId, version: u64) -> EnvelopeHeader {
    EnvelopeHeader {
        suite: Suite::P256,
        purpose: Purpose::Local,
        wallet: *wallet,
        id: *id,
        version,
        generation: 0,
    }
}
