//! Epoch keys: what wraps the data keys of all wallets for some weeks, and is then destroyed.
//!
//! At rest an epoch key is a file that only the server may read, or the same file sealed by a
//! passphrase (purpose 8). Reading the file, and its mode, are the server's.

use rand::CryptoRng;
use types::layout::{Reader, Writer};
use types::{
    Argon2Cost, EnvelopeHeader, PassphraseFront, Purpose, RecordId, Sealed, Secret, Suite, WalletId,
};

use super::DataKey;
use crate::error::SealError;
use crate::kdf::derive;
use crate::passphrase::Stretched;
use crate::secret::Secret32;
use crate::{envelope, hazmat};

const MAGIC: &[u8; 4] = b"HFek";
const LABEL: &[u8] = b"epoch";
const FILE_LEN: usize = 4 + 1 + 2 + 4 + 32;

/// The key of one epoch, wherever it lives: in memory, or in a hardware module.
pub trait EpochKeys: Send + Sync {
    /// The number of the epoch, from 1.
    fn epoch(&self) -> u32;

    /// Wraps a wallet's data key.
    ///
    /// # Errors
    /// [`SealError::KeyUnavailable`] if the key cannot be used now.
    fn wrap(
        &self,
        rng: &mut dyn CryptoRng,
        wallet: &WalletId,
        key: &DataKey,
    ) -> Result<Sealed, SealError>;

    /// Opens the data key that was wrapped for this wallet in this epoch.
    ///
    /// # Errors
    /// [`SealError::Format`] if the bytes are no envelope, [`SealError::DoesNotOpen`] if they are another
    /// wallet's or epoch's or altered; [`SealError::KeyUnavailable`].
    fn open(&self, wallet: &WalletId, wrapped: &Sealed) -> Result<DataKey, SealError>;

    /// HMAC-SHA-256 under the epoch's key for session tokens.
    ///
    /// # Errors
    /// [`SealError::KeyUnavailable`] if the key cannot be used now.
    fn session_mac(&self, message: &[u8]) -> Result<Secret32, SealError>;
}

/// An epoch key in memory, wiped on drop.
pub struct EpochKey {
    epoch: u32,
    key: Secret32,
    wrap: Secret32,
    session: Secret32,
}

impl EpochKey {
    /// A fresh key from `rng`.
    pub fn generate(rng: &mut dyn CryptoRng, epoch: u32) -> Self {
        Self::new(epoch, Secret32::random(rng))
    }

    fn new(epoch: u32, key: Secret32) -> Self {
        let (wrap, session) = (derive(&key, &[b"wrap"]), derive(&key, &[b"session"]));
        Self { epoch, key, wrap, session }
    }

    /// The contents of a key file: `"HFek" ‖ fmt 01 ‖ suite u16 ‖ epoch u32 ‖ key 32`.
    pub fn to_file(&self) -> Secret {
        let writer = Writer::with_capacity(FILE_LEN).opening(MAGIC, Suite::P256).u32(self.epoch);
        Secret::new(writer.bytes(self.key.expose()).finish())
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`SealError::Format`] says what is wrong with it.
    pub fn from_file(file: &Secret) -> Result<Self, SealError> {
        let mut reader = Reader::new("epoch key file", file.expose());
        reader.opening(MAGIC)?;
        let epoch = reader.u32("epoch")?;
        reader.require(epoch != 0, "epoch", "1 or more")?;
        let bytes = reader.array::<32>("key")?;
        let key = Secret32::new(bytes);
        reader.finish()?;
        Ok(Self::new(epoch, key))
    }

    /// The contents of a key file that a passphrase opens. Takes as long as `cost` says.
    pub fn to_sealed_file(
        &self,
        rng: &mut dyn CryptoRng,
        passphrase: &Secret,
        cost: Argon2Cost,
    ) -> Vec<u8> {
        let header = sealed_header(self.epoch);
        Stretched::fresh(rng, passphrase, cost, LABEL).seal(rng, &header, self.key.expose())
    }

    /// Opens a key file by its passphrase. Takes as long as the cost in the file says.
    ///
    /// # Errors
    /// [`SealError::Format`] if the bytes are not laid out so; [`SealError::DoesNotOpen`] for another
    /// passphrase or altered bytes.
    pub fn from_sealed_file(passphrase: &Secret, file: &[u8]) -> Result<Self, SealError> {
        let (front, sealed) = PassphraseFront::split(file)?;
        let epoch = types::Envelope::parse(sealed)?.header.generation;
        let stretched = Stretched::under(front, passphrase, LABEL);
        let key = stretched.open(&sealed_header(epoch), file)?;
        let key = Secret32::from_slice(key.expose()).ok_or(SealError::DoesNotOpen)?;
        Ok(Self::new(epoch, key))
    }

    /// Whether the contents of a key file need a passphrase.
    pub fn is_sealed_file(file: &[u8]) -> bool {
        !file.starts_with(MAGIC)
    }
}

impl EpochKeys for EpochKey {
    fn epoch(&self) -> u32 {
        self.epoch
    }

    fn wrap(
        &self,
        rng: &mut dyn CryptoRng,
        wallet: &WalletId,
        key: &DataKey,
    ) -> Result<Sealed, SealError> {
        let header = wrap_header(wallet, self.epoch);
        Ok(envelope::seal(rng, &self.wrap, &header, key.key().expose()).into())
    }

    fn open(&self, wallet: &WalletId, wrapped: &Sealed) -> Result<DataKey, SealError> {
        let header = wrap_header(wallet, self.epoch);
        let key = envelope::open(&self.wrap, &header, wrapped.as_bytes())?;
        let key = Secret32::from_slice(key.expose()).ok_or(SealError::DoesNotOpen)?;
        Ok(DataKey::from_key(key))
    }

    fn session_mac(&self, message: &[u8]) -> Result<Secret32, SealError> {
        Ok(hazmat::hmac(self.session.expose(), &[message]))
    }
}

fn wrap_header(wallet: &WalletId, epoch: u32) -> EnvelopeHeader {
    header(Purpose::DataKey, *wallet, epoch)
}

fn sealed_header(epoch: u32) -> EnvelopeHeader {
    header(Purpose::EpochKey, WalletId::ZERO, epoch)
}

fn header(purpose: Purpose, wallet: WalletId, generation: u32) -> EnvelopeHeader {
    let (id, version) = (RecordId::ZERO, 0);
    EnvelopeHeader { suite: Suite::P256, purpose, wallet, id, version, generation }
}
