//! The private keys of a device at rest: sealed by a passphrase (purpose 6), or in clear for a file
//! that only its owner may read.
//!
//! ```text
//! content = "HFdk" ‖ fmt 01 ‖ suite u16 ‖ sign scalar 32 ‖ seal scalar 32 ‖ local copy key 32
//! ```
//!
//! Reading and writing the file, and its mode, are the caller's.

use rand::CryptoRng;
use types::layout::{FormatError, Reader, Writer};
use types::{
    Argon2Cost, EnvelopeHeader, MemberId, PassphraseFront, Purpose, RecordId, Secret, Suite,
    WalletId,
};

use crate::error::SealError;
use crate::local::LocalKey;
use crate::member_keys::{MemberKeys, SoftwareMember};
use crate::passphrase::Stretched;
use crate::secret::Secret32;

const MAGIC: &[u8; 4] = b"HFdk";
const LABEL: &[u8] = b"device";
const CONTENT_LEN: usize = 4 + 1 + 2 + 3 * 32;

/// All that a device keeps secret.
pub struct DeviceKeys {
    /// The member that the device is.
    pub member: SoftwareMember,
    /// The key of its local copy.
    pub local: LocalKey,
}

impl DeviceKeys {
    /// Fresh keys from `rng`.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self { member: SoftwareMember::generate_device(rng), local: LocalKey::generate(rng) }
    }

    /// Seals the keys by a passphrase. Takes as long as `cost` says.
    pub fn seal(&self, rng: &mut dyn CryptoRng, passphrase: &Secret, cost: Argon2Cost) -> Vec<u8> {
        let content = self.to_plain();
        Stretched::fresh(rng, passphrase, cost, LABEL).seal(
            rng,
            &header(&self.member.id()),
            content.expose(),
        )
    }

    /// Opens the keys of this device. Takes as long as the cost in the bytes says.
    ///
    /// # Errors
    /// [`SealError::Format`] if the bytes are not laid out so; [`SealError::DoesNotOpen`] for another
    /// passphrase, another device or altered bytes.
    pub fn open(passphrase: &Secret, device: &MemberId, bytes: &[u8]) -> Result<Self, SealError> {
        let (front, _) = PassphraseFront::split(bytes)?;
        let content = Stretched::under(front, passphrase, LABEL).open(&header(device), bytes)?;
        let keys = Self::from_plain(&content).map_err(|_| SealError::DoesNotOpen)?;
        if keys.member.id() == *device { Ok(keys) } else { Err(SealError::DoesNotOpen) }
    }

    /// The keys in clear, for a file that only its owner may read.
    pub fn to_plain(&self) -> Secret {
        let (sign, seal) = self.member.scalars();
        let seal = seal.expect("a device has a seal key");
        let writer = Writer::with_capacity(CONTENT_LEN).opening(MAGIC, Suite::P256);
        let writer = writer.bytes(sign.expose()).bytes(seal.expose());
        Secret::new(writer.bytes(self.local.key().expose()).finish())
    }

    /// Reads what [`DeviceKeys::to_plain`] wrote.
    ///
    /// # Errors
    /// [`SealError::Format`] or [`SealError::BadKey`] if it is something else.
    pub fn from_plain(plain: &Secret) -> Result<Self, SealError> {
        let mut reader = Reader::new("device keys", plain.expose());
        reader.opening(MAGIC)?;
        let mut key = || -> Result<Secret32, FormatError> {
            let bytes = reader.bytes("key", 32)?;
            Ok(Secret32::filled(|out| out.copy_from_slice(bytes)))
        };
        let (sign, seal, local) = (key()?, key()?, key()?);
        reader.finish()?;
        Ok(Self { member: SoftwareMember::device(sign, seal)?, local: LocalKey::from_key(local) })
    }
}

fn header(device: &MemberId) -> EnvelopeHeader {
    EnvelopeHeader {
        suite: Suite::P256,
        purpose: Purpose::DeviceKeys,
        wallet: WalletId::ZERO,
        id: RecordId::from_bytes(*device.as_bytes()),
        version: 0,
        generation: 0,
    }
}
