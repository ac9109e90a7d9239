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
/// A challenge is good for one use at the node that gave it: when that node does not take the answer
/// within this time, another challenge is asked for.
const ANSWER_FOR: Duration = Duration::from_secs(1);

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
        let (key, transport) = (Arc::new(key), client.transport());
        let mut rounds = Rounds::begin(client);
        loop {
            let (challenge, signature) =
                answer(client, keys, Door::Devices, wallet, &key, random).await?;
            let request =
                v1::OpenSessionRequest { challenge: challenge.into(), signature: signature.into() };
            let attempt = client.deadlines().attempt;
            let opened = client
                .call_for(ANSWER_FOR, Effect::None, Some(&wallet), attempt, |node| {
                    transport.open_session(node, request.clone())
                })
                .await;
            match opened {
                Ok(session) => return Ok(Self::new(&session, wallet, key)),
                Err(error) => rounds.next(error).await?,
            }
        }
    }

    /// Opens sessions of all wallets in which the member with this locator is active.
    pub(crate) async fn open_by_locator(
        client: &Client,
        keys: &dyn MemberKeys,
        locator: &Locator,
        random: &mut Random,
    ) -> Result<Vec<Self>, ClientError> {
        let (key, transport) = (Arc::new(SoftwareKey::generate(random)), client.transport());
        let mut rounds = Rounds::begin(client);
        loop {
            let (challenge, signature) =
                answer(client, keys, Door::Recovery, WalletId::ZERO, &key, random).await?;
            let request = v1::OpenRequest {
                locator: locator.as_bytes().to_vec().into(),
                challenge: challenge.into(),
                signature: signature.into(),
            };
            let attempt = client.deadlines().attempt;
            let opened = client
                .call_for(ANSWER_FOR, Effect::None, None, attempt, |node| {
                    transport.open_recovery(node, request.clone())
                })
                .await;
            match opened {
                Ok(reply) => return Ok(Self::all(&reply, &key)),
                Err(error) => {
                    rounds.next(error).await.map_err(|error| match error.refusal_code() {
                        Some("denied" | "not_found") => Refusal::NoWalletForCode.into(),
                        _ => error,
                    })?
                }
            }
        }
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
    // Where the answer will go, so that it need not be passed on.
    let at = Some(&wallet).filter(|wallet| !wallet.is_zero());
    let given = client
        .call(Effect::None, at, client.deadlines().attempt, |node| transport.challenge(node, door))
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

/// Challenge after challenge, until one is answered or the overall deadline ends.
struct Rounds<'a> {
    client: &'a Client,
    begun: Instant,
    failures: u32,
}

impl<'a> Rounds<'a> {
    fn begin(client: &'a Client) -> Self {
        Self { client, begun: Instant::now(), failures: 0 }
    }

    /// Waits for the next round, or says why there is none.
    async fn next(&mut self, error: CallError) -> Result<(), ClientError> {
        let last = match error {
            CallError::SessionEnded(why) => why,
            CallError::Other(ClientError::Unavailable(unavailable)) => unavailable.to_string(),
            CallError::Other(error) => return Err(error),
        };
        self.failures += 1;
        let (pause, overall) = (self.client.pause(self.failures), self.client.deadlines().overall);
        if self.begun.elapsed() + pause >= overall {
            return Err(Unavailable::NotDone { seconds: overall.as_secs(), last }.into());
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

impl Hinted for v1::ChallengeReply {}
impl Hinted for v1::Session {}
impl Hinted for v1::OpenReply {}
