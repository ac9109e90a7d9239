//! Small files beside the database that are whole at every moment: the old content or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file of a directory, durably, in the place of an earlier one. Only its owner can read it.
///
/// # Errors
/// What the system refused; then the earlier content stands.
pub(crate) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let next = directory.join(format!("{name}.next"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&next, directory.join(name))?;
    File::open(directory)?.sync_all()
}

/// Removes a file of a directory, durably.
///
/// # Errors
/// What the system refused.
pub(crate) fn remove(directory: &Path, name: &str) -> io::Result<()> {
    fs::remove_file(directory.join(name))?;
    File::open(directory)?.sync_all()
}
