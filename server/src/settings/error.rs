//! What is wrong with a configuration: where, what, and what would be right.

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
};

/// Why a configuration is refused. Nothing has been started or written by then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself cannot be read.
    #[error("{}: cannot be read: {source}; name a configuration file with --config", file.display())]
    Unreadable {
        /// As it was given.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not TOML, or a key or value that does not belong.
    #[error("{place}: {problem}")]
    Unparsed {
        /// Where it stands.
        place: Place,
        /// What the parser found, and what it expected.
        problem: String,
    },
    /// A value that has the right type and is wrong all the same.
    #[error("{place}: {key} {problem}; allowed: {allowed}")]
    Wrong {
        /// Where it stands.
        place: Place,
        /// The setting, with its table.
        key: &'static str,
        /// What is wrong with the value.
        problem: String,
        /// What would be right.
        allowed: String,
    },
}

/// A place in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1; none for a value that the file leaves at its default.
    pub line: Option<usize>,
}

impl Place {
    /// The place of the byte range `at` of `text`, which is what `file` says.
    pub fn new(file: &Path, text: &str, at: Range<usize>) -> Place {
        let line = (at != (0..0)).then(|| line_of(text, at.start));
        Place { file: file.to_path_buf(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file.display()),
            None => write!(f, "{} (default value)", self.file.display()),
        }
    }
}

impl ConfigError {
    pub(super) fn unparsed(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
        // The parser always knows the place; a file that it could not place begins at its top.
        let start = error.span().map_or(0, |span| span.start);
        let place = Place { file: file.to_path_buf(), line: Some(line_of(text, start)) };
        ConfigError::Unparsed { place, problem: for_people(error.message()) }
    }
}

/// The parser speaks of Rust's types; a person who writes a configuration should not need to know them.
fn for_people(message: &str) -> String {
    // Every struct of the settings is a table of the file.
    let (message, tail) = match message.split_once("expected struct ") {
        Some((before, _)) => (before, "expected a table"),
        None => (message, ""),
    };
    format!("{message}{tail}")
        .trim()
        .replace('\n', "; ")
        .replace("expected u64", "expected a whole number")
        .replace("integer `", "number `")
        .replace("unknown field", "unknown setting")
        .replace("unknown variant", "unknown value")
}

fn line_of(text: &str, start: usize) -> usize {
    let before = text.get(..start).unwrap_or(text);
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}
