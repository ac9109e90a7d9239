//! The first commit of a wallet: genesis, first wallet key, the device's name.

use std::fmt;

use rand::Rng;
use seal::{DeviceKeys, MemberKeys, RecoveryCode, RevokerCode};
use types::{Entries, Genesis};

use super::{Around, Begun, Codes, Place, Protection, Wallet, own::Fate};
use crate::{
    error::{ClientError, Unavailable},
    profile::{Profile, Settings},
    sync::draft::{Chain, Changes},
};

/// How a wallet begins.
pub struct CreateOptions {
    /// What its owner calls this device.
    pub device_name: String,
    /// How the device's keys rest.
    pub protection: Protection,
    /// Whether there is a recovery code. Without one the loss of the last device is the loss of the wallet.
    pub recovery_code: bool,
    /// Whether there is a code that can revoke devices and nothing else.
    pub revoker: bool,
    /// Residency region: the first byte of the wallet's id, for ever.
    pub region: u8,
    /// What the cluster's operator gave out; empty where anybody may create wallets.
    pub registration_token: String,
}

/// Everything but the token, which lets whoever has it in.
impl fmt::Debug for CreateOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateOptions")
            .field("device_name", &self.device_name)
            .field("protection", &self.protection)
            .field("recovery_code", &self.recovery_code)
            .field("revoker", &self.revoker)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl CreateOptions {
    /// A wallet with a recovery code, in region 0, on a cluster that asks for no token.
    pub fn new(device_name: impl Into<String>, protection: Protection) -> Self {
        Self {
            device_name: device_name.into(),
            protection,
            recovery_code: true,
            revoker: false,
            region: 0,
            registration_token: String::new(),
        }
    }
}

impl Wallet {
    /// Creates a wallet. `announce` gets the codes before the cluster hears of them.
    ///
    /// Where an earlier call in the same profile was cut off after that, the same wallet is finished,
    /// and `announce` is not called: the codes announced then hold.
    ///
    /// # Errors
    /// [`crate::ProfileError`] if the place cannot be used; [`ClientError::Refused`] with the code `registration`
    /// where a token is asked for; otherwise as [`Wallet::push`].
    pub async fn create(
        place: Place,
        settings: Settings,
        options: CreateOptions,
        announce: impl FnOnce(&Codes),
    ) -> Result<Self, ClientError> {
        Self::create_in(place, Around::system(settings)?, options, announce).await
    }

    pub(crate) async fn create_in(
        place: Place,
        around: Around,
        options: CreateOptions,
        announce: impl FnOnce(&Codes),
    ) -> Result<Self, ClientError> {
        let mut wallet = match Self::begun(place, around, &options.protection)? {
            Begun::Nothing(profile, around) => {
                Self::first_commit(profile, around, &options, announce)?
            }
            Begun::Wallet(wallet) if wallet.known.is_some() => return Err(wallet.taken()),
            Begun::Wallet(wallet) if wallet.local.pending()?.is_some() => *wallet,
            Begun::Wallet(wallet) => {
                let (profile, around) = wallet.abandon()?;
                Self::first_commit(profile, around, &options, announce)?
            }
        };
        let Some(mut pending) = wallet.pending()? else { return Err(wallet.taken()) };
        match wallet.send(&mut pending, &options.registration_token).await? {
            Fate::Accepted => Ok(wallet),
            Fate::Conflict(_) => Err(Unavailable::Contended { attempts: 1 }.into()),
        }
    }

    /// Makes the first commit and keeps it, to be sent.
    fn first_commit(
        profile: Option<Profile>,
        mut around: Around,
        options: &CreateOptions,
        announce: impl FnOnce(&Codes),
    ) -> Result<Self, ClientError> {
        let random = &mut around.random;
        let keys = DeviceKeys::generate(random);
        let codes = Codes {
            recovery: options.recovery_code.then(|| RecoveryCode::generate(random)),
            revoker: options.revoker.then(|| RevokerCode::generate(random)),
        };
        let recovery = codes.recovery.as_ref().map(RecoveryCode::member_keys);
        let revoker = codes.revoker.as_ref().map(RevokerCode::member_keys);
        let members: Vec<&dyn MemberKeys> =
            [Some(&keys.member), recovery.as_ref(), revoker.as_ref()]
                .into_iter()
                .flatten()
                .map(|member| member as &dyn MemberKeys)
                .collect();
        let mut nonce = [0; 32];
        random.fill_bytes(&mut nonce);
        let listed = members.iter().map(|keys| *keys.member()).collect();
        let mut chain = Chain::begin(
            &members,
            Genesis { region: options.region, nonce, members: listed },
            random,
        )?;
        let key = chain.first_key(&keys.member, random)?;

        let id = chain.membership().wallet();
        let mut wallet = Self::begin(profile, around, &options.protection, keys, id)?;
        wallet.name_device(&options.device_name)?;
        let changes = Changes::batch(&wallet.local.works()?, &Entries::EMPTY)?;
        let sealed = changes.seal(&key, &mut wallet.random)?;
        let draft = wallet.draft(chain, sealed)?;
        announce(&codes);
        wallet.keep(draft)?;
        Ok(wallet)
    }
}
