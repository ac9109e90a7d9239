//! Where log lines go, and how they look: standard error, for people or as one JSON object a line.

use crate::{config::Log, settings::LogFormat};
use std::io;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging for the whole process. A second call changes nothing: the first one holds.
pub fn init(log: &Log) {
    // The filter was parsed when the configuration was checked.
    let filter = EnvFilter::new(&log.filter);
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    // Refused only when a subscriber is there already, as in tests.
    let _ = match log.format {
        LogFormat::Plain => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
