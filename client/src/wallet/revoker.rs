//! The revoker code: puts a lost device out when no other device is at hand.
//!
//! Its member has no seal key, so it can open no record and change none: it sees who is a member, signs
//! a Revoke link and the head over it, and leaves the rest as it is. The wallet key is changed by the
//! next device that pushes.

use seal::{MemberKeys, RevokerCode, SoftwareMember};
use tokio::time;
use types::{
    LinkPayload, Revoke,
    ids::{MemberId, WalletId},
};

use super::{Around, Device};
use crate::{
    client::{CallError, Client},
    clock,
    error::{ClientError, Refusal, Unavailable, Usage},
    fetch,
    local::Known,
    profile::Settings,
    random::Random,
    session::Session,
    sync::{
        draft::{self, Chain, Sealed},
        verify::check,
    },
};

/// How often a revocation is made anew because other devices moved the head on.
const ATTEMPTS_MAX: u32 = 10;

/// A wallet as its revoker code sees it.
pub struct Revoker {
    client: Client,
    random: Random,
    code: SoftwareMember,
    wallet: WalletId,
    known: Known,
}

impl Revoker {
    /// Finds the wallet of a revoker code and verifies its chain of members from the genesis on.
    ///
    /// # Errors
    /// [`Refusal::NoWalletForCode`]; [`Usage::SeveralWallets`]; [`ClientError::Integrity`] if what is
    /// shown is not what the wallet's members signed; [`Unavailable`].
    pub async fn open(settings: Settings, code: &RevokerCode) -> Result<Self, ClientError> {
        Self::open_in(Around::system(settings)?, code).await
    }

    pub(crate) async fn open_in(around: Around, code: &RevokerCode) -> Result<Self, ClientError> {
        let Around { client, mut random, .. } = around;
        let code = code.member_keys();
        let mut sessions = sessions(&client, &code, &mut random).await?;
        let wallets: Vec<WalletId> = sessions.iter().map(Session::wallet).collect();
        let (Some(session), true) = (sessions.pop(), wallets.len() == 1) else {
            return Err(Usage::SeveralWallets(wallets).into());
        };
        let known = look(&client, &session, None, &code, &mut random).await?;
        Ok(Self { wallet: session.wallet(), client, random, code, known })
    }

    /// The wallet.
    pub fn wallet(&self) -> WalletId {
        self.wallet
    }

    /// Who is or was a member, in the order they came. Names are sealed, so there are none.
    pub fn devices(&self) -> Vec<Device> {
        self.known.membership.members().iter().map(|state| Device::of(state, None, false)).collect()
    }

    /// Revokes a device. When this returns, every node refuses it.
    ///
    /// # Errors
    /// [`Refusal::NotActive`] if it is no member now; [`Refusal::Link`] if it is no device;
    /// [`Unavailable`]: then look again before trying again.
    pub async fn revoke(&mut self, device: MemberId) -> Result<(), ClientError> {
        for attempts in 1..=ATTEMPTS_MAX {
            if self.known.membership.active(&device).is_none() {
                return Err(Refusal::NotActive(device).into());
            }
            let mut chain = Chain::of(&self.known);
            let revoke = LinkPayload::Revoke(Revoke { member: device, reason: 0 });
            chain.append(&[&self.code], revoke, &mut self.random)?;
            let (known, nothing, random) = (Some(&self.known), Sealed::default(), &mut self.random);
            let draft = draft::commit(known, chain, nothing, &self.code, clock::now_s(), random)?;
            let request = proto::v1::PushRequest { commit: Some((&draft.commit).into()) };
            match self.client.push(&self.wallet, &request).await {
                Ok(_) => {
                    self.known = draft.after;
                    return Ok(());
                }
                Err(error) if error.refusal_code() == Some("conflict") => self.look_again().await?,
                Err(error) => return Err(error),
            }
            time::sleep(self.client.pause(attempts)).await;
        }
        Err(Unavailable::Contended { attempts: ATTEMPTS_MAX }.into())
    }

    async fn look_again(&mut self) -> Result<(), ClientError> {
        let sessions = sessions(&self.client, &self.code, &mut self.random).await?;
        let session = sessions.into_iter().find(|session| session.wallet() == self.wallet);
        let session = session.ok_or(Refusal::NoWalletForCode)?;
        let (client, known) = (&self.client, Some(&self.known));
        self.known = look(client, &session, known, &self.code, &mut self.random).await?;
        Ok(())
    }
}

async fn sessions(
    client: &Client,
    code: &SoftwareMember,
    random: &mut Random,
) -> Result<Vec<Session>, ClientError> {
    let locator = code.member().locator().ok_or(Refusal::NoWalletForCode)?;
    Session::open_by_locator(client, code, locator, random).await
}

/// What the wallet is now, checked against what was seen before.
async fn look(
    client: &Client,
    session: &Session,
    held: Option<&Known>,
    code: &SoftwareMember,
    random: &mut Random,
) -> Result<Known, ClientError> {
    let received = fetch::pull(client, session, &fetch::request(session, held), random).await;
    let received = received.map_err(CallError::flatten)?;
    Ok(check(session.wallet(), held, &code.id(), &received)?.known().0)
}
