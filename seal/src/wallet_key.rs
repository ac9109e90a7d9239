//! The wallet key: what opens the records of a wallet, one key for each generation.
//!
//! Promises: a record opens under its own wallet, id, version and generation only; a key that was
//! sealed to a member or handed down through history is checked against the commitment in the link
//! before it is used.
//!
//! A new generation is made by a Rotate link. It seals the new key to every active member and the
//! key before under the new one, so that whoever has the latest can walk back to the first.

use rand::CryptoRng;
use subtle::ConstantTimeEq;
use types::{
    EnvelopeHeader, Member, Purpose, RecordId, Rotate, Secret, Suite, WalletId, WrappedSeal,
};

use crate::error::SealError;
use crate::kdf::derive;
use crate::member_keys::MemberKeys;
use crate::secret::Secret32;
use crate::{envelope, hpke, padding};

/// Begins the `info` of every seal.
const SEAL_INFO: &[u8] = b"holdfast/1 seal\0";

/// The key of one wallet in one generation, wiped on drop.
pub struct WalletKey {
    wallet: WalletId,
    generation: u32,
    key: Secret32,
    /// `KDF(key, "record", 32)`, kept because every record needs it.
    record: Secret32,
}

impl WalletKey {
    /// A fresh first key, generation 1.
    pub fn generate(rng: &mut dyn CryptoRng, wallet: WalletId) -> Self {
        Self::new(wallet, 1, Secret32::random(rng))
    }

    /// A fresh key of the next generation.
    pub fn successor(&self, rng: &mut dyn CryptoRng) -> Self {
        Self::new(self.wallet, self.generation + 1, Secret32::random(rng))
    }

    pub(crate) fn new(wallet: WalletId, generation: u32, key: Secret32) -> Self {
        let record = derive(&key, &[b"record"]);
        Self { wallet, generation, key, record }
    }

    /// The wallet it belongs to.
    pub fn wallet(&self) -> &WalletId {
        &self.wallet
    }

    /// Its generation, from 1.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// `wk_commit`: stands in the Rotate link, and tells this key from every other.
    pub fn commit(&self) -> [u8; 32] {
        let generation = self.generation.to_be_bytes();
        *derive(&self.key, &[b"wk", self.wallet.as_bytes(), &generation]).expose()
    }

    /// Seals one version of a record (purpose 1), padded.
    ///
    /// # Errors
    /// [`SealError::TooLong`] above 256 KiB less four bytes.
    pub fn seal_record(
        &self,
        rng: &mut dyn CryptoRng,
        id: &RecordId,
        version: u64,
        data: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let padded = padding::pad(data)?;
        Ok(envelope::seal(rng, &self.record, &self.record_header(id, version), padded.expose()))
    }

    /// Opens the record of this id and version.
    ///
    /// # Errors
    /// [`SealError::Format`] if the bytes are no envelope, [`SealError::DoesNotOpen`] otherwise.
    pub fn open_record(
        &self,
        id: &RecordId,
        version: u64,
        bytes: &[u8],
    ) -> Result<Secret, SealError> {
        padding::unpad(&envelope::open(&self.record, &self.record_header(id, version), bytes)?)
    }

    /// What a Rotate link to this key says: the commitment, the key before sealed under this one
    /// (`previous`, none for the first generation), and this key sealed to each of `members` that
    /// has a seal key.
    ///
    /// # Errors
    /// [`SealError::BadKey`] if a member's seal key is not a point.
    ///
    /// # Panics
    /// Unless `previous` is the key of the same wallet one generation before, and absent exactly in
    /// generation 1.
    pub fn rotate<'a>(
        &self,
        rng: &mut dyn CryptoRng,
        previous: Option<&Self>,
        members: impl IntoIterator<Item = &'a Member>,
    ) -> Result<Rotate, SealError> {
        let before = previous.map_or(0, |previous| previous.generation);
        assert_eq!(before + 1, self.generation, "rotate from another than the generation before");
        let history = previous.map_or_else(Vec::new, |previous| self.seal_history(rng, previous));
        let mut seals = members
            .into_iter()
            .filter(|member| member.seal().is_some())
            .map(|member| self.seal_to(rng, member))
            .collect::<Result<Vec<_>, _>>()?;
        seals.sort_unstable_by_key(|seal| seal.member);
        Ok(Rotate { generation: self.generation, wk_commit: self.commit(), history, seals })
    }

    /// Seals this key to one member, for an Add or Rotate link.
    ///
    /// # Errors
    /// [`SealError::BadKey`] if the member has no seal key, or one that is not a point.
    pub fn seal_to(
        &self,
        rng: &mut dyn CryptoRng,
        member: &Member,
    ) -> Result<WrappedSeal, SealError> {
        let bad = SealError::BadKey("the member's seal key");
        let recipient = member.seal().ok_or_else(|| bad.clone())?;
        let id = member.id();
        let info = seal_info(Suite::P256, &self.wallet, self.generation, id.as_bytes());
        let (enc, ct) =
            hpke::seal_base(rng, recipient.as_bytes(), &info, b"", self.key.expose()).ok_or(bad)?;
        let ct = ct.try_into().expect("a key and a tag are 48 bytes long");
        Ok(WrappedSeal { member: id, suite: Suite::P256, enc, ct })
    }

    /// Opens a seal that stands in a verified link, and checks the key against the `wk_commit` of
    /// the Rotate link of its generation.
    ///
    /// # Errors
    /// [`SealError::DoesNotOpen`]; [`SealError::KeyUnavailable`] if the member's key cannot be used.
    pub fn open_seal(
        keys: &dyn MemberKeys,
        wallet: WalletId,
        generation: u32,
        wk_commit: &[u8; 32],
        seal: &WrappedSeal,
    ) -> Result<Self, SealError> {
        let id = keys.id();
        let recipient = keys.member().seal().ok_or(SealError::DoesNotOpen)?;
        if seal.member != id {
            return Err(SealError::DoesNotOpen);
        }
        let info = seal_info(seal.suite, &wallet, generation, id.as_bytes());
        let agree = |enc: &[u8; 65]| {
            let enc = types::PublicKey::parse(enc)?;
            keys.agree(&enc)
        };
        let key = hpke::open_base(agree, recipient.as_bytes(), &seal.enc, &info, b"", &seal.ct)?;
        Self::checked(wallet, generation, &key, wk_commit)
    }

    /// Seals the key of the generation before under this one (purpose 2).
    fn seal_history(&self, rng: &mut dyn CryptoRng, previous: &Self) -> Vec<u8> {
        assert_eq!(previous.wallet, self.wallet, "history of another wallet");
        envelope::seal(rng, &self.history_key(), &self.history_header(), previous.key.expose())
    }

    /// Opens the key of the generation before, and checks it against the `wk_commit` of that
    /// generation's Rotate link.
    ///
    /// # Errors
    /// [`SealError::Format`] if the bytes are no envelope, [`SealError::DoesNotOpen`] otherwise.
    pub fn open_history(
        &self,
        history: &[u8],
        previous_commit: &[u8; 32],
    ) -> Result<Self, SealError> {
        let key = envelope::open(&self.history_key(), &self.history_header(), history)?;
        let generation = self.generation.checked_sub(1).ok_or(SealError::DoesNotOpen)?;
        Self::checked(self.wallet, generation, &key, previous_commit)
    }

    fn checked(
        wallet: WalletId,
        generation: u32,
        key: &Secret,
        commit: &[u8; 32],
    ) -> Result<Self, SealError> {
        let key = Secret32::from_slice(key.expose()).ok_or(SealError::DoesNotOpen)?;
        let opened = Self::new(wallet, generation, key);
        if bool::from(opened.commit().ct_eq(commit)) {
            Ok(opened)
        } else {
            Err(SealError::DoesNotOpen)
        }
    }

    fn history_key(&self) -> Secret32 {
        derive(&self.key, &[b"history"])
    }

    fn record_header(&self, id: &RecordId, version: u64) -> EnvelopeHeader {
        self.header(Purpose::Record, *id, version)
    }

    fn history_header(&self) -> EnvelopeHeader {
        self.header(Purpose::History, RecordId::ZERO, 0)
    }

    fn header(&self, purpose: Purpose, id: RecordId, version: u64) -> EnvelopeHeader {
        let (wallet, generation) = (self.wallet, self.generation);
        EnvelopeHeader { suite: Suite::P256, purpose, wallet, id, version, generation }
    }
}

/// `"holdfast/1 seal" ‖ 00 ‖ suite ‖ wallet ‖ gen u32 ‖ MemberId`.
fn seal_info(suite: Suite, wallet: &WalletId, generation: u32, member: &[u8; 16]) -> Vec<u8> {
    let (suite, generation) = (suite.get().to_be_bytes(), generation.to_be_bytes());
    [SEAL_INFO, &suite, wallet.as_bytes(), &generation, member].concat()
}
