//! What a node does about damage to its own directory, from one start to the next.
//!
//! Whatever is found damaged ends the process, with a message and a note; the next start does what the
//! note says. Log and votes are what the node promised to others, so they decide:
//!
//! | found | then |
//! |---|---|
//! | state damaged, or older than the log's beginning | log and votes are copied into a new database, the state is fetched from a peer ([`crate::peer::fetch`]) |
//! | log, votes or marks damaged, cut, or missing; the cluster has fenced the node | **quarantine**: no vote, no acknowledgement, no group runs; the node asks to leave ([`crate::membership::rejoin`]), and nothing is wiped before no group counts on it |
//! | the cluster has given the machine a new id | everything is wiped, and the new life begins |
//!
//! A salvaged log is believed only if every entry reads back and no mark is above it. Killed at any
//! step, a repair begins again or goes on.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use store::engine::Direction;
use store::engine::memory::MemoryEngine;
use store::engine::rocks::{Memory, RocksEngine};
use store::{Column, Damage, Engine, Fault};
use types::Incarnation;

use crate::error::{StartError, chain};
use crate::identity::IdentityFile;
use crate::log::{self, entry, keys};
use crate::roster::Roster;

pub(crate) mod note;

pub(crate) use note::{Note, Task};

const DATABASE: &str = "db";
/// Log and votes on their way into a new database.
const KEPT: &str = "db.kept";
/// The damaged database, once they have left it.
const DAMAGED: &str = "db.damaged";

/// A node's database, and what the node may do with it.
pub struct Opened {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) quarantine: Option<Quarantine>,
}

/// Why a node must promise nothing, and who its machine will be next.
#[derive(Debug)]
pub(crate) struct Quarantine {
    pub(crate) reason: String,
    pub(crate) next: Incarnation,
    progress: Mutex<String>,
}

impl Quarantine {
    pub(crate) fn new(reason: String, next: Incarnation) -> Self {
        Quarantine { reason, next, progress: Mutex::new("looking for the cluster".to_owned()) }
    }

    /// What the node is waiting for.
    pub(crate) fn progress(&self) -> String {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes it, and says so once.
    pub(crate) fn waits_for(&self, what: String) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if *progress != what {
            tracing::info!(waits_for = what, "in quarantine");
            *progress = what;
        }
    }
}

/// An engine whose node has nothing to repair.
impl<E: Engine + 'static> From<Arc<E>> for Opened {
    fn from(engine: Arc<E>) -> Self {
        Opened { engine, quarantine: None }
    }
}

/// Opens the database in a node's directory, and repairs it if the last run left a note to do so.
///
/// # Errors
/// [`StartError::Damaged`] when damage is found that no note speaks of yet: the next start repairs it.
pub fn open(directory: &Path, memory: Memory) -> Result<Opened, StartError> {
    let site = Site { directory, memory };
    let Some(note) = Note::load(directory).map_err(|error| site.io("read", error))? else {
        return site.as_it_is();
    };
    tracing::warn!(reason = note.reason, "this start repairs what the last one found");
    match note.task {
        Task::DropState => site.drop_state(&note.reason),
        Task::Leave { next } => Ok(site.quarantined(note.reason, next)),
        Task::Begin { identity, roster } => site.begin(identity, &roster),
    }
}

struct Site<'a> {
    directory: &'a Path,
    memory: Memory,
}

impl Site<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn io(&self, action: &'static str, source: io::Error) -> StartError {
        StartError::Repair { action, path: self.directory.display().to_string(), source }
    }

    fn as_it_is(&self) -> Result<Opened, StartError> {
        let database = self.path(DATABASE);
        let marks = IdentityFile::new(self.directory).marks();
        let was_used = log::open_marks(&marks).is_ok_and(|marks| !marks.all().is_empty());
        if was_used && !RocksEngine::is_in(&database) {
            let found = format!("{}/CURRENT is missing", database.display());
            return Err(self.found(Damage::Log, found));
        }
        match RocksEngine::open(&database, self.memory) {
            Ok(engine) => Ok(Arc::new(engine).into()),
            Err(fault) => Err(match fault.damage() {
                Some(damage) => self.found(damage, chain(&fault)),
                None => StartError::Engine(fault),
            }),
        }
    }

    /// Leaves a note for the next start.
    fn found(&self, damage: Damage, found: String) -> StartError {
        match Note::found(damage, found.clone()).save(self.directory) {
            Ok(()) => StartError::Damaged { found },
            Err(error) => self.io("leave a note about damage in", error),
        }
    }

    fn drop_state(&self, reason: &str) -> Result<Opened, StartError> {
        let (database, kept) = (self.path(DATABASE), self.path(KEPT));
        // The old database goes aside only when the copy is complete: if it is there, so is the copy.
        if !self.path(DAMAGED).exists() {
            self.remove(KEPT)?;
            match self.salvage(&database, &kept) {
                Ok(()) => {}
                Err(Salvage::System(fault)) => return Err(StartError::Engine(fault)),
                Err(Salvage::Lost(why)) => {
                    let reason = format!("{reason}; log and votes cannot be kept either: {why}");
                    let note = Note::found(Damage::Log, reason.clone());
                    note.save(self.directory).map_err(|error| self.io("leave a note in", error))?;
                    return Ok(self.quarantined(reason, note.next()));
                }
            }
            self.rename(DATABASE, DAMAGED)?;
        }
        if kept.exists() {
            self.rename(KEPT, DATABASE)?;
        }
        self.remove(DAMAGED)?;
        let engine = RocksEngine::open(&database, self.memory)?;
        Note::remove(self.directory).map_err(|error| self.io("remove the note in", error))?;
        tracing::info!("log and votes are kept; the state comes from a peer");
        Ok(Arc::new(engine).into())
    }

    fn salvage(&self, from: &Path, to: &Path) -> Result<(), Salvage> {
        let marks = log::open_marks(&IdentityFile::new(self.directory).marks())
            .map_err(|error| Salvage::Lost(chain(&error)))?;
        RocksEngine::salvage(from, to, self.memory)?;
        let kept: Arc<dyn Engine> = Arc::new(RocksEngine::open(to, self.memory)?);
        for (group, mark) in marks.all() {
            log::recover(&kept, *group, *mark).map_err(|error| Salvage::Lost(chain(&error)))?;
        }
        read_all(kept.as_ref())?.map_err(Salvage::Lost)
    }

    fn quarantined(&self, reason: String, next: Incarnation) -> Opened {
        let engine = MemoryEngine::new();
        // Whom to ask, if that can still be read; otherwise the seeds know.
        let known = RocksEngine::open_promises(&self.path(DATABASE), self.memory);
        if let Ok(Ok(roster)) = known.and_then(|old| Roster::load(&old))
            && let Err(fault) = roster.save(&engine)
        {
            tracing::warn!(error = chain(&fault), "the peers that were known are forgotten");
        }
        Opened { engine: Arc::new(engine), quarantine: Some(Quarantine::new(reason, next)) }
    }

    fn begin(
        &self,
        identity: crate::identity::Identity,
        roster: &Roster,
    ) -> Result<Opened, StartError> {
        for name in [KEPT, DAMAGED, DATABASE] {
            self.remove(name)?;
        }
        let file = IdentityFile::new(self.directory);
        file.begin(identity)?;
        let engine = RocksEngine::open(&self.path(DATABASE), self.memory)?;
        roster.save(&engine)?;
        Note::remove(self.directory).map_err(|error| self.io("remove the note in", error))?;
        tracing::info!(incarnation = %identity.incarnation, "wiped; the machine begins a new life");
        Ok(Arc::new(engine).into())
    }

    fn remove(&self, name: &str) -> Result<(), StartError> {
        match fs::remove_dir_all(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.io("remove what was damaged in", error))
            }
            _ => Ok(()),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StartError> {
        fs::rename(self.path(from), self.path(to))
            .and_then(|()| File::open(self.directory)?.sync_all())
            .map_err(|error| self.io("replace what was damaged in", error))
    }
}

enum Salvage {
    /// What was promised is damaged too.
    Lost(String),
    System(Fault),
}

impl From<Fault> for Salvage {
    fn from(fault: Fault) -> Self {
        match fault.damage() {
            Some(_) => Salvage::Lost(chain(&fault)),
            None => Salvage::System(fault),
        }
    }
}

/// Reads every entry of every group: what is wrong with the first that is none.
fn read_all(engine: &dyn Engine) -> Result<Result<(), String>, Fault> {
    let mut outcome = Ok(());
    engine.scan(Column::Log, &[], &[0xff; 16], Direction::Forward, &mut |key, value| {
        let Some(index) = keys::index(key) else { return ControlFlow::Continue(()) };
        match entry::decode_entry(index, Bytes::copy_from_slice(value)) {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => {
                outcome = Err(format!("entry {index}: {error}"));
                ControlFlow::Break(())
            }
        }
    })?;
    Ok(outcome)
}

#[cfg(test)]
mod tests;
