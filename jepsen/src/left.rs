//! What a run says about itself in `verdict.json`, beside its history: who judged what, and how to run it again.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};
use time::OffsetDateTime;

use crate::{
    check::{self, Check},
    history::{History, ReadError},
    judge::{self, Judgement},
    run::Options,
    verdict::Verdict,
};

/// Its name.
pub const FILE: &str = "verdict.json";
/// The history's.
pub const HISTORY: &str = "history.jsonl";

/// Why nothing can be said of a run that was before.
#[derive(Debug, thiserror::Error)]
pub enum LeftError {
    /// A file or directory cannot be read or written.
    #[error("{}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is none of this format.
    #[error("{} is no verdict of a run", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The history.
    #[error(transparent)]
    History(#[from] ReadError),
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// `pass`, `fail`, `unknown` or `skipped`.
    pub verdict: String,
    /// When it began: `2026-01-31 12:00:00`, UTC.
    pub date: String,
    /// The commit of the sources.
    pub commit: String,
    /// How packets travelled.
    pub network: String,
    /// From which plan and workloads follow.
    pub seed: u64,
    /// Which faults.
    pub nemesis: String,
    /// How long clients worked.
    pub seconds: u64,
    /// 3 or 5.
    pub nodes: usize,
    /// The one command that makes the same run again.
    pub repeat: String,
    /// What each checker says.
    pub checkers: BTreeMap<String, Verdict>,
    /// Why nothing was run, if nothing was: what this machine has not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

impl Left {
    /// Of a run that begins now.
    pub fn of(options: &Options) -> Left {
        Left {
            date: now(),
            commit: crate::run::commit(),
            seed: options.seed,
            nemesis: options.nemesis.name().to_owned(),
            seconds: options.length.as_secs(),
            nodes: options.nodes,
            repeat: judge::repeat(options),
            ..Left::default()
        }
    }

    /// With what was found.
    #[must_use]
    pub fn judged(mut self, network: &str, judgements: &[Judgement]) -> Left {
        let named = judgements.iter().map(|one| (one.name.clone(), one.verdict.clone()));
        self.network = network.to_owned();
        self.checkers = named.collect();
        self.verdict = self.together().word().to_owned();
        self
    }

    /// Nothing was run, for these reasons.
    #[must_use]
    pub fn skipped(mut self, reasons: Vec<String>) -> Left {
        self.network = "none".to_owned();
        self.verdict = "skipped".to_owned();
        self.skipped = reasons;
        self
    }

    /// What a history alone says of its run.
    pub fn from_history(history: &History) -> Left {
        let run = crate::figures::Figures::of(history).run;
        let checks = check::history(history);
        let judgements: Vec<Judgement> = checks
            .into_iter()
            .map(|Check { name, verdict, .. }| Judgement::new(name, verdict))
            .collect();
        let left = Left {
            commit: run.commit,
            seed: run.seed,
            nemesis: run.nemesis,
            nodes: run.nodes.len(),
            ..Left::default()
        };
        left.judged(&run.network, &judgements)
    }

    /// All verdicts together. Skipped is no finding: whoever lets runs be skipped counts them.
    pub fn together(&self) -> Verdict {
        self.checkers.values().cloned().fold(Verdict::Pass, Verdict::and)
    }

    /// One checker's word; `skipped` if nothing was run, `-` if it said nothing.
    pub fn word(&self, checker: &str) -> &str {
        match self.checkers.get(checker) {
            Some(verdict) => verdict.word(),
            None if self.skipped.is_empty() => "-",
            None => "skipped",
        }
    }

    /// Reads the one of a directory; none if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Left>, LeftError> {
        let file = dir.join(FILE);
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LeftError::File { file, source }),
        };
        serde_json::from_slice(&text).map(Some).map_err(|source| LeftError::Format { file, source })
    }

    /// Writes it into a directory.
    ///
    /// # Errors
    /// The system refuses.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join(FILE), format!("{:#}\n", serde_json::to_value(self)?))
    }
}

/// The time of the wall clock, UTC, to the second.
fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let (date, (hour, minute, second)) = (now.date(), now.time().as_hms());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}
