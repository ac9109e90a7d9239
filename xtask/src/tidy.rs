//! What must hold of the sources as a whole, each rule with its reason.
//!
//! Every rule returns findings, one sentence each, that name the place and the mend. Nothing is
//! changed.

mod dependencies;
mod formats;
mod sources;

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// All findings of all rules, in a stable order.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let files = tracked(root)?;
    let mut findings = dependencies::check(root)?;
    findings.extend(sources::check(&files));
    findings.extend(formats::check(&files));
    Ok(findings)
}

/// A committed text file.
pub(crate) struct File {
    /// Relative to the workspace.
    path: PathBuf,
    text: String,
}

impl File {
    fn is(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|found| found == extension)
    }

    fn under(&self, prefix: &str) -> bool {
        self.path.starts_with(prefix)
    }
}

/// Files git knows or would add; binary ones are passed over.
fn tracked(root: &Path) -> Result<Vec<File>> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root)
        .output()
        .context("run git ls-files")?;
    anyhow::ensure!(listing.status.success(), "git ls-files failed in {}", root.display());
    let mut files = Vec::new();
    for name in listing.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let path = PathBuf::from(String::from_utf8_lossy(name).into_owned());
        if let Ok(text) = fs::read_to_string(root.join(&path)) {
            files.push(File { path, text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
