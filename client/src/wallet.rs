//! A wallet on one device: its records, its devices, and the cluster that keeps it.
//!
//! Promises: `put`, `delete`, `get` and `list` need no network; what they changed is on disk when they
//! return. Whatever comes from the cluster is verified before it is taken over ([`crate::sync`]). A kill
//! at any instant loses nothing and does nothing twice.
//!
//! One process uses a profile at a time, and one call at a time its wallet.

use std::path::PathBuf;

use redb::backends::InMemoryBackend;
use seal::{DeviceKeys, MemberKeys, SoftwareMember};
use types::{
    Argon2Cost, Secret,
    ids::{HeadHash, MemberId, WalletId},
};

use crate::{
    builder::{ClientBuilder, Deadlines},
    client::Client,
    error::{ClientError, Refusal, Usage},
    local::{Known, Local, LocalError},
    profile::{Profile, ProfileError, Settings},
    random::{self, Random},
    session::Session,
};

mod codes;
mod create;
mod devices;
mod files;
mod own;
mod pull;
mod push;
mod reading;
mod records;
mod recover;
mod revoker;
mod watch;

pub use codes::Codes;
pub use create::CreateOptions;
pub use devices::Device;
pub use pull::PullReport;
pub use push::PushReport;
pub use records::RecordInfo;
pub use recover::{Freshness, Keep, RecoverOptions, RecoveryReport};
pub use revoker::Revoker;

/// Where a wallet is kept on this device.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a profile directory.
    Directory(PathBuf),
    /// Nowhere: it is gone with the process. For benchmarks, and for embedders that keep nothing.
    Memory,
}

/// How the device's private keys rest in a profile directory.
#[derive(Debug)]
pub enum Protection {
    /// Sealed by a passphrase (Argon2id).
    Passphrase(Secret),
    /// In clear, in a file that only its owner may read.
    FileMode,
}

/// An open wallet.
pub struct Wallet {
    profile: Option<Profile>,
    settings: Settings,
    client: Client,
    member: SoftwareMember,
    local: Local,
    known: Option<Known>,
    session: Option<Session>,
    key: Option<own::OpenKey>,
    random: Random,
}

/// What the head of a wallet says, as this device knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The wallet.
    pub wallet: WalletId,
    /// This device.
    pub device: MemberId,
    /// Number of the head: how many commits there were.
    pub seq: u64,
    /// Hash of the head: two devices that know the same one know the same wallet.
    pub head: HeadHash,
    /// When its signer says it was made, in Unix seconds.
    pub time_s: u64,
    /// Records at the head.
    pub records: usize,
    /// Changes on this device that the head does not hold yet.
    pub changes: u64,
    /// Generation of the wallet key.
    pub generation: u32,
}

impl Wallet {
    /// Opens the wallet in a profile directory. Needs no network.
    ///
    /// # Errors
    /// [`ProfileError`] if the directory cannot be used; [`Refusal::WrongPassphrase`];
    /// [`LocalError::Damaged`] if the local copy is not what this device wrote;
    /// [`Usage::Unfinished`] if its creation or recovery was cut short.
    pub fn open(dir: impl Into<PathBuf>, passphrase: Option<&Secret>) -> Result<Self, ClientError> {
        let profile = Profile::existing(&dir.into())?;
        let around = Around::system(profile.settings()?)?;
        Self::open_in(profile, around, passphrase)
    }

    fn open_in(
        profile: Profile,
        around: Around,
        passphrase: Option<&Secret>,
    ) -> Result<Self, ClientError> {
        let dir = profile.dir().to_owned();
        let Begun::Wallet(wallet) = Self::load(profile, around, passphrase)? else {
            return Err(ProfileError::Empty(dir).into());
        };
        match &wallet.known {
            Some(known) if known.membership.member(&wallet.member.id()).is_some() => Ok(*wallet),
            Some(_) => Err(Usage::Unfinished("a recovery").into()),
            None => Err(Usage::Unfinished("the creation of a wallet").into()),
        }
    }

    /// What is in a profile.
    fn load(
        profile: Profile,
        mut around: Around,
        passphrase: Option<&Secret>,
    ) -> Result<Begun, ClientError> {
        let Some(file) = profile.keys()? else { return Ok(Begun::Nothing(Some(profile), around)) };
        let DeviceKeys { member, local } = keys_from_file(&profile, &file, passphrase)?;
        let Some(local) = Local::open(&profile.copy()?, local, None, &mut around.random)? else {
            return Ok(Begun::Nothing(Some(profile), around));
        };
        let known = local.known()?;
        let (Around { settings, client, random }, profile) = (around, Some(profile));
        Ok(Begun::Wallet(Box::new(Self {
            profile,
            settings,
            client,
            member,
            local,
            known,
            session: None,
            key: None,
            random,
        })))
    }

    /// What is in a place where a wallet is to begin.
    fn begun(place: Place, around: Around, protection: &Protection) -> Result<Begun, ClientError> {
        let passphrase = match protection {
            Protection::Passphrase(passphrase) => Some(passphrase),
            Protection::FileMode => None,
        };
        match place {
            Place::Memory => Ok(Begun::Nothing(None, around)),
            Place::Directory(dir) => Self::load(Profile::open(&dir)?, around, passphrase),
        }
    }

    /// Gives up a wallet of which nothing was ever sent, and keeps its place.
    fn abandon(self) -> Result<(Option<Profile>, Around), ClientError> {
        let Self { profile, settings, client, random, local, .. } = self;
        drop(local);
        if let Some(profile) = &profile {
            profile.forget_copy()?;
        }
        Ok((profile, Around { settings, client, random }))
    }

    fn taken(&self) -> ClientError {
        let dir =
            self.profile.as_ref().map_or_else(PathBuf::new, |profile| profile.dir().to_owned());
        ProfileError::Taken(dir).into()
    }

    /// Makes a place for a new wallet, or for a new device of one.
    fn begin(
        place: Option<Profile>,
        around: Around,
        protection: &Protection,
        keys: DeviceKeys,
        wallet: WalletId,
    ) -> Result<Self, ClientError> {
        let Around { settings, client, mut random } = around;
        let local = match &place {
            None => Local::open_on(InMemoryBackend::new(), keys.local, Some(wallet), &mut random)?,
            Some(profile) => {
                profile.write_settings(&settings)?;
                profile.write_keys(keys_to_file(&keys, protection, &mut random).expose())?;
                Local::open(&profile.copy()?, keys.local, Some(wallet), &mut random)?
            }
        };
        let local = local.ok_or(LocalError::Damaged("the wallet's id"))?;
        Ok(Self {
            profile: place,
            settings,
            client,
            member: keys.member,
            local,
            known: None,
            session: None,
            key: None,
            random,
        })
    }

    /// Replaces what the profile remembers of endpoints and CA.
    ///
    /// # Errors
    /// [`Usage`] if they cannot be used; then nothing changes.
    pub fn reconnect(&mut self, settings: Settings) -> Result<(), ClientError> {
        let client = connect(&settings)?;
        if let Some(profile) = &self.profile {
            profile.write_settings(&settings)?;
        }
        (self.settings, self.client, self.session) = (settings, client, None);
        Ok(())
    }

    /// From now on every call ends within these times. They are not kept in the profile.
    ///
    /// # Errors
    /// [`Usage`] if the settings of this wallet cannot be used.
    pub fn set_deadlines(&mut self, deadlines: Deadlines) -> Result<(), ClientError> {
        self.client = of(&self.settings).deadlines(deadlines).build()?;
        Ok(())
    }

    /// How the cluster is reached.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The wallet's id.
    pub fn id(&self) -> WalletId {
        self.local.wallet()
    }

    /// This device's member id.
    pub fn device(&self) -> MemberId {
        self.member.id()
    }

    /// What this device knows, without asking the cluster.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn summary(&self) -> Result<Summary, ClientError> {
        let known = self.known()?;
        let head = known.head.head();
        Ok(Summary {
            wallet: head.wallet,
            device: self.member.id(),
            seq: head.seq,
            head: known.head.hash(),
            time_s: head.time_s,
            records: known.entries.len(),
            changes: self.local.works_count()?,
            generation: known.membership.generation(),
        })
    }

    fn known(&self) -> Result<&Known, ClientError> {
        self.known.as_ref().ok_or_else(|| Usage::Unfinished("the creation of a wallet").into())
    }
}

/// What a wallet needs from outside.
pub(crate) struct Around {
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    pub(crate) random: Random,
}

impl Around {
    /// The cluster of these settings, and the operating system's randomness.
    fn system(settings: Settings) -> Result<Self, ClientError> {
        Ok(Self { client: connect(&settings)?, settings, random: random::system() })
    }
}

/// What a profile holds.
enum Begun {
    Nothing(Option<Profile>, Around),
    Wallet(Box<Wallet>),
}

/// A client for these settings.
fn connect(settings: &Settings) -> Result<Client, ClientError> {
    of(settings).build()
}

fn of(settings: &Settings) -> ClientBuilder {
    Client::builder().endpoints(settings.endpoints.clone()).ca_pem(settings.ca_pem.clone())
}

const SEALED: &[u8] = b"holdfast device keys, sealed by a passphrase\n";
const PLAIN: &[u8] = b"holdfast device keys, in clear: keep this file to yourself\n";

fn keys_to_file(keys: &DeviceKeys, protection: &Protection, random: &mut Random) -> Secret {
    match protection {
        Protection::FileMode => Secret::new([PLAIN, keys.to_plain().expose()].concat()),
        Protection::Passphrase(passphrase) => {
            Secret::new([SEALED, &keys.seal(random, passphrase, Argon2Cost::FLOOR)].concat())
        }
    }
}

fn keys_from_file(
    profile: &Profile,
    file: &Secret,
    passphrase: Option<&Secret>,
) -> Result<DeviceKeys, ClientError> {
    let damaged = || ClientError::from(profile.damaged("is not a device key file"));
    if let Some(plain) = file.expose().strip_prefix(PLAIN) {
        return DeviceKeys::from_plain(&Secret::new(plain.to_vec())).map_err(|_| damaged());
    }
    let sealed = file.expose().strip_prefix(SEALED).ok_or_else(damaged)?;
    let passphrase = passphrase.ok_or(ProfileError::PassphraseNeeded)?;
    let (_, envelope) = types::PassphraseFront::split(sealed).map_err(|_| damaged())?;
    let header = types::Envelope::parse(envelope).map_err(|_| damaged())?.header;
    let device = MemberId::from_bytes(*header.id.as_bytes());
    DeviceKeys::open(passphrase, &device, sealed).map_err(|error| match error {
        seal::SealError::DoesNotOpen => Refusal::WrongPassphrase.into(),
        _ => damaged(),
    })
}

#[cfg(test)]
pub(crate) mod tests;
