//! A campaign: one nemesis after the other, each with all workloads at once on wallets of their own, so that
//! there is a verdict for each workload and nemesis.
//!
//! A run that does not pass, or cannot even begin, does not end it. After every run the pages about all of them
//! are written, so that there is something to see whenever it ends.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    judge::Judgement,
    left::{Left, LeftError},
    nemesis::{Nemesis, Plan, missing},
    program::Program,
    report::{self, Entry, RunsError},
    run::{self, Options, Outcome, RunError},
    stop::Stop,
    verdict::Verdict,
    workload::Workload,
};

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// One after the other.
    pub nemeses: Vec<Nemesis>,
    /// How long clients work in each run.
    pub length: Duration,
    /// Each run has its own, which follows from this.
    pub seed: u64,
    /// 3 or 5.
    pub nodes: usize,
    /// The network is the proxy, although the switch is to be had.
    pub proxy: bool,
    /// The binary that has the `node` command.
    pub program: Program,
    /// A new directory for everything that the runs leave.
    pub out: PathBuf,
    /// A nemesis whose faults cannot be had on this machine is told and counted, and not run.
    pub allow_skipped: bool,
    /// Where a row is added when it is over.
    pub runs_file: Option<PathBuf>,
}

/// Why a campaign could not go on.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The directory.
    #[error("{}: {source}", dir.display())]
    Out {
        /// Which.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is something in it.
    #[error("{} is not empty; name a new directory with --out", .0.display())]
    NotEmpty(PathBuf),
    /// What a run left, or a page.
    #[error(transparent)]
    Left(#[from] LeftError),
    /// The row.
    #[error(transparent)]
    Runs(#[from] RunsError),
}

impl Campaign {
    /// The options of the run of a nemesis.
    pub fn options(&self, nemesis: Nemesis) -> Options {
        let kinds = [Nemesis::None].into_iter().chain(Nemesis::ALL);
        let place = kinds.take_while(|kind| *kind != nemesis).count() as u64;
        let seed = self.seed.wrapping_add(place);
        Options {
            workloads: Workload::ALL.to_vec(),
            nemesis,
            length: self.length,
            seed,
            nodes: self.nodes,
            proxy: self.proxy,
            program: self.program.clone(),
            against: None,
            out: run::directory(&self.out, nemesis, seed),
        }
    }

    /// Runs. `say` is told of every run when it is over. The calling thread must not be one of a runtime.
    ///
    /// # Errors
    /// What is left cannot be written. Runs that fail are no errors.
    pub fn run(&self, stop: &Stop, mut say: impl FnMut(&Entry)) -> Result<Verdict, CampaignError> {
        new_directory(&self.out)?;
        let mut entries = Vec::new();
        let mut ended = String::new();
        for (done, nemesis) in self.nemeses.iter().enumerate() {
            if stop.soon.is_cancelled() {
                let left = self.nemeses[done..].iter().map(|nemesis| nemesis.name());
                ended = format!("Ended early; not run: {}.", left.collect::<Vec<_>>().join(", "));
                break;
            }
            let entry = self.one(*nemesis, stop)?;
            say(&entry);
            entries.push(entry);
            report::pages(&self.out, &entries, "")?;
        }
        report::pages(&self.out, &entries, &ended)?;
        if let Some(file) = &self.runs_file {
            report::append(file, self.seed, &entries)?;
        }
        let mut verdict = report::together(&entries);
        if entries.iter().all(|entry| !entry.left.skipped.is_empty()) {
            verdict = verdict.and(Verdict::unknown("nothing could be run here"));
        }
        Ok(match ended.is_empty() {
            true => verdict,
            false => verdict.and(Verdict::unknown(ended)),
        })
    }

    fn one(&self, nemesis: Nemesis, stop: &Stop) -> Result<Entry, CampaignError> {
        let options = self.options(nemesis);
        let unwritten = |source| CampaignError::Out { dir: options.out.clone(), source };
        let begun = Left::of(&options);
        let plan = Plan::of(nemesis, options.seed, options.length, options.nodes);
        let reasons = if self.allow_skipped { missing(&plan, self.proxy) } else { Vec::new() };
        if !reasons.is_empty() {
            begun.skipped(reasons).write(&options.out).map_err(unwritten)?;
        } else if let Err(error) = guarded(&options, stop) {
            let judgement = Judgement::new("harness", Verdict::unknown(error));
            begun.judged("none", &[judgement]).write(&options.out).map_err(unwritten)?;
        }
        let entry = Entry::of(&options.out)?;
        Ok(entry.unwrap_or_else(|| Entry::without_anything(&options)))
    }
}

/// A run whose panic is that of one run, and not of the campaign.
fn guarded(options: &Options, stop: &Stop) -> Result<Outcome, String> {
    let run = || run::run(options, &stop.now).map_err(|error: RunError| error.to_string());
    // Everything of a run is made in it, and gone when it unwinds.
    let run = std::panic::AssertUnwindSafe(run);
    std::panic::catch_unwind(run).unwrap_or_else(|_| Err("the harness panicked".to_owned()))
}

fn new_directory(dir: &Path) -> Result<(), CampaignError> {
    let wrong = |source| CampaignError::Out { dir: dir.to_path_buf(), source };
    fs::create_dir_all(dir).map_err(wrong)?;
    match fs::read_dir(dir).map_err(wrong)?.next() {
        None => Ok(()),
        Some(_) => Err(CampaignError::NotEmpty(dir.to_path_buf())),
    }
}
