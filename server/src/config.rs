//! The configuration as the program uses it: checked, complete, every path absolute.
//!
//! Promises: once a [`Config`] exists nothing in it is wrong or missing, as far as one machine can
//! know at start. Secrets are named by path, never held here, and their files are readable by
//! their owner only.
//!
//! Not here: what a person may write (`settings`), and what is done with it (`run`).

mod check;
mod limits;
mod secret_file;
#[cfg(test)]
mod tests;

pub use secret_file::{SecretFileError, check_mode, read_secret};

use crate::settings::{ConfigError, LogFormat, Source};
use raft::{ConnectionIdentity, Timing, Upkeep};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use types::Role;

/// A checked configuration. See the field docs of `settings` for what each value means.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from, absolute.
    pub file: PathBuf,
    /// Who the certificate says this node is.
    pub identity: ConnectionIdentity,
    /// What the node does in its groups.
    pub role: Role,
    /// Log and state.
    pub data_dir: PathBuf,
    /// Peer addresses of other nodes.
    pub seeds: Vec<String>,
    /// Sockets.
    pub listen: Listen,
    /// What others call this node by.
    pub advertise: Advertise,
    /// Certificate files.
    pub tls: TlsFiles,
    /// Where the epoch key comes from.
    pub epoch_key: EpochKey,
    /// Who may create wallets.
    pub registration: Registration,
    /// Timing of replication.
    pub timing: Timing,
    /// Memory of the database.
    pub memory: Memory,
    /// How the node looks after itself and its cluster.
    pub upkeep: Upkeep,
    /// Bounds on callers.
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
    /// Where traces go, if anywhere.
    pub telemetry: Option<Telemetry>,
    /// How long leaving may take.
    pub drain_timeout: Duration,
}

/// Sockets that the node opens.
#[derive(Clone, Debug)]
pub struct Listen {
    /// For clients and operators.
    pub public: SocketAddr,
    /// For other nodes.
    pub peer: SocketAddr,
    /// Plain HTTP for monitoring, if wanted.
    pub metrics: Option<SocketAddr>,
    /// Whether reflection shows the public services.
    pub reflection: bool,
}

/// What the node tells others to call it by.
#[derive(Clone, Debug)]
pub struct Advertise {
    /// `https://HOST:PORT`.
    pub public: String,
    /// `HOST:PORT`.
    pub peer: String,
}

/// PEM files; all exist, and the key's mode is right.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The cluster's authority.
    pub ca: PathBuf,
    /// This node's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Where the epoch key comes from.
#[derive(Clone, Debug)]
pub enum EpochKey {
    /// A file that opens unattended.
    File(PathBuf),
    /// A file that only a passphrase opens.
    Passphrase(PathBuf),
}

/// Who may create wallets.
#[derive(Clone, Debug)]
pub enum Registration {
    /// Everyone.
    Open,
    /// Callers with one of the tokens in this file.
    Token(PathBuf),
}

/// Memory of the database, in bytes.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Blocks of files kept for reading.
    pub block_cache: usize,
    /// What is gathered before it is written to a file, for log and state each.
    pub write_buffer: usize,
}

/// Bounds on what callers may ask at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections on the public port; `drain` is [`Config::drain_timeout`].
    pub public: raft::listener::Limits,
    /// Requests.
    pub requests: api::Limits,
    /// Bytes of commands that may wait to be replicated.
    pub proposal_bytes: usize,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// Levels by module; parses as a filter.
    pub filter: String,
}

/// Where traces go.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub endpoint: String,
    /// The authority of the latter.
    pub ca: Option<PathBuf>,
    /// Which share of traces is recorded, from 0 to 1.
    pub sample_ratio: f64,
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// What is wrong, with file, line and what is allowed.
    pub fn load(file: &Path) -> Result<Config, ConfigError> {
        Config::check(Source::load(file)?)
    }

    /// Checks settings and completes them.
    ///
    /// # Errors
    /// What is wrong, with file, line and what is allowed.
    pub fn check(source: Source) -> Result<Config, ConfigError> {
        check::check(&source)
    }
}
