//! Files that hold a secret: read only when nobody but their owner can.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use types::secret::Secret;

/// More than any secret file of ours needs; a larger one is the wrong file.
const SECRET_FILE_MAX: u64 = 64 * 1024;

/// Why a secret file was not read. Never says anything about its content.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The system refused.
    #[error("{} cannot be read: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Group or others can read or change it.
    #[error(
        "{} has mode {mode:04o}, so that others can reach it; run: chmod 0600 {}",
        file.display(), file.display()
    )]
    Open {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Too long to be what it should be.
    #[error("{} holds {found} bytes, more than any secret file; it is the wrong file", file.display())]
    TooLong {
        /// The file.
        file: PathBuf,
        /// Its length in bytes.
        found: u64,
    },
}

/// Checks that only its owner can reach a file.
///
/// # Errors
/// The file is not there, or its mode gives group or others any right.
pub fn check_mode(file: &Path) -> Result<(), SecretFileError> {
    let found = fs::metadata(file)
        .map_err(|source| SecretFileError::Unreadable { file: file.into(), source })?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Open { file: file.into(), mode });
    }
    if found.len() > SECRET_FILE_MAX {
        return Err(SecretFileError::TooLong { file: file.into(), found: found.len() });
    }
    Ok(())
}

/// Reads a secret file into memory that is wiped.
///
/// # Errors
/// As [`check_mode`].
pub fn read_secret(file: &Path) -> Result<Secret, SecretFileError> {
    check_mode(file)?;
    fs::read(file)
        .map(Secret::new)
        .map_err(|source| SecretFileError::Unreadable { file: file.into(), source })
}
