//! The file that holds the epoch key, which wraps the data keys of all wallets: plain, with mode
//! 0600, or sealed by a passphrase.
//!
//! It is the same on every node of a cluster. Without it nothing that the cluster keeps can be
//! served again: it belongs into the operator's own backup, apart from the data.

use crate::config::{self, SecretFileError, read_secret};
use api::{KeySource, KeySourceError};
use rand::{CryptoRng, rand_core::UnwrapErr, rngs::SysRng};
use seal::{EpochKey, EpochKeys, SealError, ServerKeyring};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use types::{Argon2Cost, Secret};

/// The first epoch of a cluster.
const FIRST: u32 = 1;

/// Why an epoch key was not opened. Says nothing about the key.
#[derive(Debug, thiserror::Error)]
pub enum EpochKeyError {
    /// The file cannot be read, or others can read it.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// It is something else.
    #[error("{} is no epoch key ({source}); copy the epoch.key of another node of this cluster", file.display())]
    NotAKey {
        /// The file.
        file: PathBuf,
        /// What the parser found.
        source: SealError,
    },
    /// It needs a passphrase, and the configuration says otherwise.
    #[error("{} opens by a passphrase only; set epoch_key.source = \"passphrase\"", .0.display())]
    NeedsPassphrase(PathBuf),
    /// It needs none, and the configuration says otherwise.
    #[error("{} needs no passphrase; set epoch_key.source = \"file\", or put a sealed key there", .0.display())]
    NeedsNone(PathBuf),
    /// The passphrase is another one, or the file was altered.
    #[error("{} does not open under this passphrase", .0.display())]
    WrongPassphrase(PathBuf),
}

/// The contents of a new key file; sealed, if there is a passphrase.
pub fn generate(passphrase: Option<&Secret>) -> Secret {
    let mut rng = system();
    let key = EpochKey::generate(&mut rng, FIRST);
    match passphrase {
        None => key.to_file(),
        Some(passphrase) => {
            Secret::new(key.to_sealed_file(&mut rng, passphrase, Argon2Cost::FLOOR))
        }
    }
}

/// The keyring that a node starts with: open, or locked until somebody brings the passphrase.
///
/// # Errors
/// The file is not what the configuration says.
pub fn keyring(source: &config::EpochKey) -> Result<ServerKeyring, EpochKeyError> {
    let keyring = ServerKeyring::locked();
    match source {
        config::EpochKey::File(file) => {
            let bytes = read_secret(file)?;
            if EpochKey::is_sealed_file(bytes.expose()) && looks_sealed(&bytes) {
                return Err(EpochKeyError::NeedsPassphrase(file.clone()));
            }
            let key = EpochKey::from_file(&bytes).map_err(not_a_key(file))?;
            keyring.unlock(Arc::new(key));
        }
        config::EpochKey::Passphrase(file) => {
            if !EpochKey::is_sealed_file(read_secret(file)?.expose()) {
                return Err(EpochKeyError::NeedsNone(file.clone()));
            }
        }
    }
    Ok(keyring)
}

/// Opens the key file of a locked node. Takes as long as the file's Argon2id parameters say, so
/// not to be called where others wait.
///
/// # Errors
/// The passphrase is wrong, or the file is no sealed key.
pub fn open(file: &Path, passphrase: &Secret) -> Result<EpochKey, EpochKeyError> {
    let bytes = read_secret(file)?;
    EpochKey::from_sealed_file(passphrase, bytes.expose()).map_err(|error| match error {
        SealError::DoesNotOpen => EpochKeyError::WrongPassphrase(file.to_path_buf()),
        source => EpochKeyError::NotAKey { file: file.to_path_buf(), source },
    })
}

/// Where the key of a node comes from when an operator unlocks it.
pub struct Source {
    sealed: Option<PathBuf>,
}

impl Source {
    /// The source that the configuration names.
    pub fn new(source: &config::EpochKey) -> Source {
        let sealed = match source {
            config::EpochKey::File(_) => None,
            config::EpochKey::Passphrase(file) => Some(file.clone()),
        };
        Source { sealed }
    }
}

impl KeySource for Source {
    fn opens_unattended(&self) -> bool {
        self.sealed.is_none()
    }

    fn open(&self, passphrase: &Secret) -> Result<Arc<dyn EpochKeys>, KeySourceError> {
        let file = self.sealed.as_deref().ok_or(KeySourceError::NoneNeeded)?;
        match open(file, passphrase) {
            Ok(key) => Ok(Arc::new(key)),
            Err(EpochKeyError::WrongPassphrase(_)) => Err(KeySourceError::Passphrase),
            Err(error) => Err(KeySourceError::Unreadable(error.to_string())),
        }
    }
}

/// Whether bytes that are no plain key are a sealed one, and not just anything.
fn looks_sealed(bytes: &Secret) -> bool {
    types::PassphraseFront::split(bytes.expose()).is_ok()
}

fn not_a_key(file: &Path) -> impl FnOnce(SealError) -> EpochKeyError {
    let file = file.to_path_buf();
    move |source| EpochKeyError::NotAKey { file, source }
}

/// The system's randomness, straight from its source.
fn system() -> impl CryptoRng {
    UnwrapErr(SysRng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Scratch, files::write_secret};

    fn file(scratch: &Scratch, bytes: &Secret) -> PathBuf {
        let file = scratch.path().join(format!("{:08x}.key", rand::random::<u32>()));
        write_secret(&file, bytes.expose()).unwrap();
        file
    }

    #[test]
    fn a_plain_key_opens_at_start_and_a_sealed_one_by_its_passphrase() {
        let scratch = Scratch::new("holdfast-epoch").unwrap();
        let plain = file(&scratch, &generate(None));
        assert!(!keyring(&config::EpochKey::File(plain.clone())).unwrap().is_locked());

        let passphrase = Secret::new(b"correct horse".to_vec());
        let sealed = file(&scratch, &generate(Some(&passphrase)));
        let locked = keyring(&config::EpochKey::Passphrase(sealed.clone())).unwrap();
        assert!(locked.is_locked());
        let wrong = open(&sealed, &Secret::new(b"battery staple".to_vec()));
        assert!(matches!(wrong, Err(EpochKeyError::WrongPassphrase(_))));
        locked.unlock(Arc::new(open(&sealed, &passphrase).unwrap()));
        assert!(!locked.is_locked());

        let crossed = keyring(&config::EpochKey::File(sealed));
        assert!(matches!(crossed, Err(EpochKeyError::NeedsPassphrase(_))));
        let crossed = keyring(&config::EpochKey::Passphrase(plain));
        assert!(matches!(crossed, Err(EpochKeyError::NeedsNone(_))));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let scratch = Scratch::new("holdfast-epoch").unwrap();
        let good = generate(None);
        let cut = Secret::new(good.expose()[..good.len() - 1].to_vec());
        for bad in [Secret::new(Vec::new()), Secret::new(b"epoch key".to_vec()), cut] {
            let refused = keyring(&config::EpochKey::File(file(&scratch, &bad)));
            assert!(matches!(refused, Err(EpochKeyError::NotAKey { .. })));
        }
    }
}
