//! Session tokens: what a member shows with every read, so that it need not sign a challenge each time.
//!
//! ```text
//! token = base64url("HFst" ‖ fmt 01 ‖ suite u16 ‖ epoch u32 ‖ wallet 32 ‖ member 16 ‖ link 32 ‖ key 65 ‖ expires u64 ‖ mac 32)
//! mac   = HMAC(session key of the epoch, "holdfast/1 session" ‖ 00 ‖ all before it)
//! ```
//!
//! Any unlocked node can check one. A token is worth nothing without the ephemeral key in it: each
//! request carries a proof under that key (`dpop`). A token says who came in, not that they may
//! still: whether the member is active is looked up with every request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use subtle::ConstantTimeEq;
use types::hash::signed_message;
use types::layout::{Reader, Writer};
use types::{FormatError, LinkHash, MemberId, PublicKey, Suite, WalletId};

use crate::server::{KeyringError, ServerKeyring};

const MAGIC: &[u8; 4] = b"HFst";
const TAG: &str = "holdfast/1 session";
const MAC_LEN: usize = 32;
const SIGNED_LEN: usize = 4 + 1 + 2 + 4 + 32 + 16 + 32 + 65 + 8;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The wallet that may be read.
    pub wallet: WalletId,
    /// Who came in.
    pub member: MemberId,
    /// The last link when the token was made.
    pub link: LinkHash,
    /// The key under which each request is proved.
    pub key: PublicKey,
    /// When it ends, in Unix seconds.
    pub expires_s: u64,
}

/// Why a token was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionRefused {
    /// Not a token, altered, or made under a key that no longer counts.
    #[error("the session token is not valid: ask for a new one")]
    Invalid,
    /// Its time is over.
    #[error("the session has expired: ask for a new token")]
    Expired,
    /// This server cannot check tokens now.
    #[error("check the session token")]
    Keyring(#[source] KeyringError),
}

impl Session {
    /// The token for this session, under the present epoch.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn issue(&self, keyring: &ServerKeyring) -> Result<String, KeyringError> {
        let epoch = keyring.epoch()?;
        let mut token = Writer::with_capacity(SIGNED_LEN + MAC_LEN)
            .opening(MAGIC, Suite::P256)
            .u32(epoch)
            .bytes(self.wallet)
            .bytes(self.member)
            .bytes(self.link)
            .bytes(self.key)
            .u64(self.expires_s)
            .finish();
        let mac = keyring.session_mac(epoch, &signed_message(TAG, &token))?;
        token.extend_from_slice(mac.expose());
        Ok(BASE64URL.encode(token))
    }

    /// Reads a token, if this cluster made it and its time is not over. `now_s` is Unix time in seconds.
    ///
    /// # Errors
    /// [`SessionRefused`].
    pub fn check(keyring: &ServerKeyring, token: &str, now_s: u64) -> Result<Self, SessionRefused> {
        if token.len() > (SIGNED_LEN + MAC_LEN).div_ceil(3) * 4 {
            return Err(SessionRefused::Invalid);
        }
        let bytes = BASE64URL.decode(token).map_err(|_| SessionRefused::Invalid)?;
        let (signed, mac) = bytes.split_last_chunk::<MAC_LEN>().ok_or(SessionRefused::Invalid)?;
        let (epoch, session) = Self::read(signed).map_err(|_| SessionRefused::Invalid)?;
        let expected = keyring.session_mac(epoch, &signed_message(TAG, signed)).map_err(
            |error| match error {
                KeyringError::UnknownEpoch(_) => SessionRefused::Invalid,
                other => SessionRefused::Keyring(other),
            },
        )?;
        if !bool::from(expected.expose().ct_eq(mac)) {
            return Err(SessionRefused::Invalid);
        }
        if session.expires_s <= now_s {
            return Err(SessionRefused::Expired);
        }
        Ok(session)
    }

    fn read(signed: &[u8]) -> Result<(u32, Self), FormatError> {
        let mut reader = Reader::new("session token", signed);
        reader.opening(MAGIC)?;
        let epoch = reader.u32("epoch")?;
        let session = Self {
            wallet: WalletId::from_bytes(reader.fixed("wallet")?),
            member: MemberId::from_bytes(reader.fixed("member")?),
            link: LinkHash::from_bytes(reader.fixed("link")?),
            key: PublicKey::parse(reader.bytes("key", PublicKey::LEN)?)?,
            expires_s: reader.u64("expiry")?,
        };
        reader.finish()?;
        Ok((epoch, session))
    }
}
