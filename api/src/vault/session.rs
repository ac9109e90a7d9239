//! Sessions: what a member shows with every read.
//!
//! A device signs a challenge once and gets a token for 15 minutes. A token says who came in, not
//! that they may still: every read looks the member up again.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use seal::{Session, es256, verify_challenge};
use tokio::time::{Instant, sleep_until};
use types::{
    Challenge, ChallengeUse, ClusterId, Member, MemberId, MemberSignature, Membership, NodeId,
    PublicKey, WalletId,
};

use super::Vault;
use super::error::VaultError;
use super::nonce::{Nonce, NonceRefused};

/// For how long a token lets its holder read, in seconds.
pub(super) const SESSION_S: u64 = 15 * 60;

/// How far apart the moments lie at which somebody is denied.
const EVENLY: Duration = Duration::from_millis(20);
/// How long to wait when as many challenges were answered as can be remembered, in milliseconds.
const FULL_WAIT_MS: u32 = 1_000;

/// The generator of P-256 (SP 800-186, 3.2.1.3): a public key that nobody uses.
const GENERATOR: [u8; PublicKey::LEN] = [
    0x04, //
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40,
    0xf2, //
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2,
    0x96, //
    0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e,
    0x16, //
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// What a challenge must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// For one use.
    pub nonce: Nonce,
    /// The cluster that asks.
    pub cluster: ClusterId,
}

/// A session that was opened.
#[derive(Clone)]
pub struct Opened {
    /// What the holder shows.
    pub token: String,
    /// When it ends, in Unix seconds.
    pub expires_s: u64,
    /// The wallet that it reads.
    pub wallet: WalletId,
}

impl fmt::Debug for Opened {
    /// Without the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token: _, expires_s, wallet } = self;
        let mut shown = formatter.debug_struct("Opened");
        shown.field("wallet", wallet).field("expires_s", expires_s).finish_non_exhaustive()
    }
}

/// A signed challenge, read but not believed.
pub(super) struct Answer {
    pub(super) challenge: Challenge,
    pub(super) signature: MemberSignature,
    nonce: Nonce,
}

impl Vault {
    /// A nonce, and what else a challenge must carry.
    ///
    /// # Errors
    /// [`VaultError::NoCluster`] while the node is fresh.
    pub fn invite(&self) -> Result<Invitation, VaultError> {
        let (cluster, node) = self.place()?;
        Ok(Invitation { nonce: self.nonces.give(node, self.clock.now_s()), cluster })
    }

    /// Exchanges a challenge that a device signed for a session.
    ///
    /// # Errors
    /// [`VaultError::Elsewhere`] names the node that gave the nonce. [`VaultError::Denied`] for a
    /// wallet, member or signature that is not known here, without saying which.
    pub async fn open_session(
        &self,
        challenge: &[u8],
        signature: &[u8],
    ) -> Result<Opened, VaultError> {
        let answer = self.read_answer(ChallengeUse::Session, challenge, signature)?;
        evenly(self.open_by_answer(&answer)).await
    }

    async fn open_by_answer(&self, answer: &Answer) -> Result<Opened, VaultError> {
        self.serves()?;
        let wallet = answer.challenge.wallet;
        let Some(group) = self.node.group_of(&wallet) else { return Err(VaultError::Denied) };
        let members = self.read(group).await?.membership(wallet)?;
        let members = answer.signed_by_member_of(members)?;
        self.spend(answer)?;
        self.issue(&members, answer)
    }

    /// Reads the parts of an answer and checks all of it that needs no wallet.
    pub(super) fn read_answer(
        &self,
        usage: ChallengeUse,
        challenge: &[u8],
        signature: &[u8],
    ) -> Result<Answer, VaultError> {
        let (cluster, node) = self.place()?;
        let challenge = Challenge::parse(challenge)?;
        let signature: [u8; 64] = signature.try_into().map_err(|_| {
            VaultError::Malformed("a challenge's signature has 64 bytes".to_owned())
        })?;
        if challenge.usage != usage {
            let problem = "devices sign challenges of use 1, all other members of use 2".to_owned();
            return Err(VaultError::Malformed(problem));
        }
        if challenge.cluster != cluster {
            return Err(VaultError::Challenge);
        }
        let nonce = Nonce { bytes: challenge.nonce, expires_s: challenge.expires_s };
        self.nonces
            .check(node, &nonce, self.clock.now_s())
            .map_err(|refused| self.of_nonce(refused))?;
        let signature = MemberSignature { member: challenge.member, signature };
        Ok(Answer { challenge, signature, nonce })
    }

    /// Uses up the nonce of an answer that was found to be well signed.
    pub(super) fn spend(&self, answer: &Answer) -> Result<(), VaultError> {
        let spent = self.nonces.spend(&answer.nonce, self.clock.now_s());
        spent.map_err(|refused| self.of_nonce(refused))
    }

    /// The session of an answer's member in one wallet.
    pub(super) fn issue(
        &self,
        members: &Membership,
        answer: &Answer,
    ) -> Result<Opened, VaultError> {
        let session = Session {
            wallet: members.wallet(),
            member: answer.challenge.member,
            link: members.last_link(),
            key: answer.challenge.ephemeral,
            expires_s: self.clock.now_s().saturating_add(SESSION_S),
        };
        let token = session.issue(&self.keyring)?;
        self.metrics.session_opened(answer.challenge.usage);
        Ok(Opened { token, expires_s: session.expires_s, wallet: session.wallet })
    }

    fn of_nonce(&self, refused: NonceRefused) -> VaultError {
        match refused {
            NonceRefused::Foreign(node) => VaultError::Elsewhere(node),
            NonceRefused::Expired => VaultError::Challenge,
            NonceRefused::Full => VaultError::Busy {
                what: "answered challenges",
                limit: self.policy.limits.challenges,
                wait_ms: FULL_WAIT_MS,
            },
        }
    }

    fn place(&self) -> Result<(ClusterId, NodeId), VaultError> {
        let place = self.node.identity().place.ok_or(VaultError::NoCluster)?;
        Ok((place.cluster, place.node))
    }
}

/// Denies at the next of moments that lie apart farther than anything that is read or verified takes:
/// how much there was to read of a wallet does not show in the time.
pub(super) async fn evenly<T>(
    work: impl Future<Output = Result<T, VaultError>>,
) -> Result<T, VaultError> {
    let began = Instant::now();
    let outcome = work.await;
    if matches!(outcome, Err(VaultError::Denied)) {
        let steps = began.elapsed().as_millis() / EVENLY.as_millis() + 1;
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        sleep_until(began + EVENLY.saturating_mul(steps)).await;
    }
    outcome
}

impl Answer {
    /// The members, if one of them who is active signed.
    fn signed_by_member_of(&self, members: Option<Membership>) -> Result<Membership, VaultError> {
        let found = members.as_ref().and_then(|members| members.member(&self.challenge.member));
        let Some(state) = found else {
            self.take_as_long();
            return Err(VaultError::Denied);
        };
        self.signed_by(&state.member)?;
        if !state.is_active() {
            return Err(types::Rejection::MemberInactive.into());
        }
        members.ok_or(VaultError::Denied)
    }

    /// Spends the time of one verification: how long a refusal takes must not tell strangers what is
    /// stored.
    pub(super) fn take_as_long(&self) {
        if let Ok(key) = PublicKey::parse(&GENERATOR) {
            let _ = es256::verify_own(&key, &self.challenge.encode(), &self.signature.signature);
        }
    }

    /// Whether this member signed it.
    pub(super) fn signed_by(&self, member: &Member) -> Result<(), VaultError> {
        verify_challenge(member, &self.challenge, &self.signature).map_err(|_| VaultError::Denied)
    }
}

/// The members of a wallet, if this one is active in it.
///
/// # Errors
/// What a reader of the wallet is told if it is not.
pub(super) fn reading(
    members: Option<Membership>,
    member: &MemberId,
) -> Result<Membership, VaultError> {
    let members = members.ok_or(types::Rejection::NotFound)?;
    if members.erased() {
        return Err(types::Rejection::Erased.into());
    }
    match members.active(member) {
        Some(_) => Ok(members),
        None => Err(types::Rejection::MemberInactive.into()),
    }
}
