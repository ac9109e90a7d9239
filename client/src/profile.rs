//! A profile: the directory in which one device keeps what belongs to one wallet.
//!
//! ```text
//! DIR/               0700, checked whenever it is opened
//!   profile.json     0600  endpoints and CA: nothing secret
//!   device.keys      0600  the device's private keys and the key of the local copy, sealed by a passphrase or plain
//!   local.redb       0600  the local copy, every value sealed
//!   lock             0600  held by the one process that uses the profile
//! ```
//!
//! Promises: files are written whole or not at all; a second process gets a clear error instead of
//! half of the truth; what other users of the machine could read is refused, not repaired silently.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use types::Secret;

use crate::error::Class;

const SETTINGS: &str = "profile.json";
const KEYS: &str = "device.keys";
const COPY: &str = "local.redb";
const LOCK: &str = "lock";
/// The format of `profile.json` and of the directory.
const FORMAT: u32 = 1;
/// No file of a profile but the local copy is longer than this, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Why a profile directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Other users of this machine could look into it.
    #[error("{} is open to other users (mode {mode:04o}): run `chmod {wanted:04o} {}`", path.display(), path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they have to be.
        wanted: u32,
    },
    /// Another process uses it.
    #[error("another process uses the profile {}: wait for it, or end it", .0.display())]
    Busy(PathBuf),
    /// There is no wallet in it.
    #[error("there is no wallet in {}: `create` makes one, `recover` fetches one", .0.display())]
    Empty(PathBuf),
    /// There is a wallet in it already.
    #[error("there is a wallet in {} already: choose another directory", .0.display())]
    Taken(PathBuf),
    /// A file of it is not what it should be.
    #[error("{} {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The keys are sealed and no passphrase was given.
    #[error("the device keys of this profile are sealed: give the passphrase")]
    PassphraseNeeded,
    /// The file system refuses.
    #[error("{action} {}", path.display())]
    Disk {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl ProfileError {
    pub(crate) fn class(&self) -> Class {
        match self {
            ProfileError::Open { .. }
            | ProfileError::PassphraseNeeded
            | ProfileError::Empty(_)
            | ProfileError::Taken(_) => Class::Usage,
            ProfileError::Busy(_) | ProfileError::Disk { .. } => Class::Unavailable,
            ProfileError::Damaged { .. } => Class::Integrity,
        }
    }
}

/// How to reach the cluster. Kept in the profile, so that it need not be given each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `https://HOST:PORT` of each node.
    pub endpoints: Vec<String>,
    /// The certificates of the cluster's authority, in PEM.
    pub ca_pem: String,
}

#[derive(Serialize, Deserialize)]
struct SettingsFile {
    format: u32,
    #[serde(flatten)]
    settings: Settings,
}

/// An opened profile directory. The lock is held as long as it lives.
#[derive(Debug)]
pub(crate) struct Profile {
    dir: PathBuf,
    _lock: File,
}

impl Profile {
    /// Opens a directory that was made before, and takes its lock.
    pub(crate) fn existing(dir: &Path) -> Result<Self, ProfileError> {
        if dir.exists() { Self::open(dir) } else { Err(ProfileError::Empty(dir.to_owned())) }
    }

    /// Opens an existing directory, or makes one, and takes its lock.
    pub(crate) fn open(dir: &Path) -> Result<Self, ProfileError> {
        let mut builder = DirBuilder::new();
        match builder.recursive(true).mode(0o700).create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(disk("make the directory", dir, error));
            }
            _ => check(dir, 0o700)?,
        }
        let path = dir.join(LOCK);
        let lock = private().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|error| disk("open", &path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(ProfileError::Busy(dir.to_owned())),
            Err(TryLockError::Error(error)) => Err(disk("lock", &path, error)),
        }
    }

    pub(crate) fn settings(&self) -> Result<Settings, ProfileError> {
        let path = self.path(SETTINGS);
        let damaged = |problem| ProfileError::Damaged { path: path.clone(), problem };
        let text = self.read(SETTINGS)?.ok_or_else(|| ProfileError::Empty(self.dir.clone()))?;
        let file: SettingsFile = serde_json::from_slice(text.expose())
            .map_err(|_| damaged("is not a profile in JSON"))?;
        match file.format {
            FORMAT => Ok(file.settings),
            _ => Err(damaged("was written by a newer version: update this program")),
        }
    }

    pub(crate) fn write_settings(&self, settings: &Settings) -> Result<(), ProfileError> {
        let file = SettingsFile { format: FORMAT, settings: settings.clone() };
        let text = serde_json::to_vec_pretty(&file).expect("settings are plain text");
        self.write(SETTINGS, &text)
    }

    /// The key file as written; `None` in a fresh profile.
    pub(crate) fn keys(&self) -> Result<Option<Secret>, ProfileError> {
        self.read(KEYS)
    }

    pub(crate) fn write_keys(&self, bytes: &[u8]) -> Result<(), ProfileError> {
        self.write(KEYS, bytes)
    }

    /// Path of the local copy, made with mode 0600 if it is not there.
    pub(crate) fn copy(&self) -> Result<PathBuf, ProfileError> {
        let path = self.path(COPY);
        let file = private().create(true).truncate(false).write(true).open(&path);
        file.map_err(|error| disk("open", &path, error))?;
        check(&path, 0o600)?;
        Ok(path)
    }

    /// Removes a local copy of which nothing was ever sent.
    pub(crate) fn forget_copy(&self) -> Result<(), ProfileError> {
        let path = self.path(COPY);
        fs::remove_file(&path).map_err(|error| disk("remove", &path, error))
    }

    pub(crate) fn damaged(&self, problem: &'static str) -> ProfileError {
        ProfileError::Damaged { path: self.path(KEYS), problem }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn read(&self, name: &str) -> Result<Option<Secret>, ProfileError> {
        let path = self.path(name);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(disk("look at", &path, error)),
            Ok(metadata) if metadata.len() > FILE_MAX => {
                return Err(ProfileError::Damaged { path, problem: "is longer than 1 MiB" });
            }
            Ok(_) => check(&path, 0o600)?,
        }
        let bytes = fs::read(&path).map_err(|error| disk("read", &path, error))?;
        Ok(Some(Secret::new(bytes)))
    }

    /// Replaces a file in one step: what is on disk under its name is always whole.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ProfileError> {
        let (path, fresh) = (self.path(name), self.path(&format!("{name}.new")));
        let mut file = private()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&fresh)
            .map_err(|error| disk("make", &fresh, error))?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|error| disk("write", &fresh, error))?;
        fs::rename(&fresh, &path).map_err(|error| disk("replace", &path, error))?;
        let dir = File::open(&self.dir).and_then(|dir| dir.sync_all());
        dir.map_err(|error| disk("sync", &self.dir, error))
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Refuses what other users could read or write.
fn check(path: &Path, wanted: u32) -> Result<(), ProfileError> {
    let metadata = fs::metadata(path).map_err(|error| disk("look at", path, error))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(ProfileError::Open { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

fn disk(action: &'static str, path: &Path, source: io::Error) -> ProfileError {
    ProfileError::Disk { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
