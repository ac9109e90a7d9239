//! Members: who can sign for a wallet and to whom its key is sealed.
//!
//! ```text
//! Member = kind u8 ‖ flags u8 = 0 ‖ nkeys u8 ‖ nkeys × (use u8 ‖ alg u16 ‖ len u16 ‖ key) ‖ ext_len u16 ‖ ext
//! ```
//!
//! One signing key, then, for all but a revoker, one different sealing key. Names of devices are not
//! here: they live in a record, sealed. Whether a key is a point on the curve is for `seal` to say.

use std::fmt;

use crate::cost::Argon2Cost;
use crate::hash::tagged_16;
use crate::ids::{Locator, MemberId};
use crate::layout::{FormatError, Reader, Writer};
use crate::serial::{AsBytes, Hex, serde_by_bytes};

const USE_SIGN: u8 = 1;
const USE_SEAL: u8 = 2;
const ALG_ES256: u16 = 0x0001;
const ALG_DHKEM_P256: u16 = 0x0010;

/// A P-256 public key, uncompressed (SEC 1): `04 ‖ x 32 ‖ y 32`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 65]);

impl PublicKey {
    /// Length in bytes.
    pub const LEN: usize = 65;

    /// The key of these bytes, if they have the form of one.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new("public key", bytes);
        let key = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(key)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let key: [u8; Self::LEN] = reader.fixed("public key")?;
        reader.require(key[0] == 4, "public key", "uncompressed, beginning with 04")?;
        Ok(Self(key))
    }

    /// The bytes, beginning with 04.
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}…)", Hex(self.0.first_chunk::<5>().unwrap_or(&[0; 5])))
    }
}

impl AsRef<[u8]> for PublicKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsBytes for PublicKey {
    const WHAT: &'static str = "public key";
    fn to_bytes(&self) -> impl AsRef<[u8]> {
        self.0
    }
    fn of_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::parse(bytes)
    }
}
serde_by_bytes!(PublicKey);

/// What a member is. The numbers are the format's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MemberKind {
    /// A phone, a computer: keeps its keys.
    Device = 1,
    /// The code on paper.
    RecoveryCode = 2,
    /// A passphrase, stretched with the servers' help.
    Passphrase = 3,
    /// A code that can only revoke devices.
    Revoker = 4,
}

impl MemberKind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 4] = [Self::Device, Self::RecoveryCode, Self::Passphrase, Self::Revoker];

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(match reader.u8("member kind")? {
            1 => Self::Device,
            2 => Self::RecoveryCode,
            3 => Self::Passphrase,
            4 => Self::Revoker,
            other => return Err(reader.unknown("member kind", other.into(), Self::Revoker as u32)),
        })
    }
}

impl fmt::Display for MemberKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::RecoveryCode => "recovery code",
            Self::Passphrase => "passphrase",
            Self::Revoker => "revoker",
        })
    }
}

/// What each kind has beyond its signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Body {
    Device { seal: PublicKey },
    RecoveryCode { seal: PublicKey, locator: Locator },
    Passphrase { seal: PublicKey, locator: Locator, cost: Argon2Cost },
    Revoker { locator: Locator },
}

/// A member as it stands in a link. Its keys never change; a new key is a new member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    sign: PublicKey,
    body: Body,
}

impl Member {
    const WHAT: &'static str = "member";
    /// The longest a member can be: a passphrase.
    pub const LEN_MAX: usize = 3 + 2 * (5 + PublicKey::LEN) + 2 + 28;

    /// A device.
    ///
    /// # Errors
    /// If both keys are the same, as for every constructor that takes two.
    pub fn device(sign: PublicKey, seal: PublicKey) -> Result<Self, FormatError> {
        Self::checked(sign, Body::Device { seal })
    }

    /// A recovery code.
    pub fn recovery_code(
        sign: PublicKey,
        seal: PublicKey,
        locator: Locator,
    ) -> Result<Self, FormatError> {
        Self::checked(sign, Body::RecoveryCode { seal, locator })
    }

    /// A passphrase.
    pub fn passphrase(
        sign: PublicKey,
        seal: PublicKey,
        locator: Locator,
        cost: Argon2Cost,
    ) -> Result<Self, FormatError> {
        Self::checked(sign, Body::Passphrase { seal, locator, cost })
    }

    /// A revoker.
    pub const fn revoker(sign: PublicKey, locator: Locator) -> Self {
        Self { sign, body: Body::Revoker { locator } }
    }

    /// Keeps the one rule that the types do not.
    fn checked(sign: PublicKey, body: Body) -> Result<Self, FormatError> {
        let member = Self { sign, body };
        let reader = Reader::new(Self::WHAT, &[]);
        reader.require(
            member.seal() != Some(&sign),
            "sealing key",
            "another than the signing key",
        )?;
        Ok(member)
    }

    /// What it is.
    pub const fn kind(&self) -> MemberKind {
        match self.body {
            Body::Device { .. } => MemberKind::Device,
            Body::RecoveryCode { .. } => MemberKind::RecoveryCode,
            Body::Passphrase { .. } => MemberKind::Passphrase,
            Body::Revoker { .. } => MemberKind::Revoker,
        }
    }

    /// The key that its signatures verify under.
    pub const fn sign(&self) -> &PublicKey {
        &self.sign
    }

    /// The key that the wallet key is sealed to; a revoker has none.
    pub const fn seal(&self) -> Option<&PublicKey> {
        match &self.body {
            Body::Device { seal }
            | Body::RecoveryCode { seal, .. }
            | Body::Passphrase { seal, .. } => Some(seal),
            Body::Revoker { .. } => None,
        }
    }

    /// How it finds the wallet; a device needs none.
    pub const fn locator(&self) -> Option<&Locator> {
        match &self.body {
            Body::Device { .. } => None,
            Body::RecoveryCode { locator, .. }
            | Body::Passphrase { locator, .. }
            | Body::Revoker { locator } => Some(locator),
        }
    }

    /// How a passphrase is stretched.
    pub const fn cost(&self) -> Option<&Argon2Cost> {
        match &self.body {
            Body::Passphrase { cost, .. } => Some(cost),
            _ => None,
        }
    }

    /// Its id: the first 16 bytes of `H("holdfast/1 member", Member)`.
    pub fn id(&self) -> MemberId {
        MemberId::from_bytes(tagged_16("holdfast/1 member", &[&self.encode()]))
    }

    /// Whether any key of `self` is a key of `other`, in whatever use.
    pub fn shares_key_with(&self, other: &Self) -> bool {
        let mine = [Some(&self.sign), self.seal()];
        let theirs = [Some(&other.sign), other.seal()];
        mine.iter().flatten().any(|key| theirs.iter().flatten().any(|other| other == key))
    }

    /// The layout.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(Self::LEN_MAX).u8(self.kind() as u8).u8(0);
        writer = writer.u8(if self.seal().is_some() { 2 } else { 1 });
        writer = write_key(writer, USE_SIGN, ALG_ES256, &self.sign);
        if let Some(seal) = self.seal() {
            writer = write_key(writer, USE_SEAL, ALG_DHKEM_P256, seal);
        }
        match &self.body {
            Body::Device { .. } => writer.u16(0),
            Body::RecoveryCode { locator, .. } | Body::Revoker { locator } => {
                writer.u16(16).bytes(locator)
            }
            Body::Passphrase { locator, cost, .. } => cost.write(writer.u16(28).bytes(locator)),
        }
        .finish()
    }

    /// Reads a member and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(Self::WHAT, bytes);
        let member = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(member)
    }

    /// Reads a member that others may follow.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let kind = MemberKind::read(reader)?;
        let flags = reader.u8("flags")?;
        reader.require(flags == 0, "flags", "0")?;
        let count = reader.u8("number of keys")?;
        let expected = if kind == MemberKind::Revoker { 1 } else { 2 };
        reader.require(count == expected, "number of keys", "2, or 1 for a revoker")?;
        let sign = read_key(reader, USE_SIGN, ALG_ES256)?;
        let body = match kind {
            MemberKind::Device => {
                let seal = read_seal_key(reader, &sign)?;
                read_ext_len(reader, 0)?;
                Body::Device { seal }
            }
            MemberKind::RecoveryCode => {
                let seal = read_seal_key(reader, &sign)?;
                read_ext_len(reader, 16)?;
                Body::RecoveryCode { seal, locator: read_locator(reader)? }
            }
            MemberKind::Passphrase => {
                let seal = read_seal_key(reader, &sign)?;
                read_ext_len(reader, 28)?;
                Body::Passphrase {
                    seal,
                    locator: read_locator(reader)?,
                    cost: Argon2Cost::read(reader)?,
                }
            }
            MemberKind::Revoker => {
                read_ext_len(reader, 16)?;
                Body::Revoker { locator: read_locator(reader)? }
            }
        };
        Ok(Self { sign, body })
    }
}

impl AsBytes for Member {
    const WHAT: &'static str = "member";
    fn to_bytes(&self) -> impl AsRef<[u8]> {
        self.encode()
    }
    fn of_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::parse(bytes)
    }
}
serde_by_bytes!(Member);

fn write_key(writer: Writer, usage: u8, alg: u16, key: &PublicKey) -> Writer {
    writer.u8(usage).u16(alg).u16(PublicKey::LEN as u16).bytes(key)
}

fn read_key(reader: &mut Reader<'_>, usage: u8, alg: u16) -> Result<PublicKey, FormatError> {
    let found = reader.u8("key use")?;
    reader.require(
        found == usage,
        "key use",
        "1 (sign) for the first key, 2 (seal) for the second",
    )?;
    let found = reader.u16("key algorithm")?;
    reader.require(found == alg, "key algorithm", "0001 for signing, 0010 for sealing")?;
    let len = reader.u16("key length")?;
    reader.require(usize::from(len) == PublicKey::LEN, "key length", "65")?;
    PublicKey::read(reader)
}

fn read_seal_key(reader: &mut Reader<'_>, sign: &PublicKey) -> Result<PublicKey, FormatError> {
    let seal = read_key(reader, USE_SEAL, ALG_DHKEM_P256)?;
    reader.require(seal != *sign, "sealing key", "another than the signing key")?;
    Ok(seal)
}

fn read_ext_len(reader: &mut Reader<'_>, expected: u16) -> Result<(), FormatError> {
    let found = reader.u16("extension length")?;
    reader.require(found == expected, "extension length", "that of the member's kind")
}

fn read_locator(reader: &mut Reader<'_>) -> Result<Locator, FormatError> {
    reader.fixed("locator").map(Locator::from_bytes)
}

#[cfg(test)]
mod tests;
