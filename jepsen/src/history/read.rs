//! Reads a history back, and refuses one that no run can have written.
//!
//! Promises: beginnings and ends belong together, times do not go back, a process does one thing at a time
//! and nothing after an unknown outcome. Only an end may be missing (the harness was killed); whoever
//! judges the whole then says so, and the operation counts as one of unknown outcome.
//!
//! Not here: what the values must look like. Each checker reads its own.

use super::{Event, Process, Type};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// A longer line is no event: the largest, a final read of a `set`, has 64 bytes for each element.
pub const LINE_MAX_BYTES: u64 = 64 << 20;
/// More events than this are not read: about 5 GiB of memory.
pub const EVENTS_MAX: usize = 10_000_000;

/// Why a history cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is not there or not readable.
    #[error("open history {}", .0.display())]
    Open(PathBuf, #[source] io::Error),
    /// The disk gave no answer.
    #[error("read history {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A line is wrong.
    #[error("line {line}: {flaw}")]
    Line {
        /// The first line of the file is 1.
        line: usize,
        /// What, and what to do.
        flaw: Flaw,
    },
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// No JSON, or another object.
    #[error("no event at column {column}: {what}; history.md says what a line holds")]
    NoEvent {
        /// The first character is 1.
        column: usize,
        /// What the parser says.
        what: String,
    },
    /// The last line has no end.
    #[error(
        "it breaks off; the harness ended while it wrote: delete the line to judge what is before it"
    )]
    BrokenOff,
    /// Too many bytes.
    #[error("longer than {LINE_MAX_BYTES} bytes; one event stands on one line")]
    TooLong,
    /// Too many lines.
    #[error("more than {EVENTS_MAX} events; judge a shorter run")]
    TooMany,
    /// The clock is monotonic.
    #[error(
        "earlier ({time} ns) than the line before it ({before} ns); lines stand in the order of time"
    )]
    Backwards {
        /// Its time.
        time: u64,
        /// The time before.
        before: u64,
    },
    /// One thing at a time.
    #[error(
        "process {process} begins while its operation of line {open} has no end; a process does one thing at a time"
    )]
    Busy {
        /// Whose.
        process: u64,
        /// Where the other begins.
        open: usize,
    },
    /// An end of nothing.
    #[error("process {process} ends an operation that it did not begin; write its `invoke` first")]
    NotBegun {
        /// Whose.
        process: u64,
    },
    /// The end of something else.
    #[error(
        "process {process} ends another operation than it began on line {open}; workload, op and key of both lines are the same"
    )]
    Other {
        /// Whose.
        process: u64,
        /// Where it began.
        open: usize,
    },
    /// A process that is over.
    #[error(
        "process {process} goes on after its unknown outcome of line {since}; the client takes another number"
    )]
    Over {
        /// Whose.
        process: u64,
        /// Where it ended.
        since: usize,
    },
    /// The nemesis asks nothing.
    #[error("the nemesis has events of type `info` only")]
    NemesisAsks,
}

/// A whole history.
#[derive(Debug, Default)]
pub struct History {
    events: Vec<Event>,
    /// Where operations begin and end, in the order of their beginnings.
    spans: Vec<(usize, Option<usize>)>,
}

/// An operation: its beginning, and its end if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The `invoke`.
    pub invoke: &'a Event,
    /// On which line it begins, from 1.
    pub begun: usize,
    /// The `ok`, `fail` or `info`.
    pub answer: Option<&'a Event>,
    /// On which line it ends.
    pub ended: Option<usize>,
}

impl<'a> Operation<'a> {
    /// How it ended; `Info` where the end is missing.
    pub fn outcome(&self) -> Type {
        self.answer.map_or(Type::Info, |answer| answer.kind)
    }

    /// Its answer and where that stands, if it is known to have happened.
    pub fn ok(&self) -> Option<(usize, &'a Event)> {
        let answer = self.answer.filter(|answer| answer.kind == Type::Ok)?;
        Some((self.ended?, answer))
    }

    /// When it began and ended, in nanoseconds, if it has an end.
    pub fn times(&self) -> Option<(u64, u64)> {
        Some((self.invoke.time, self.answer?.time))
    }

    /// Whether it writes records of a wallet of which the history says where it lives.
    pub fn writes_records(&self) -> bool {
        matches!(
            (self.invoke.workload.as_str(), self.invoke.op.as_str()),
            ("register", "cas") | ("set", "add") | ("once" | "chain" | "watch", "push" | "retry")
        )
    }

    /// Whether the cluster decided against it by a rule of the workload (`value.refused`).
    pub fn refused(&self) -> bool {
        self.failed_as("refused")
    }

    /// Whether its answer did not verify (`value.broken`).
    pub fn broken(&self) -> bool {
        self.failed_as("broken")
    }

    /// The code of a refusal that the workload does not count on (`value.denied`).
    pub fn denied(&self) -> Option<&'a str> {
        let answer = self.answer.filter(|answer| answer.kind == Type::Fail)?;
        answer.value["denied"].as_str()
    }

    fn failed_as(&self, kind: &str) -> bool {
        self.answer.is_some_and(|answer| {
            answer.kind == Type::Fail && answer.value[kind].as_bool() == Some(true)
        })
    }

    /// Where it stands, for people.
    pub fn lines(&self) -> String {
        match self.ended {
            Some(ended) => format!("lines {} to {ended}", self.begun),
            None => format!("line {}, without an end", self.begun),
        }
    }
}

impl History {
    /// Reads a file of JSON lines.
    pub fn read(path: &Path) -> Result<History, ReadError> {
        let file = File::open(path).map_err(|error| ReadError::Open(path.to_owned(), error))?;
        let mut reader = BufReader::new(file);
        let mut builder = Builder::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut reader).take(LINE_MAX_BYTES).read_until(b'\n', &mut line);
            match read {
                Ok(0) => return Ok(builder.history),
                Ok(_) => builder.line(&line)?,
                Err(error) => return Err(ReadError::Read(path.to_owned(), error)),
            }
        }
    }

    /// Takes events as they would stand in a file.
    pub fn from_events(events: impl IntoIterator<Item = Event>) -> Result<History, ReadError> {
        let mut builder = Builder::default();
        for event in events {
            builder.event(event)?;
        }
        Ok(builder.history)
    }

    /// All events with their lines, from 1.
    pub fn events(&self) -> impl Iterator<Item = (usize, &Event)> {
        self.events.iter().enumerate().map(|(index, event)| (index + 1, event))
    }

    /// All operations in the order of their beginnings.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.spans.iter().map(|&(begin, end)| Operation {
            invoke: &self.events[begin],
            begun: begin + 1,
            answer: end.map(|end| &self.events[end]),
            ended: end.map(|end| end + 1),
        })
    }

    /// The operations of a workload, by wallet.
    pub fn wallets(&self, workload: &str) -> BTreeMap<&str, Vec<Operation<'_>>> {
        let mut wallets: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
        for operation in self.operations().filter(|found| found.invoke.workload == workload) {
            wallets.entry(&operation.invoke.key).or_default().push(operation);
        }
        wallets
    }
}

/// A history that grows event by event.
#[derive(Default)]
struct Builder {
    history: History,
    processes: BTreeMap<u64, Doing>,
}

/// What a process does.
enum Doing {
    /// The index of its span.
    Open(usize),
    /// Nothing any more, since this line.
    Over(usize),
}

impl Builder {
    fn line(&mut self, line: &[u8]) -> Result<(), ReadError> {
        let Some(text) = line.strip_suffix(b"\n") else {
            let too_long = line.len() as u64 >= LINE_MAX_BYTES;
            return self.refuse(if too_long { Flaw::TooLong } else { Flaw::BrokenOff });
        };
        match serde_json::from_slice(text) {
            Ok(event) => self.event(event),
            Err(error) => {
                let said = error.to_string();
                let what = said.split(" at line ").next().unwrap_or_default().to_owned();
                self.refuse(Flaw::NoEvent { column: error.column(), what })
            }
        }
    }

    fn refuse(&self, flaw: Flaw) -> Result<(), ReadError> {
        Err(ReadError::Line { line: self.history.events.len() + 1, flaw })
    }

    fn event(&mut self, event: Event) -> Result<(), ReadError> {
        if self.history.events.len() == EVENTS_MAX {
            return self.refuse(Flaw::TooMany);
        }
        let before = self.history.events.last().map_or(0, |last| last.time);
        if event.time < before {
            return self.refuse(Flaw::Backwards { time: event.time, before });
        }
        if let Err(flaw) = self.pair(&event) {
            return self.refuse(flaw);
        }
        self.history.events.push(event);
        Ok(())
    }

    /// Finds the operation that an event begins or ends.
    fn pair(&mut self, event: &Event) -> Result<(), Flaw> {
        let Process::Client(process) = event.process else {
            return if event.kind == Type::Info { Ok(()) } else { Err(Flaw::NemesisAsks) };
        };
        let at = self.history.events.len();
        let entry = match self.processes.entry(process) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(_) if comes_unasked(event) => return Ok(()),
            Entry::Vacant(entry) if event.kind == Type::Invoke => {
                entry.insert(Doing::Open(self.history.spans.len()));
                self.history.spans.push((at, None));
                return Ok(());
            }
            Entry::Vacant(_) => return Err(Flaw::NotBegun { process }),
        };
        let span = match *entry.get() {
            Doing::Over(since) => return Err(Flaw::Over { process, since }),
            Doing::Open(span) => span,
        };
        let began = &self.history.events[self.history.spans[span].0];
        let open = self.history.spans[span].0 + 1;
        if event.kind == Type::Invoke {
            return Err(Flaw::Busy { process, open });
        }
        if (&began.workload, &began.op, &began.key) != (&event.workload, &event.op, &event.key) {
            let unasked = comes_unasked(event);
            return if unasked { Ok(()) } else { Err(Flaw::Other { process, open }) };
        }
        self.history.spans[span].1 = Some(at);
        if event.kind == Type::Info {
            self.processes.insert(process, Doing::Over(at + 1));
        } else {
            entry.remove();
        }
        Ok(())
    }
}

/// Whether this is a delivery, which needs no beginning.
fn comes_unasked(event: &Event) -> bool {
    event.kind == Type::Ok
        && match (event.workload.as_str(), event.op.as_str()) {
            ("watch", "open" | "see" | "close" | "final") => true,
            ("devices", "use") => event.value["kind"] == "watch",
            _ => false,
        }
}
