//! One row for each campaign that was: `RUNS.md`.

use super::{Entry, counted};
use crate::history::State;
use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("add the campaign to {}", file.display())]
pub struct RunsError {
    file: PathBuf,
    source: io::Error,
}

/// What a new file begins with.
const HEAD: &str = "\
# Campaigns

One row each, added by `make jepsen`. Minutes are those in which clients worked; *under a fault* counts
acknowledged operations during which one was active and felt; verdicts are one for each workload and nemesis. A commit
with a + had changes that were not committed.

| date (UTC) | commit | seed | nodes | network | nemeses | minutes | operations | acknowledged | under a fault | faults | all lost power | verdicts |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Adds a campaign to the file, which is made if it is not there.
///
/// # Errors
/// It cannot be read or written.
pub fn append(file: &Path, seed: u64, entries: &[Entry]) -> Result<(), RunsError> {
    let Some(line) = row(seed, entries) else { return Ok(()) };
    let add = || {
        let mut runs = OpenOptions::new().read(true).append(true).create(true).open(file)?;
        let mut before = String::new();
        runs.read_to_string(&mut before)?;
        let head = if before.is_empty() { HEAD } else { "" };
        runs.write_all(format!("{head}{line}\n").as_bytes())
    };
    add().map_err(|source| RunsError { file: file.to_path_buf(), source })
}

/// None if nothing was run.
pub(super) fn row(seed: u64, entries: &[Entry]) -> Option<String> {
    let first = &entries.first()?.left;
    let figures: Vec<_> = entries.iter().filter_map(|entry| entry.figures.as_ref()).collect();
    let sum =
        |of: fn(&crate::figures::Figures) -> usize| figures.iter().map(|f| of(f)).sum::<usize>();
    let networks: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| entry.left.skipped.is_empty())
        .map(|entry| entry.left.network.as_str())
        .collect();
    let ran = entries.iter().filter(|entry| entry.left.skipped.is_empty());
    let seconds: u64 = ran.map(|entry| entry.left.seconds).sum();
    let installed = |f: &crate::figures::Figures| {
        f.faults.iter().filter(|fault| fault.state == State::Installed).count()
    };
    let mut verdicts = counted(entries);
    for entry in entries.iter().filter(|entry| !["pass", "skipped"].contains(&&*entry.left.verdict))
    {
        verdicts += &format!("; {}: {}", entry.left.nemesis, because(entry));
    }
    let cells = [
        first.date.clone(),
        first.commit.clone(),
        seed.to_string(),
        first.nodes.to_string(),
        networks.into_iter().collect::<Vec<_>>().join(", "),
        match entries {
            [only] => only.left.nemesis.clone(),
            several => several.len().to_string(),
        },
        format!("{}.{}", seconds / 60, seconds % 60 / 6),
        sum(|f| f.all.operations).to_string(),
        sum(|f| f.all.ok).to_string(),
        sum(|f| f.under_fault).to_string(),
        sum(installed).to_string(),
        sum(|f| f.all_lost_power).to_string(),
        verdicts,
    ];
    Some(format!("| {} |", cells.join(" | ")))
}

/// Which checkers did not pass: `set fails, coverage unknown`.
fn because(entry: &Entry) -> String {
    let checkers = entry.left.checkers.iter();
    let wrong = checkers.filter(|(_, verdict)| verdict.word() != "pass");
    wrong.map(|(name, verdict)| format!("{name} {}", verdict.word())).collect::<Vec<_>>().join(", ")
}
