//! Pages about runs, for people: a table of all verdicts in Markdown, and a page in HTML for each run with what
//! happened when.
//!
//! Written from what runs left behind, so that they can be written again: the history, and `verdict.json`
//! beside it where there is one. A page is one file without any script or other file, of a size that depends
//! on the number of faults and not on that of the events.

mod chart;
mod kinds;
mod page;
mod runs;
mod summary;
mod timeline;

pub use runs::{RunsError, append};
pub use summary::summary;

use crate::{
    check,
    figures::Figures,
    history::History,
    judge::Judgement,
    left::{self, Left, LeftError},
    nemesis::Nemesis,
    run::Options,
    verdict::Verdict,
    workload::Workload,
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use timeline::Timeline;

/// The names of pages.
const SUMMARY: &str = "summary.md";
const INDEX: &str = "index.html";

/// The checkers that are no workload's: who judges a run as a whole, in the order of tables.
pub const WHOLE: [&str; 14] = [
    "harness",
    "history",
    "itself",
    "ends",
    "panics",
    "promise",
    "repairs",
    "votes",
    "leak",
    "coverage",
    "healing",
    "integrity",
    "nemesis",
    "service",
];

/// A run that was.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its directory under that of the report.
    pub dir: String,
    /// What it says of itself.
    pub left: Left,
    /// What its history says; none if there is no history that can be read.
    pub figures: Option<Figures>,
}

impl Entry {
    /// Reads what is in the directory of a run, and writes its page there. None if no run was there.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn of(dir: &Path) -> Result<Option<Entry>, LeftError> {
        let left = Left::read(dir)?;
        let file = dir.join(left::HISTORY);
        let name =
            dir.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
        // What is wrong with a history its run has said already.
        let history = match (History::read(&file), &left) {
            (Ok(history), _) => history,
            (Err(_), Some(left)) => {
                return Ok(Some(Entry { dir: name, left: left.clone(), figures: None }));
            }
            (Err(_), None) if !file.exists() => return Ok(None),
            (Err(error), None) => return Err(error.into()),
        };
        let left = left.unwrap_or_else(|| Left::from_history(&history));
        let entry = Entry { dir: name, left, figures: Some(Figures::of(&history)) };
        if let Some(figures) = &entry.figures {
            let page = page::run(&entry.left, figures, &Timeline::of(&history));
            write(&dir.join(INDEX), &page)?;
        }
        Ok(Some(entry))
    }

    /// Of a run of which nothing can be read.
    pub(crate) fn without_anything(options: &Options) -> Entry {
        let dir =
            options.out.file_name().map_or_else(Default::default, |name| name.to_string_lossy());
        let lost = Judgement::new("harness", Verdict::unknown("nothing was left of the run"));
        let left = Left::of(options).judged("none", &[lost]);
        Entry { dir: dir.into_owned(), left, figures: None }
    }

    /// The words of the workloads' checkers, in the order of tables.
    pub fn words(&self) -> impl Iterator<Item = (&'static str, &str)> {
        Workload::ALL.into_iter().map(|kind| (kind.name(), self.left.word(kind.name())))
    }

    fn place(&self) -> (usize, u64) {
        let kinds = [Nemesis::None].into_iter().chain(Nemesis::ALL);
        let place = kinds.map(Nemesis::name).position(|name| name == self.left.nemesis);
        (place.unwrap_or(usize::MAX), self.left.seed)
    }
}

/// Writes the pages of one history, beside it, and says where.
///
/// # Errors
/// It cannot be read, or the page not written.
pub fn history(file: &Path) -> Result<PathBuf, LeftError> {
    let history = History::read(file)?;
    let page = file.with_extension("html");
    let text =
        page::run(&Left::from_history(&history), &Figures::of(&history), &Timeline::of(&history));
    write(&page, &text)?;
    Ok(page)
}

/// Reads all runs under a directory, or the one that it is, and writes all pages.
///
/// # Errors
/// A file cannot be read or written.
pub fn directory(dir: &Path) -> Result<Vec<Entry>, LeftError> {
    if let Some(entry) = Entry::of(dir)? {
        return Ok(vec![entry]);
    }
    let unread = |source| LeftError::File { file: dir.to_path_buf(), source };
    let mut entries = Vec::new();
    for found in fs::read_dir(dir).map_err(unread)? {
        let path = found.map_err(unread)?.path();
        if path.is_dir() {
            entries.extend(Entry::of(&path)?);
        }
    }
    entries.sort_by_key(Entry::place);
    if !entries.is_empty() {
        pages(dir, &entries, "")?;
    }
    Ok(entries)
}

/// Writes the pages about all runs of a directory. `note` stands below their heading.
///
/// # Errors
/// One cannot be written.
pub fn pages(dir: &Path, entries: &[Entry], note: &str) -> Result<(), LeftError> {
    write(&dir.join(SUMMARY), &summary(entries, note))?;
    write(&dir.join(INDEX), &page::index(entries, note))
}

/// The verdicts of all runs together, and whether each kind of faults was felt in some of them.
pub fn together(entries: &[Entry]) -> Verdict {
    let each = entries.iter().map(|entry| entry.left.together());
    let all = each.fold(Verdict::Pass, Verdict::and);
    match kinds::unfelt(entries) {
        unfelt if unfelt.is_empty() => all,
        unfelt => all.and(Verdict::unknown(format!(
            "planned more than twice and never felt: {}",
            unfelt.join(", ")
        ))),
    }
}

/// How many verdicts of workloads there are of each kind: `60 pass, 6 skipped`.
fn counted(entries: &[Entry]) -> String {
    let kinds = ["pass", "fail", "unknown", "skipped", "-"];
    let words: Vec<&str> =
        entries.iter().flat_map(|entry| entry.words().map(|(_, word)| word)).collect();
    let many = |kind: &&str| words.iter().filter(|word| *word == kind).count();
    let told = kinds.iter().map(|kind| (kind, many(kind))).filter(|(_, count)| *count > 0);
    let told = told.map(|(kind, count)| match *kind {
        "-" => format!("{count} missing"),
        kind => format!("{count} {kind}"),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn write(file: &Path, text: &str) -> Result<(), LeftError> {
    fs::write(file, text).map_err(|source| LeftError::File { file: file.to_path_buf(), source })
}

/// Nanoseconds for people: `870 ms`, `12.4 s`.
fn told(ns: u64) -> String {
    let ms = ns / 1_000_000;
    match ms {
        0..10_000 => format!("{ms} ms"),
        _ => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
    }
}

/// Every checker of a run that is no workload's, those that are known first.
fn whole(left: &Left) -> Vec<&str> {
    let named = WHOLE.into_iter().filter(|name| left.checkers.contains_key(*name));
    let of_workloads = |name: &&str| check::is_workload(name);
    let others = left.checkers.keys().map(String::as_str);
    let others = others.filter(|name| !WHOLE.contains(name) && !of_workloads(name));
    named.chain(others).collect()
}

#[cfg(test)]
mod tests;
