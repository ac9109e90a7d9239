//! Sessions: what lets a member read for a quarter of an hour.
//!
//! A member signs the cluster's challenge and names a fresh key in it; it gets a token that is worth
//! nothing without that key, because every request carries a proof made with it (RFC 9449).
//!
//! Promises: a session is opened anew before it ends, and once more if a node does not accept it; the
//! private key leaves the process only by [`Wallet::session`](crate::Wallet::session), on request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use proto::v1;
use seal::{MemberKeys, SealError, dpop, es256::SoftwareKey, sign_challenge};
use types::{
    Challenge, ChallengeUse, Suite,
    ids::{ClusterId, Locator, WalletId},
};

use crate::{
    client::{CallError, Client, Effect, Hinted},
    error::{ClientError, Refusal, Unavailable},
    random::Random,
    transport::{Credentials, Door},
};

pub(crate) mod export;

/// Tokens live 15 minutes; the rest is for the way and for clocks that run apart.
const USED_FOR: Duration = Duration::from_secs(12 * 60);
/// A challenge is good for one use: when its answer is lost, or its node is, another one is needed.
const HANDSHAKES_MAX: u32 = 3;

/// A token and the key that it is bound to.
pub(crate) struct Session {
    token: String,
    wallet: WalletId,
    key: Arc<SoftwareKey>,
    opened: Instant,
    expires_s: u64,
}

impl Session {
    /// Opens a session of `wallet` for a device, bound to `key`.
    pub(crate) async fn open(
        client: &Client,
        keys: &dyn MemberKeys,
        wallet: WalletId,
        key: SoftwareKey,
        random: &mut Random,
    ) -> Result<Self, ClientError> {
        let key = Arc::new(key);
        for _ in 0..HANDSHAKES_MAX {
            let (challenge, signature) =
                answer(client, keys, Door::Devices, wallet, &key, random).await?;
            let request =
                v1::OpenSessionRequest { challenge: challenge.into(), signature: signature.into() };
            let transport = client.transport();
            let opened = client
                .call(Effect::None, Some(&wallet), client.deadlines().attempt, |node| {
                    transport.open_session(node, request.clone())
                })
                .await;
            match opened {
                Ok(session) => return Ok(Self::new(&session, wallet, key)),
                Err(CallError::SessionEnded(_)) => {}
                Err(CallError::Other(error)) => return Err(error),
            }
        }
        Err(handshake_failed(client))
    }

    /// Opens sessions of all wallets in which the member with this locator is active.
    pub(crate) async fn open_by_locator(
        client: &Client,
        keys: &dyn MemberKeys,
        locator: &Locator,
        random: &mut Random,
    ) -> Result<Vec<Self>, ClientError> {
        let key = Arc::new(SoftwareKey::generate(random));
        for _ in 0..HANDSHAKES_MAX {
            let (challenge, signature) =
                answer(client, keys, Door::Recovery, WalletId::ZERO, &key, random).await?;
            let request = v1::OpenRequest {
                locator: locator.as_bytes().to_vec().into(),
                challenge: challenge.into(),
                signature: signature.into(),
            };
            let transport = client.transport();
            let opened = client
                .call(Effect::None, None, client.deadlines().attempt, |node| {
                    transport.open_recovery(node, request.clone())
                })
                .await;
            match opened {
                Ok(reply) => return Ok(Self::all(&reply, &key)),
                Err(CallError::SessionEnded(_)) => {}
                Err(CallError::Other(error))
                    if matches!(error.refusal_code(), Some("denied" | "not_found")) =>
                {
                    return Err(Refusal::NoWalletForCode.into());
                }
                Err(CallError::Other(error)) => return Err(error),
            }
        }
        Err(handshake_failed(client))
    }

    fn all(reply: &v1::OpenReply, key: &Arc<SoftwareKey>) -> Vec<Self> {
        let wallet = |session: &v1::Session| WalletId::parse(&session.wallet).ok();
        let sessions =
            reply.sessions.iter().filter_map(|session| Some((session, wallet(session)?)));
        sessions.map(|(session, wallet)| Self::new(session, wallet, key.clone())).collect()
    }

    fn new(session: &v1::Session, wallet: WalletId, key: Arc<SoftwareKey>) -> Self {
        let token = session.token.clone();
        Self { token, wallet, key, opened: Instant::now(), expires_s: session.expires }
    }
    /// Whether it will still be accepted when a request arrives.
    pub(crate) fn is_fresh(&self) -> bool {
        self.opened.elapsed() < USED_FOR
    }

    pub(crate) fn wallet(&self) -> WalletId {
        self.wallet
    }

    /// Headers for one request to the method with this path.
    pub(crate) fn credentials(
        &self,
        path: &str,
        now_s: u64,
        random: &mut Random,
    ) -> Result<Credentials, SealError> {
        let request = dpop::Request { method: "POST", uri: path, token: &self.token };
        let proof = dpop::build(random, &self.key, &request, now_s)?;
        Ok(Credentials { authorization: format!("DPoP {}", self.token), proof })
    }
}

/// Gets a challenge, completes it and signs it: challenge and signature, as they are sent.
async fn answer(
    client: &Client,
    keys: &dyn MemberKeys,
    door: Door,
    wallet: WalletId,
    ephemeral: &SoftwareKey,
    random: &mut Random,
) -> Result<(Vec<u8>, Vec<u8>), ClientError> {
    let transport = client.transport();
    let given = client
        .call(Effect::None, None, client.deadlines().attempt, |node| {
            transport.challenge(node, door)
        })
        .await
        .map_err(CallError::flatten)?;
    let unusable = || Refusal::Cluster {
        code: "challenge".to_owned(),
        message: "the challenge it gave cannot be answered".to_owned(),
        found: None,
    };
    let challenge = Challenge {
        suite: Suite::P256,
        usage: match door {
            Door::Devices => ChallengeUse::Session,
            Door::Recovery => ChallengeUse::Recovery,
        },
        cluster: ClusterId::parse(&given.cluster).map_err(|_| unusable())?,
        wallet,
        member: keys.id(),
        nonce: given.nonce.as_ref().try_into().map_err(|_| unusable())?,
        ephemeral: *ephemeral.public(),
        expires_s: given.expires,
    };
    let signature = sign_challenge(random, keys, &challenge)?;
    Ok((challenge.encode(), signature.signature.to_vec()))
}

fn handshake_failed(client: &Client) -> ClientError {
    let seconds = client.deadlines().overall.as_secs();
    Unavailable::NotDone {
        seconds,
        last: "the challenge was not accepted; check this machine's clock".to_owned(),
    }
    .into()
}

impl Hinted for v1::ChallengeReply {}
impl Hinted for v1::Session {}
impl Hinted for v1::OpenReply {}
