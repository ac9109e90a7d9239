//! Recovery: a wallet on a new device, from the recovery code alone.
//!
//! Promises: the wallet is the one that this code signed itself into, verified from its genesis on; what
//! cannot be known is said ([`Freshness`]): a server that shows an old state to somebody who holds
//! nothing else cannot be caught. The new device enters, the devices not kept leave, and the wallet key
//! changes, in one commit.

use seal::{DeviceKeys, MemberKeys, RecoveryCode, SoftwareMember};
use tokio::time;
use types::{
    Add, LinkPayload, Member, MemberKind, Revoke, SignedLink,
    ids::{MemberId, WalletId},
};

use super::{Around, Begun, Device, Place, Protection, Wallet, own::Fate};
use crate::{
    client::CallError,
    error::{ClientError, Refusal, Unavailable, Usage},
    fetch,
    profile::{Profile, Settings},
    session::Session,
    sync::{
        Violation,
        draft::{Chain, Changes, Draft},
        verify::{Verified, verify},
    },
};

/// How often the recovery is made anew because other devices moved the head on.
const ATTEMPTS_MAX: u32 = 10;

/// Which of the old devices stay members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// None: they are lost, or one of them is and it is not known which.
    None,
    /// All: this is one device more.
    All,
    /// These.
    Devices(Vec<MemberId>),
}

impl Keep {
    fn keeps(&self, id: &MemberId) -> bool {
        match self {
            Keep::None => false,
            Keep::All => true,
            Keep::Devices(ids) => ids.contains(id),
        }
    }
}

/// How a wallet is recovered.
#[derive(Debug)]
pub struct RecoverOptions {
    /// What its owner calls the new device.
    pub device_name: String,
    /// How the new device's keys rest.
    pub protection: Protection,
    /// Which devices stay.
    pub keep: Keep,
    /// Which wallet, where the code opens several.
    pub wallet: Option<WalletId>,
}

/// Whether what was recovered is known to be the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It is not: whoever has the code alone cannot tell an old state from the latest.
    Unproven,
}

/// What was found, and what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The wallet.
    pub wallet: WalletId,
    /// When the signer of the head that was found says it was made, in Unix seconds.
    pub head_time_s: u64,
    /// How many changes there were: the number of that head.
    pub changes: u64,
    /// Who was a member then.
    pub devices: Vec<Device>,
    /// Which devices were revoked.
    pub revoked: Vec<MemberId>,
    /// Whether that head is known to be the latest.
    pub freshness: Freshness,
}

impl Wallet {
    /// Recovers a wallet from its recovery code. Afterwards offer a fresh code
    /// ([`Wallet::replace_recovery_code`]): the old one was typed in.
    ///
    /// Where an earlier call in the same profile was cut off, it goes on with what that one began.
    ///
    /// # Errors
    /// [`Refusal::NoWalletForCode`]; [`Usage::SeveralWallets`]; [`ClientError::Integrity`] if what is shown
    /// is not what the wallet's members signed; otherwise as [`Wallet::push`].
    pub async fn recover(
        place: Place,
        settings: Settings,
        code: &RecoveryCode,
        options: RecoverOptions,
    ) -> Result<(Self, RecoveryReport), ClientError> {
        Self::recover_in(place, Around::system(settings)?, code, options).await
    }

    pub(crate) async fn recover_in(
        place: Place,
        around: Around,
        code: &RecoveryCode,
        options: RecoverOptions,
    ) -> Result<(Self, RecoveryReport), ClientError> {
        let code = code.member_keys();
        let mut wallet = match Self::begun(place, around, &options.protection)? {
            Begun::Nothing(profile, around) => {
                Self::find_wallet(profile, around, &code, &options).await?
            }
            Begun::Wallet(wallet) => match &wallet.known {
                Some(known) if known.membership.member(&wallet.member.id()).is_none() => *wallet,
                Some(_) => return Err(wallet.taken()),
                None if wallet.local.pending()?.is_some() => {
                    return Err(Usage::Unfinished("the creation of a wallet").into());
                }
                None => {
                    let (profile, around) = wallet.abandon()?;
                    Self::find_wallet(profile, around, &code, &options).await?
                }
            },
        };
        let report = wallet.found(&options.keep)?;
        wallet.join(&code, &options.keep).await?;
        Ok((wallet, report))
    }

    /// Finds the wallet that the code opens, verifies it and makes a place for it. The device is no
    /// member yet.
    async fn find_wallet(
        profile: Option<Profile>,
        mut around: Around,
        code: &SoftwareMember,
        options: &RecoverOptions,
    ) -> Result<Self, ClientError> {
        let mut found = Vec::new();
        for session in sessions(&mut around, code, options.wallet).await? {
            let request = fetch::request(&session, None);
            let received =
                fetch::pull(&around.client, &session, &request, &mut around.random).await;
            let received = received.map_err(CallError::flatten)?;
            let verified = verify(session.wallet(), None, &[], code, &received)?;
            if !signed_itself_in(code.member(), &verified.links) {
                return Err(Violation::ForgedCode.into());
            }
            found.push((session.wallet(), verified));
        }
        let ids: Vec<WalletId> = found.iter().map(|(id, _)| *id).collect();
        let (Some((id, verified)), true) = (found.pop(), ids.len() == 1) else {
            return Err(if ids.is_empty() {
                Refusal::NoWalletForCode.into()
            } else {
                Usage::SeveralWallets(ids).into()
            });
        };
        let keys = DeviceKeys::generate(&mut around.random);
        let mut wallet = Self::begin(profile, around, &options.protection, keys, id)?;
        wallet.advance(verified)?;
        wallet.name_device(&options.device_name)?;
        Ok(wallet)
    }

    /// What there is before anything is done.
    fn found(&self, keep: &Keep) -> Result<RecoveryReport, ClientError> {
        let known = self.known()?;
        let head = known.head.head();
        Ok(RecoveryReport {
            wallet: head.wallet,
            head_time_s: head.time_s,
            changes: head.seq,
            devices: self.devices_of(known)?,
            revoked: self.leaving(keep)?,
            freshness: Freshness::Unproven,
        })
    }

    fn leaving(&self, keep: &Keep) -> Result<Vec<MemberId>, ClientError> {
        let active = self.known()?.membership.active_members();
        let devices = active
            .filter(|state| state.member.kind() == MemberKind::Device && !keep.keeps(&state.id));
        Ok(devices.map(|state| state.id).filter(|id| *id != self.member.id()).collect())
    }

    /// Makes this device a member, by the code's authority. The code's key is needed until that is
    /// accepted: after a clash it has to sign again.
    async fn join(&mut self, code: &SoftwareMember, keep: &Keep) -> Result<(), ClientError> {
        for attempts in 1..=ATTEMPTS_MAX {
            let mut pending = match self.pending()? {
                Some(pending) => pending,
                None => {
                    let draft = self.joining(code, keep)?;
                    self.keep(draft)?
                }
            };
            if let Fate::Accepted = self.send(&mut pending, "").await? {
                return Ok(());
            }
            let verified = self.look_again(code).await?;
            self.advance(verified)?;
            if self.known()?.membership.active(&self.member.id()).is_some() {
                return Ok(());
            }
            time::sleep(self.client.pause(attempts)).await;
        }
        Err(Unavailable::Contended { attempts: ATTEMPTS_MAX }.into())
    }

    /// What others changed since, read with the code.
    async fn look_again(&mut self, code: &SoftwareMember) -> Result<Verified, ClientError> {
        let id = self.local.wallet();
        let locator = code.member().locator().ok_or(Refusal::NoWalletForCode)?;
        let sessions =
            Session::open_by_locator(&self.client, code, locator, &mut self.random).await?;
        let session = sessions
            .into_iter()
            .find(|session| session.wallet() == id)
            .ok_or(Refusal::NoWalletForCode)?;
        let request = fetch::request(&session, self.known.as_ref());
        let received = fetch::pull(&self.client, &session, &request, &mut self.random).await;
        let links = self.local.links()?;
        verify(id, self.known.as_ref(), &links, code, &received.map_err(CallError::flatten)?)
    }

    /// Add this device, revoke those not kept, change the wallet key: signed by the code, the head by
    /// this device.
    fn joining(&mut self, code: &SoftwareMember, keep: &Keep) -> Result<Draft, ClientError> {
        let before = self.newest_key(code)?;
        let leaving = self.leaving(keep)?;
        let known = self.known()?;
        let changes = Changes::batch(&self.local.works()?, &known.entries)?;
        let mut chain = Chain::of(known);
        let seal = Some(before.seal_to(&mut self.random, self.member.member())?);
        let add = Add { member: *self.member.member(), generation: before.generation(), seal };
        chain.append(&[code, &self.member], LinkPayload::Add(add), &mut self.random)?;
        for member in leaving {
            let revoke = LinkPayload::Revoke(Revoke { member, reason: 0 });
            chain.append(&[code], revoke, &mut self.random)?;
        }
        let key = chain.rotate(code, &before, &mut self.random)?;
        let sealed = changes.seal(&key, &mut self.random)?;
        self.draft(chain, sealed)
    }
}

/// Sessions of the wallets that the code opens, or of the one that was chosen.
async fn sessions(
    around: &mut Around,
    code: &SoftwareMember,
    chosen: Option<WalletId>,
) -> Result<Vec<Session>, ClientError> {
    let locator = code.member().locator().ok_or(Refusal::NoWalletForCode)?;
    let mut sessions =
        Session::open_by_locator(&around.client, code, locator, &mut around.random).await?;
    sessions.retain(|session| chosen.is_none_or(|chosen| session.wallet() == chosen));
    Ok(sessions)
}

/// Whether a link brings in exactly this member, with its own signature on it. The signatures of all
/// links were verified before.
fn signed_itself_in(member: &Member, links: &[SignedLink]) -> bool {
    let id = member.id();
    links.iter().any(|link| {
        let brings = match &link.link().payload {
            LinkPayload::Genesis(genesis) => genesis.members.contains(member),
            LinkPayload::Add(add) => add.member == *member,
            _ => false,
        };
        brings && link.signatures().iter().any(|signature| signature.member == id)
    })
}
