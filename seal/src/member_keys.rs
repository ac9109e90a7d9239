//! A member's private keys, wherever they live.

use rand::CryptoRng;
use types::{Locator, Member, MemberId, PublicKey};

use crate::error::SealError;
use crate::es256::{Signature, SoftwareKey};
use crate::hazmat::{self, AgreementKey};
use crate::secret::Secret32;

/// What a member can do with its private keys. Keys in hardware fit: they sign, and give the x
/// coordinate of a key agreement, and never leave.
pub trait MemberKeys: Send + Sync {
    /// The public description of this member.
    fn member(&self) -> &Member;

    /// ES256 over `message`, with a low `s`. `rng` hedges the nonce where the implementation takes
    /// randomness from outside; others ignore it.
    ///
    /// # Errors
    /// [`SealError::KeyUnavailable`] if the key cannot be used now.
    fn sign(&self, rng: &mut dyn CryptoRng, message: &[u8]) -> Result<Signature, SealError>;

    /// ECDH of this member's seal key with `peer`: the x coordinate.
    ///
    /// # Errors
    /// [`SealError::DoesNotOpen`] if `peer` is not a point of P-256; [`SealError::KeyUnavailable`] if
    /// the key cannot be used now or the member has no seal key.
    fn agree(&self, peer: &PublicKey) -> Result<Secret32, SealError>;

    /// The id of this member.
    fn id(&self) -> MemberId {
        self.member().id()
    }
}

/// Refuses a member whose keys are not points of P-256. The layout alone (`types`) cannot tell.
///
/// # Errors
/// [`SealError::BadKey`] names which.
pub fn check_member(member: &Member) -> Result<(), SealError> {
    if !hazmat::on_curve(member.sign().as_bytes()) {
        return Err(SealError::BadKey("the member's sign key"));
    }
    if member.seal().is_some_and(|key| !hazmat::on_curve(key.as_bytes())) {
        return Err(SealError::BadKey("the member's seal key"));
    }
    Ok(())
}

/// A member whose private keys are in memory, wiped on drop.
pub struct SoftwareMember {
    member: Member,
    id: MemberId,
    sign: SoftwareKey,
    seal: Option<SealKey>,
}

struct SealKey {
    scalar: Secret32,
    key: AgreementKey,
}

impl SoftwareMember {
    /// A new device with fresh keys from `rng`.
    pub fn generate_device(rng: &mut dyn CryptoRng) -> Self {
        loop {
            // A draw beyond the order of the group is as rare as one in 2^32.
            if let Ok(device) = Self::device(Secret32::random(rng), Secret32::random(rng)) {
                return device;
            }
        }
    }

    /// The device with these private scalars.
    ///
    /// # Errors
    /// [`SealError::BadKey`] unless 0 < scalar < order; [`SealError::Format`] if both are the same.
    pub(crate) fn device(sign: Secret32, seal: Secret32) -> Result<Self, SealError> {
        let (sign, seal) = (SoftwareKey::from_bytes(sign)?, SealKey::new(seal)?);
        let member = Member::device(*sign.public(), seal.public())?;
        Ok(Self { id: member.id(), member, sign, seal: Some(seal) })
    }

    /// The recovery code with these private scalars; errors as for [`SoftwareMember::device`].
    pub(crate) fn recovery_code(
        sign: Secret32,
        seal: Secret32,
        locator: Locator,
    ) -> Result<Self, SealError> {
        let (sign, seal) = (SoftwareKey::from_bytes(sign)?, SealKey::new(seal)?);
        let member = Member::recovery_code(*sign.public(), seal.public(), locator)?;
        Ok(Self { id: member.id(), member, sign, seal: Some(seal) })
    }

    /// The revoker with this private scalar; errors as for [`SoftwareMember::device`].
    pub(crate) fn revoker(sign: Secret32, locator: Locator) -> Result<Self, SealError> {
        let sign = SoftwareKey::from_bytes(sign)?;
        let member = Member::revoker(*sign.public(), locator);
        Ok(Self { id: member.id(), member, sign, seal: None })
    }

    /// The private scalars, sign then seal, for whoever seals them to disk.
    pub(crate) fn scalars(&self) -> (&Secret32, Option<&Secret32>) {
        (self.sign.scalar(), self.seal.as_ref().map(|seal| &seal.scalar))
    }
}

impl SealKey {
    fn new(scalar: Secret32) -> Result<Self, SealError> {
        let key = AgreementKey::from_scalar(scalar.expose())
            .ok_or(SealError::BadKey("the private key"))?;
        Ok(Self { scalar, key })
    }

    fn public(&self) -> PublicKey {
        PublicKey::parse(&self.key.public()).expect("the library writes points uncompressed")
    }
}

impl MemberKeys for SoftwareMember {
    fn member(&self) -> &Member {
        &self.member
    }

    fn sign(&self, rng: &mut dyn CryptoRng, message: &[u8]) -> Result<Signature, SealError> {
        self.sign.sign(rng, message)
    }

    fn agree(&self, peer: &PublicKey) -> Result<Secret32, SealError> {
        let seal = self
            .seal
            .as_ref()
            .ok_or_else(|| SealError::KeyUnavailable("this member has no seal key".into()))?;
        seal.key.agree(peer.as_bytes()).ok_or(SealError::DoesNotOpen)
    }

    fn id(&self) -> MemberId {
        self.id
    }
}
