//! Writes a history while it happens.
//!
//! Promises: events stand in the file in the order of their times, each whole on its line; every operation
//! that begins has an end, also where its task panics or is dropped; a process number is never used again
//! after an unknown outcome. What the nemesis says is handed to the system at once, so that the history of
//! a harness that was killed reaches at least to the last fault.
//!
//! An event's time is taken under the lock that orders the lines. A write that fails is kept and told by
//! [`Recorder::finish`]; clients go on.

use super::{Event, Fault, History, Home, Leader, Nemesis, Process, ReadError, Run, Type};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Why there is no whole history.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be made.
    #[error("create history {}", .0.display())]
    Create(PathBuf, #[source] io::Error),
    /// Events were lost.
    #[error("write history {}: it ends early, and its run proves nothing", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// Where events go. Clones write to the same file, on the same clock.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    began: Instant,
    processes: AtomicU64,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    file: BufWriter<File>,
    line: Vec<u8>,
    events: u64,
    lost: Option<io::Error>,
}

impl Recorder {
    /// Starts the clock, and an empty file in place of whatever was there.
    pub fn create(path: &Path) -> Result<Recorder, RecordError> {
        let file =
            File::create(path).map_err(|error| RecordError::Create(path.to_owned(), error))?;
        let log = Log { file: BufWriter::new(file), line: Vec::new(), events: 0, lost: None };
        Ok(Recorder {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                began: Instant::now(),
                processes: AtomicU64::new(0),
                log: Mutex::new(log),
            }),
        })
    }

    /// A client of a workload, under a process number of its own.
    pub fn client(&self, workload: &str) -> Client {
        Client { recorder: self.clone(), workload: workload.to_owned(), process: self.process() }
    }

    /// Nanoseconds since the run began, on the clock of the events.
    pub fn time_ns(&self) -> u64 {
        self.ns_of(Instant::now())
    }

    /// The same of a moment.
    pub fn ns_of(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.shared.began);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// What is run. Comes first.
    pub fn run(&self, run: &Run) {
        self.nemesis("run", run);
    }

    /// What happens to a fault.
    pub fn fault(&self, name: &str, fault: &Fault) {
        self.nemesis(name, fault);
    }

    /// Who leads a group.
    pub fn leader(&self, leader: &Leader) {
        self.nemesis("leader", leader);
    }

    /// Where a wallet lives.
    pub fn wallet(&self, home: &Home) {
        self.nemesis("wallet", home);
    }

    /// Hands everything written so far to the system, and says how many events there are. Operations that
    /// are open still write their ends afterwards: call it again when all clients are gone.
    pub fn finish(&self) -> Result<u64, RecordError> {
        let mut log = self.lock();
        let flushed = log.file.flush();
        match log.lost.take().map_or(flushed, Err) {
            Ok(()) => Ok(log.events),
            Err(error) => Err(RecordError::Write(self.shared.path.clone(), error)),
        }
    }

    /// What is written so far, read back. What could not be written is told by [`Recorder::finish`].
    ///
    /// # Errors
    /// It cannot be read, or somebody is writing.
    pub fn so_far(&self) -> Result<History, ReadError> {
        let mut log = self.lock();
        let flushed = log.file.flush();
        log.keep(flushed);
        drop(log);
        History::read(&self.shared.path)
    }

    fn nemesis(&self, op: &str, value: &impl Serialize) {
        let value = serde_json::to_value(value);
        self.write(&mut Event {
            process: Process::Nemesis(Nemesis::Nemesis),
            kind: Type::Info,
            workload: "nemesis".to_owned(),
            op: op.to_owned(),
            key: String::new(),
            error: value.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            value: value.unwrap_or_default(),
            old: Value::Null,
            time: 0,
        });
        let mut log = self.lock();
        let flushed = log.file.flush();
        log.keep(flushed);
    }

    fn process(&self) -> u64 {
        self.shared.processes.fetch_add(1, Ordering::Relaxed)
    }

    fn write(&self, event: &mut Event) {
        let mut log = self.lock();
        event.time = self.time_ns();
        log.write(event);
    }

    /// A task that panicked while it held the lock left at most a line that was not yet written.
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn write(&mut self, event: &Event) {
        self.line.clear();
        let written = serde_json::to_writer(&mut self.line, event).map_err(io::Error::from);
        self.line.push(b'\n');
        let written = written.and_then(|()| self.file.write_all(&self.line));
        self.events += 1;
        self.keep(written);
    }

    /// The first failure is the one that says why.
    fn keep(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.lost.get_or_insert(error);
        }
    }
}

/// A client of one workload, which does one thing at a time.
#[derive(Debug)]
pub struct Client {
    recorder: Recorder,
    workload: String,
    process: u64,
}

impl Client {
    /// The number that its next operation has.
    pub fn process(&self) -> u64 {
        self.process
    }

    /// Begins an operation on a wallet. Call it before the first byte is sent.
    pub fn invoke(&mut self, op: &str, key: &str, value: impl Into<Value>) -> Open<'_> {
        self.begin(op, key, value.into(), Value::Null)
    }

    /// Begins a write of `value` that happens only where `old` stands.
    pub fn cas(&mut self, key: &str, old: impl Into<Value>, value: impl Into<Value>) -> Open<'_> {
        self.begin("cas", key, value.into(), old.into())
    }

    /// Writes down what came without being asked for: a delivery of a watch.
    pub fn notice(&self, op: &str, key: &str, value: impl Into<Value>) {
        let mut event = self.event(op, key, value.into(), Value::Null);
        event.kind = Type::Ok;
        self.recorder.write(&mut event);
    }

    fn begin(&mut self, op: &str, key: &str, value: Value, old: Value) -> Open<'_> {
        let mut event = self.event(op, key, value, old);
        self.recorder.write(&mut event);
        Open { client: self, event, ended: false }
    }

    fn event(&self, op: &str, key: &str, value: Value, old: Value) -> Event {
        Event {
            process: Process::Client(self.process),
            kind: Type::Invoke,
            workload: self.workload.clone(),
            op: op.to_owned(),
            key: key.to_owned(),
            value,
            old,
            time: 0,
            error: String::new(),
        }
    }
}

/// An operation that has begun. Dropped without an end, it ends as unknown.
#[derive(Debug)]
#[must_use = "an operation that is dropped at once has an unknown outcome"]
pub struct Open<'a> {
    client: &'a mut Client,
    event: Event,
    ended: bool,
}

impl Open<'_> {
    /// It happened, and this is what it wrote or read.
    pub fn ok(mut self, value: impl Into<Value>) {
        self.event.value = value.into();
        self.end(Type::Ok, String::new());
    }

    /// It happened as it was asked for: the end repeats the value of the beginning.
    pub fn done(mut self) {
        self.end(Type::Ok, String::new());
    }

    /// It did not happen and will not.
    pub fn fail(mut self, error: impl ToString) {
        self.end(Type::Fail, error.to_string());
    }

    /// The cluster decided against it, by a rule that the workload counts on. Only this is written as
    /// `"refused": true`; being unavailable or too busy is no decision.
    pub fn refused(self, error: impl ToString) {
        self.fail_as("refused", true, error);
    }

    /// The answer does not verify: only a broken signature, seal or proof explains it.
    pub fn broken(self, error: impl ToString) {
        self.fail_as("broken", true, error);
    }

    /// The answer is no, by a rule that the workload does not count on: this is its code.
    pub fn denied(self, code: &str, error: impl ToString) {
        self.fail_as("denied", code, error);
    }

    fn fail_as(mut self, kind: &str, mark: impl Into<Value>, error: impl ToString) {
        let (asked, mark): (Value, Value) = (self.event.value.take(), mark.into());
        self.event.value = match asked {
            Value::Object(mut fields) => {
                fields.insert(kind.to_owned(), mark);
                Value::Object(fields)
            }
            asked => json!({"asked": asked, kind: mark}),
        };
        self.end(Type::Fail, error.to_string());
    }

    /// It may have happened, or may yet. The client goes on under another process number.
    pub fn info(mut self, error: impl ToString) {
        self.end(Type::Info, error.to_string());
    }

    fn end(&mut self, kind: Type, error: String) {
        self.ended = true;
        self.event.kind = kind;
        self.event.error = error;
        self.client.recorder.write(&mut self.event);
        if kind == Type::Info {
            self.client.process = self.client.recorder.process();
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Type::Info, "the client was gone before an answer came".to_owned());
        }
    }
}
