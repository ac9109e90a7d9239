//! One replica of one group, over either engine, that restarts and loses what a crash would take.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use store::engine::memory::{Crash, MemoryEngine};
use store::engine::rocks::{Memory, RocksEngine};
use store::{Command, Engine, Entry, Machine, Payload, Position, Reader, Reply, StateDigest};
use types::ids::GroupId;

/// The group that the tests' wallets live in when there is only one.
pub(crate) const GROUP: GroupId = GroupId(2);

/// A replica and the log it applies from.
pub(crate) struct Replica {
    store: Store,
    engine: Arc<dyn Engine>,
    machine: Option<Machine>,
    group: GroupId,
    log: Vec<Entry>,
}

enum Store {
    Memory(Arc<MemoryEngine>),
    Rocks(tempfile::TempDir),
}

/// Little memory, so that many can be open at once.
pub(crate) const SMALL: Memory = Memory { block_cache: 1 << 20, write_buffer: 1 << 20 };

impl Replica {
    pub(crate) fn in_memory(group: GroupId) -> Self {
        let engine = Arc::new(MemoryEngine::new());
        Self::over(Store::Memory(Arc::clone(&engine)), engine, group)
    }

    pub(crate) fn on_disk(group: GroupId) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = Arc::new(RocksEngine::open(directory.path(), SMALL).unwrap());
        Self::over(Store::Rocks(directory), engine, group)
    }

    fn over(store: Store, engine: Arc<dyn Engine>, group: GroupId) -> Self {
        let machine = Some(Machine::open(Arc::clone(&engine), group).unwrap());
        Replica { store, engine, machine, group, log: Vec::new() }
    }

    /// The next entry of the log, carrying `command`.
    fn append(&mut self, payload: Payload) -> Entry {
        let index = self.log.len() as u64;
        let entry =
            Entry { position: Position { term: 1 + index / 50, leader: 1, index }, payload };
        self.log.push(entry.clone());
        entry
    }

    pub(crate) fn apply(&mut self, command: &Command) -> Reply {
        self.apply_all(std::slice::from_ref(command)).remove(0)
    }

    /// Applies commands as one run.
    pub(crate) fn apply_all(&mut self, commands: &[Command]) -> Vec<Reply> {
        let payloads = commands.iter().map(|command| Payload::Command(command.encode().unwrap()));
        self.apply_payloads(payloads.collect())
    }

    pub(crate) fn apply_payloads(&mut self, payloads: Vec<Payload>) -> Vec<Reply> {
        let entries: Vec<_> = payloads.into_iter().map(|payload| self.append(payload)).collect();
        self.machine().apply(&entries).unwrap()
    }

    pub(crate) fn machine(&mut self) -> &mut Machine {
        self.machine.as_mut().unwrap()
    }

    pub(crate) fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    pub(crate) fn digest(&self) -> StateDigest {
        self.machine.as_ref().unwrap().digest()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&*self.engine, self.group).unwrap()
    }

    /// Dies, comes back with what is durable, and applies the rest of the log again.
    pub(crate) fn restart(&mut self, crash: Crash) {
        self.machine = None;
        match &self.store {
            Store::Memory(engine) => engine.crash(crash),
            Store::Rocks(directory) => {
                // What a process that dies leaves behind is what its files hold now.
                let copy = copy_of(directory.path());
                self.engine = Arc::new(RocksEngine::open(copy.path(), SMALL).unwrap());
                self.store = Store::Rocks(copy);
            }
        }
        let mut machine = Machine::open(Arc::clone(&self.engine), self.group).unwrap();
        let from = machine.applied().position.map_or(0, |position| position.index as usize + 1);
        machine.apply(self.log.get(from..).unwrap_or_default()).unwrap();
        self.machine = Some(machine);
    }

    /// Forgets the whole log: whatever a restart does not find on disk is gone.
    pub(crate) fn forget_log(&mut self) {
        self.log.clear();
    }

    /// Takes over the state of another replica by its snapshot, and its log.
    pub(crate) fn install(&mut self, from: &Replica) {
        let mut source = from.machine.as_ref().unwrap().snapshot().unwrap();
        let mut sink = self.machine().begin_install();
        while let Some(frame) = source.next_frame().unwrap() {
            sink.frame(&frame).unwrap();
        }
        let meta = self.machine().finish_install(sink).unwrap();
        assert_eq!(meta, *source.meta());
        self.log = from.log.clone();
    }

    /// The digest as kept and as counted anew, which must be the same.
    pub(crate) fn check(&self) {
        let reader = self.reader();
        assert_eq!(reader.digest().unwrap(), self.digest());
        assert_eq!(
            reader.recount().unwrap(),
            self.digest(),
            "the rows are not what the digest says"
        );
    }
}

/// A directory for a database, in memory where there is a place for it: what a sync costs is not what these
/// tests are about, and they can try more.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A copy of a database directory while it is open: what a process killed now would leave.
pub(crate) fn copy_of(directory: &Path) -> tempfile::TempDir {
    // RocksDB tidies up in the background. A copy during which a file came, grew or went is of no
    // one moment, and is made anew.
    loop {
        let before = listing(directory);
        let copy = self::directory();
        let names = before.keys().filter(|name| *name != "LOCK");
        let copied = names
            .map(|name| std::fs::copy(directory.join(name), copy.path().join(name)))
            .collect::<io::Result<Vec<_>>>();
        if copied.is_ok() && listing(directory) == before {
            return copy;
        }
    }
}

/// Names and lengths of the files in a directory.
fn listing(directory: &Path) -> BTreeMap<OsString, u64> {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap());
    // A file that went since it was listed is not there.
    files.filter_map(|file| Some((file.file_name(), file.metadata().ok()?.len()))).collect()
}
