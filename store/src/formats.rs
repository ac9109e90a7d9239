//! The formats of this crate, and their history.
//!
//! | format | drawn in | frozen in |
//! |---|---|---|
//! | keys and values | [`crate::keys`], [`crate::rows`] | `tests/formats/v001_rows.hex` |
//! | commands | [`crate::command`] | `tests/formats/v001_commands.hex` |
//! | replies | [`crate::command`] | `tests/formats/v001_replies.hex` |
//! | snapshot frames | [`crate::snapshot::format`] | `tests/formats/v001_snapshot.hex` |
//! | what a restore keeps | [`crate::rows`] | `tests/formats/v001_restore.hex` |
//! | audit leaves | [`crate::audit`] | `tests/formats/v001_audit.hex` |
//! | chunks, manifests, journal segments | [`crate::backup`] | `tests/formats/v001_backup.hex` |
//!
//! A value or command begins with its version. A release reads every version from [`OLDEST`] to
//! [`CURRENT`] and writes the current one. A new field or variant is a new version, with its own
//! frozen file beside the old ones, which are never edited; and a new command is proposed only once
//! every node of the cluster can read it.

use crate::command::Command;

/// The format level that every cluster begins with.
pub const FIRST_LEVEL: u8 = 1;
/// The format level that this release knows: it reads and writes all formats up to it.
pub const LEVEL: u8 = 1;

/// What a program knows of formats. A cluster begins a level when every node of it runs a program that
/// knows it, and goes never back; what needs a level is not proposed before.
#[derive(Clone, Copy, Debug)]
pub struct Levels {
    /// The highest level that the program knows.
    pub known: u8,
    /// From which level on a command may be proposed.
    pub since: fn(&Command) -> u8,
}

impl Levels {
    /// Those of this release.
    pub const OF_THIS_RELEASE: Levels = Levels { known: LEVEL, since };
}

/// A command that a later level brings has its arm here.
fn since(command: &Command) -> u8 {
    match command {
        Command::Push(_) | Command::System(..) => FIRST_LEVEL,
    }
}

/// One change of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatChange {
    /// The version that it began.
    pub number: u8,
    /// When, as year-month-day.
    pub date: &'static str,
    /// What changed, in one line.
    pub change: &'static str,
}

/// Every version, oldest first.
pub const FORMAT_LOG: &[FormatChange] = &[FormatChange {
    number: 1,
    date: "2026-11-21",
    change: "the first: keys, values, commands, snapshots, audit leaves",
}];

/// The version that this release writes.
pub const CURRENT: u8 = crate::codec::VERSION;
/// The oldest version that this release reads.
pub const OLDEST: u8 = 1;
