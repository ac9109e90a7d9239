//! Which wallet, on which cluster, opened by what.

use crate::{failure::Failure, passphrase};
use anyhow::{Context, anyhow};
use client::{ClientError, Place, ProfileError, Protection, Settings, Wallet};
use std::{fs, path::PathBuf};

/// Where the wallet is, and how it is reached.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Wallet and cluster")]
pub(crate) struct ProfileArgs {
    /// The directory of this device's wallet.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "HOLDFAST_PROFILE",
        hide_env_values = true
    )]
    profile: Option<PathBuf>,
    /// Public endpoints of the cluster; remembered in the profile.
    #[arg(long, global = true, value_name = "URL", value_delimiter = ',')]
    endpoints: Vec<String>,
    /// The authority of the cluster; remembered in the profile.
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Read the passphrase of the device keys from this file (mode 0600), not from the terminal.
    #[arg(long, global = true, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// How the keys of a new device rest.
#[derive(Debug, clap::Args)]
pub(crate) struct ProtectionArgs {
    /// Keep the device keys in a file that only you can read, without a passphrase.
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
}

impl ProfileArgs {
    /// The profile's directory: given, or `.holdfast` in the home directory.
    pub(super) fn dir(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.profile {
            return Ok(dir.clone());
        }
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let hint = "no home directory is known; name the wallet's directory with --profile DIR";
        Ok(home.ok_or_else(|| Failure::usage(anyhow!(hint)))?.join(".holdfast"))
    }

    /// Where a new wallet goes.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        Ok(Place::Directory(self.dir()?))
    }

    /// Opens the wallet; asks for its passphrase only if it has one.
    pub(super) fn open(&self) -> Result<Wallet, Failure> {
        let dir = self.dir()?;
        let mut wallet = match Wallet::open(&dir, None) {
            Err(ClientError::Profile(ProfileError::PassphraseNeeded)) => {
                let file = self.passphrase_file.as_deref();
                let secret = passphrase::passphrase(file, &format!("{}", dir.display()))?;
                Wallet::open(&dir, Some(&secret))?
            }
            opened => opened?,
        };
        if !self.endpoints.is_empty() || self.ca.is_some() {
            let settings = self.settings(Some(wallet.settings()))?;
            wallet.reconnect(settings)?;
        }
        Ok(wallet)
    }

    /// Endpoints and CA as given; what is not given is as it was.
    pub(super) fn settings(&self, known: Option<&Settings>) -> Result<Settings, Failure> {
        let missing = |option: &str, what: &str| {
            Failure::usage(anyhow!("{option} is missing; name {what} of the cluster"))
        };
        let endpoints = match (self.endpoints.is_empty(), known) {
            (false, _) => self.endpoints.clone(),
            (true, Some(known)) => known.endpoints.clone(),
            (true, None) => return Err(missing("--endpoints", "at least one https://HOST:PORT")),
        };
        let ca_pem = match (&self.ca, known) {
            (Some(file), _) => fs::read_to_string(file)
                .with_context(|| format!("{} cannot be read", file.display()))
                .map_err(Failure::usage)?,
            (None, Some(known)) => known.ca_pem.clone(),
            (None, None) => return Err(missing("--ca", "the CA certificate")),
        };
        Ok(Settings { endpoints, ca_pem })
    }

    /// How the keys of a new device shall rest.
    pub(super) fn protection(&self, args: &ProtectionArgs) -> Result<Protection, Failure> {
        if args.no_passphrase {
            return Ok(Protection::FileMode);
        }
        let file = self.passphrase_file.as_deref();
        Ok(Protection::Passphrase(passphrase::new_passphrase(file, "this device's keys")?))
    }
}
