//! Recovery codes and revoker codes: a member of the wallet on a piece of paper.
//!
//! Promises: the whole member follows from 16 random bytes; a code with a typing error is refused
//! by its check digits before any key is derived.
//!
//! A code is shown as 28 Crockford base32 characters in seven groups of four: the 16 bytes, then the
//! first 12 bits of `H(tag, bytes)`. The tag differs for the two kinds, so that one kind of code
//! is not taken for the other.
//!
//! Not here: whether the member may do something (`types::membership`) and how a wallet is found by
//! its locator (`client`).

use rand::CryptoRng;
use types::Locator;
use types::hash::tagged;
use zeroize::Zeroize;

use crate::hpke;
use crate::kdf::{derive, extract};
use crate::member_keys::SoftwareMember;
use crate::secret::{Secret32, SecretArray};

const RECOVERY_TAG: &str = "holdfast/1 code";
const REVOKER_TAG: &str = "holdfast/1 revoker";

/// Crockford's base32: no I, L, O (read as 1, 1, 0) and no U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code without the dashes: 128 bits and 12 check bits, five to a character.
const CHARACTERS: usize = 28;
const GROUP: usize = 4;
/// Bytes that hold the 140 bits of a code.
const BYTES: usize = 18;

/// Why a text is not a code. Says where, never what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Too few or too many characters, dashes and blanks not counted.
    #[error("a code has 28 letters and digits, this one has {found}")]
    Length {
        /// Characters found.
        found: usize,
    },
    /// A character that no code contains.
    #[error("character {position} is not used in codes: only digits and letters without U")]
    Character {
        /// Counted from 1, dashes and blanks not counted.
        position: usize,
    },
    /// The check digits do not fit: a typing error, or a code of the other kind.
    #[error(
        "the code does not check: look for a mistyped character, and whether it is the right kind of code"
    )]
    Check,
}

/// A code as shown to its owner, wiped on drop.
pub struct CodeText(String);

impl CodeText {
    /// Seven groups of four characters with dashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Drop for CodeText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The code by which its owner, and nobody else, gets the wallet back.
pub struct RecoveryCode(pub(crate) SecretArray<16>);

impl RecoveryCode {
    /// A fresh code from `rng`.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(SecretArray::random(rng))
    }

    /// Reads what a person typed: case, dashes and blanks do not matter, and O, I, L are read as
    /// the digits they look like.
    ///
    /// # Errors
    /// [`CodeError`] says where the text is wrong.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        parse(RECOVERY_TAG, text).map(Self)
    }

    /// The code for paper.
    pub fn reveal(&self) -> CodeText {
        reveal(RECOVERY_TAG, &self.0)
    }

    /// The member that this code is, with its private keys.
    pub fn member_keys(&self) -> SoftwareMember {
        let prk = extract(RECOVERY_TAG.as_bytes(), &[self.0.expose()]);
        SoftwareMember::recovery_code(
            derive_key(&prk, b"sign"),
            derive_key(&prk, b"seal"),
            locator(&prk),
        )
        .expect("DeriveKeyPair gives keys in range, and not twice the same")
    }
}

/// The code that can do one thing: revoke a device.
pub struct RevokerCode(pub(crate) SecretArray<16>);

impl RevokerCode {
    /// A fresh code from `rng`.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(SecretArray::random(rng))
    }

    /// Reads what a person typed, as forgiving as [`RecoveryCode::parse`].
    ///
    /// # Errors
    /// [`CodeError`] says where the text is wrong.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        parse(REVOKER_TAG, text).map(Self)
    }

    /// The code for paper.
    pub fn reveal(&self) -> CodeText {
        reveal(REVOKER_TAG, &self.0)
    }

    /// The member that this code is, with its private key.
    pub fn member_keys(&self) -> SoftwareMember {
        let prk = extract(REVOKER_TAG.as_bytes(), &[self.0.expose()]);
        SoftwareMember::revoker(derive_key(&prk, b"sign"), locator(&prk))
            .expect("DeriveKeyPair gives a key in range")
    }
}

fn derive_key(prk: &Secret32, label: &[u8]) -> Secret32 {
    hpke::derive_key_pair(&derive(prk, &[label])).0
}

/// Public to the members and the servers of the wallet, hence no secret.
fn locator(prk: &Secret32) -> Locator {
    Locator::from_bytes(*derive::<16>(prk, &[b"locator"]).expose())
}

/// The bits of a code: the seed and its check bits, left-aligned.
fn with_check(tag: &str, seed: &[u8; 16]) -> SecretArray<BYTES> {
    let check = tagged(tag, &[seed]);
    SecretArray::filled(|out| {
        out[..16].copy_from_slice(seed);
        out[16] = check[0];
        out[17] = check[1] & 0xf0;
    })
}

fn reveal(tag: &str, seed: &SecretArray<16>) -> CodeText {
    let bits = with_check(tag, seed.expose());
    // The full capacity at once: growing would leave unwiped copies behind.
    let mut text = String::with_capacity(CHARACTERS + CHARACTERS / GROUP);
    for position in 0..CHARACTERS {
        if position > 0 && position % GROUP == 0 {
            text.push('-');
        }
        let value =
            (0..5).fold(0, |value, bit| value << 1 | bit_at(bits.expose(), position * 5 + bit));
        text.push(char::from(ALPHABET[usize::from(value)]));
    }
    CodeText(text)
}

fn parse(tag: &str, text: &str) -> Result<SecretArray<16>, CodeError> {
    let mut found = 0;
    let mut refused = None;
    let bits: SecretArray<BYTES> = SecretArray::filled(|out| {
        for character in text.chars().filter(|c| *c != '-' && !c.is_whitespace()) {
            found += 1;
            match value_of(character) {
                None => refused = refused.or(Some(CodeError::Character { position: found })),
                Some(value) if found <= CHARACTERS => {
                    for bit in 0..5 {
                        let at = (found - 1) * 5 + bit;
                        out[at / 8] |= (value >> (4 - bit) & 1) << (7 - at % 8);
                    }
                }
                Some(_) => {}
            }
        }
    });
    if let Some(refused) = refused {
        return Err(refused);
    }
    if found != CHARACTERS {
        return Err(CodeError::Length { found });
    }
    let seed: SecretArray<16> =
        SecretArray::filled(|out| out.copy_from_slice(&bits.expose()[..16]));
    // Whoever types the code knows it: there is nobody to hide the time of this comparison from.
    if with_check(tag, seed.expose()).expose() != bits.expose() {
        return Err(CodeError::Check);
    }
    Ok(seed)
}

fn bit_at(bytes: &[u8; BYTES], at: usize) -> u8 {
    bytes[at / 8] >> (7 - at % 8) & 1
}

fn value_of(character: char) -> Option<u8> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let at = ALPHABET.iter().position(|letter| char::from(*letter) == upper)?;
    u8::try_from(at).ok()
}

#[cfg(test)]
mod tests;
