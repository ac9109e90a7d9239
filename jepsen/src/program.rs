//! The `holdfast` that is run.

use std::path::{Path, PathBuf};

/// Directories of builds, as cargo names them.
const BUILDS: [&str; 2] = ["release", "debug"];

/// Where it is.
#[derive(Clone, Debug)]
pub struct Program {
    file: PathBuf,
    named: bool,
}

/// There is none.
#[derive(Debug, thiserror::Error)]
#[error("{} is missing; build it first: cargo build --release -p cli", .0.display())]
pub struct Missing(PathBuf);

impl Program {
    /// The one that is named, or else the one beside this program, of whichever build.
    ///
    /// # Errors
    /// There is no such file.
    pub fn find(named: Option<&Path>) -> Result<Program, Missing> {
        let this = std::env::current_exe().unwrap_or_default();
        let beside = this.with_file_name("holdfast");
        let of = |file: PathBuf, named| file.is_file().then_some(Program { file, named });
        if let Some(named) = named {
            let file = std::path::absolute(named).unwrap_or_else(|_| named.to_owned());
            return of(file.clone(), true).ok_or(Missing(file));
        }
        let target = this.parent().and_then(Path::parent).unwrap_or(Path::new("."));
        let builds = BUILDS.map(|build| target.join(build).join("holdfast"));
        let mut found = [beside.clone()].into_iter().chain(builds);
        found.find_map(|file| of(file, false)).ok_or(Missing(beside))
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The file, if it would not be found without a name.
    pub fn named(&self) -> Option<&Path> {
        self.named.then_some(&self.file)
    }
}
