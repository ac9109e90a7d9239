//! A directory for a while.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// A new directory under the system's temporary one, which only its owner can enter. It is removed
/// with all that is in it when this is dropped.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes the directory; its name begins with `prefix`.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn new(prefix: &str) -> io::Result<Scratch> {
        let root = std::path::absolute(std::env::temp_dir())?;
        // Random, so that nobody can make it first and wait inside.
        let path = root.join(format!("{prefix}-{:016x}", rand::random::<u64>()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Scratch { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory where it is.
    pub fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // What cannot be removed is left to the system, as every temporary file.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
