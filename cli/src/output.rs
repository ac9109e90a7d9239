//! What goes to standard output and standard error: text for people, or JSON objects for programs,
//! one on each line.

use crate::failure::Failure;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        Output { json }
    }

    /// Whether programs read the results.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person watches a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// One result: `text` for people, `value` for programs.
    pub(crate) fn result(&self, text: impl Display, value: &impl Serialize) {
        if self.json { self.value(value) } else { self.line(text) }
    }

    /// A line for people; nothing for programs.
    pub(crate) fn say(&self, text: impl Display) {
        if !self.json {
            self.line(text);
        }
    }

    /// A line of text, whoever reads it.
    pub(crate) fn line(&self, text: impl Display) {
        ended(writeln!(io::stdout().lock(), "{text}"));
    }

    /// An object on a line of its own, whoever reads it.
    pub(crate) fn value(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(text),
            // Only a map with keys that are no strings can fail; it is still better said than lost.
            Err(error) => self.note(format!("a result could not be written as JSON: {error}")),
        }
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        ended(out.write_all(bytes).and_then(|()| out.flush()));
    }

    /// Something beside the result, on standard error.
    pub(crate) fn note(&self, text: impl Display) {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Says why a command failed, once, and gives its exit code.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        let message = failure.message();
        if failure.is_told() {
            // Nothing is said twice.
        } else if self.json {
            let value: Value = json!({ "error": message, "exit": failure.exit_code() });
            self.note(value);
        } else {
            self.note(format!("error: {message}"));
        }
        ExitCode::from(failure.exit_code())
    }
}

/// A reader that has seen enough, as `head`, ends this program quietly, as it would end any other.
fn ended(written: io::Result<()>) {
    if written.is_err() {
        std::process::exit(0);
    }
}
