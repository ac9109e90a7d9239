//! Challenges: what a member signs to be let in, once.
//!
//! ```text
//! Challenge = "HFch" ‖ fmt 01 ‖ suite u16 ‖ use u8 ‖ cluster 16 ‖ wallet 32 ‖ member 16 ‖ nonce 32
//!             ‖ ephemeral key 65 ‖ expires u64
//! ```

use crate::ids::{ClusterId, MemberId, WalletId};
use crate::layout::{FormatError, Reader, Writer};
use crate::member::PublicKey;
use crate::suite::Suite;

/// The tag under which challenges are signed.
pub const CHALLENGE_TAG: &str = "holdfast/1 challenge";

/// Who signs a challenge, and what for. The numbers are the format's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChallengeUse {
    /// A device, for a session of its wallet.
    Session = 1,
    /// Any other member, who finds its wallet by its locator and reads with it.
    Recovery = 2,
}

/// What a member signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The algorithms of its signature.
    pub suite: Suite,
    /// Who signs it.
    pub usage: ChallengeUse,
    /// The cluster that asks, so that no other can use the answer.
    pub cluster: ClusterId,
    /// The wallet; zero for [`ChallengeUse::Recovery`].
    pub wallet: WalletId,
    /// Who signs it.
    pub member: MemberId,
    /// From the server, for one use.
    pub nonce: [u8; 32],
    /// The key under which the session's requests are proved.
    pub ephemeral: PublicKey,
    /// When it ends, in Unix seconds.
    pub expires_s: u64,
}

impl Challenge {
    /// Length in bytes.
    pub const LEN: usize = 177;
    const MAGIC: &'static [u8; 4] = b"HFch";
    const WHAT: &'static str = "challenge";

    /// Reads one challenge and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(Self::WHAT, bytes);
        let suite = reader.opening(Self::MAGIC)?;
        let usage = match reader.u8("use")? {
            2 => ChallengeUse::Recovery,
            other => {
                reader.require(other == 1, "use", "1 (a device) or 2 (any other member)")?;
                ChallengeUse::Session
            }
        };
        let cluster = ClusterId::from_bytes(reader.fixed("cluster")?);
        let wallet = WalletId::from_bytes(reader.fixed("wallet")?);
        let zero = usage == ChallengeUse::Recovery;
        reader.require(wallet.is_zero() == zero, "wallet", "set for use 1, 0 for use 2")?;
        let challenge = Self {
            suite,
            usage,
            cluster,
            wallet,
            member: MemberId::from_bytes(reader.fixed("member")?),
            nonce: reader.fixed("nonce")?,
            ephemeral: PublicKey::read(&mut reader)?,
            expires_s: reader.u64("expiry")?,
        };
        reader.finish()?;
        Ok(challenge)
    }

    /// The layout.
    pub fn encode(&self) -> Vec<u8> {
        Writer::with_capacity(Self::LEN)
            .opening(Self::MAGIC, self.suite)
            .u8(self.usage as u8)
            .bytes(self.cluster)
            .bytes(self.wallet)
            .bytes(self.member)
            .bytes(self.nonce)
            .bytes(self.ephemeral)
            .u64(self.expires_s)
            .finish()
    }
}

#[cfg(test)]
mod tests;
