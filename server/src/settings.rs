//! The configuration as a person writes it: one TOML file, every setting with a default.
//!
//! Promises: a key or a value that does not belong is refused with file, line and what is allowed;
//! nothing is guessed or ignored. The doc of each field is the reference, and
//! `deploy/config.example.toml` shows every setting at its default.
//!
//! Not here: whether values fit together and files exist (`config`). Nothing reads settings once
//! the program has started.

mod error;
mod tables;
#[cfg(test)]
mod tests;

pub use error::{ConfigError, Place};
pub use tables::{
    AdvertiseSettings, DiskSettings, DrainSettings, EpochKeySettings, EpochKeySource,
    LimitSettings, ListenSettings, LogFormat, LogSettings, MemorySettings, RaftSettings,
    RegistrationMode, RegistrationSettings, RepairSettings, RoleSetting, TelemetrySettings,
    TlsSettings,
};

use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};
use toml::Spanned;

/// A value and where in the file it stands; `0..0` for one that the file leaves at its default.
pub type Setting<T> = Spanned<T>;

/// A whole configuration file. Paths that are not absolute start at the file's directory.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What this node does in the groups it belongs to.
    pub role: Setting<RoleSetting>,
    /// Where the node keeps its log and its state. One node, one directory. From an empty one the
    /// node comes back by itself, under a new id, if `seeds` name other nodes; one that an operator
    /// removed has to join anew.
    pub data_dir: Setting<PathBuf>,
    /// Peer addresses of other nodes, asked at start whether the cluster still knows this one, and
    /// for a new place if its directory is empty or in quarantine.
    pub seeds: Setting<Vec<String>>,
    /// Where the node listens.
    pub listen: ListenSettings,
    /// How others reach the node.
    pub advertise: AdvertiseSettings,
    /// Certificates: who the node is, and whom it believes.
    pub tls: TlsSettings,
    /// The key that wraps the data keys of all wallets.
    pub epoch_key: EpochKeySettings,
    /// Who may create wallets.
    pub registration: RegistrationSettings,
    /// Timing of replication.
    pub raft: RaftSettings,
    /// Memory of the database.
    pub memory: MemorySettings,
    /// What stays free on the disk.
    pub disk: DiskSettings,
    /// How the node looks after itself and its cluster.
    pub repair: RepairSettings,
    /// Bounds on what callers may ask at once.
    pub limits: LimitSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// Where traces go.
    pub telemetry: TelemetrySettings,
    /// How a node leaves.
    pub drain: DrainSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            role: unplaced(RoleSetting::Data),
            data_dir: unplaced("/var/lib/holdfast".into()),
            seeds: unplaced(Vec::new()),
            listen: ListenSettings::default(),
            advertise: AdvertiseSettings::default(),
            tls: TlsSettings::default(),
            epoch_key: EpochKeySettings::default(),
            registration: RegistrationSettings::default(),
            raft: RaftSettings::default(),
            memory: MemorySettings::default(),
            disk: DiskSettings::default(),
            repair: RepairSettings::default(),
            limits: LimitSettings::default(),
            log: LogSettings::default(),
            telemetry: TelemetrySettings::default(),
            drain: DrainSettings::default(),
        }
    }
}

/// Settings together with the text they came from, so that a later check can name the line.
#[derive(Debug)]
pub struct Source {
    /// The file, absolute.
    pub file: PathBuf,
    /// What it says.
    pub text: String,
    /// The same, read.
    pub settings: Settings,
}

impl Source {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a key or a value that does not belong.
    pub fn load(file: &Path) -> Result<Source, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { file: file.to_path_buf(), source };
        let absolute = std::path::absolute(file).map_err(unreadable)?;
        let text = fs::read_to_string(&absolute).map_err(unreadable)?;
        Source::parse(absolute, text)
    }

    /// As [`Source::load`], for text that is already at hand; `file` is used in errors and as the
    /// start of relative paths.
    ///
    /// # Errors
    /// The text is not TOML, or has a key or a value that does not belong.
    pub fn parse(file: PathBuf, text: String) -> Result<Source, ConfigError> {
        match toml::from_str(&text) {
            Ok(settings) => Ok(Source { file, text, settings }),
            Err(error) => Err(ConfigError::unparsed(&file, &text, &error)),
        }
    }
}

/// A value that stands in no file.
pub(crate) fn unplaced<T>(value: T) -> Setting<T> {
    Spanned::new(0..0, value)
}
