//! What a node tells of itself while it runs: log lines on standard error, for people or as one JSON object a
//! line, and spans to a collector, if there is one.
//!
//! Spans and log lines are kept apart by their target: no span is printed, no line is sent. A line that is
//! said within a span that is recorded names its trace.

mod ecs;
mod traces;

pub use traces::TracesError;

use crate::{config::Config, settings::LogFormat};
use proto::trace::TARGET;
use std::io;
use traces::Traces;
use tracing_subscriber::{
    EnvFilter, Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

/// What has to be told before the process ends.
#[must_use]
pub struct Telemetry {
    traces: Option<Traces>,
}

/// Starts logging and tracing for the whole process, in the name of a node and within its runtime. A second
/// call changes nothing: the first one holds.
///
/// # Errors
/// Spans cannot be sent as configured. Lines are logged all the same.
pub fn init(config: &Config) -> Result<Telemetry, TracesError> {
    let (node, dc) = (&config.identity.name, &config.identity.dc);
    let started = config.telemetry.as_ref().map(|telemetry| Traces::start(telemetry, node, dc));
    let (traces, failed) = match started.transpose() {
        Ok(traces) => (traces, None),
        Err(error) => (None, Some(error)),
    };
    let spans = traces.as_ref().map(|traces| {
        traces.layer().with_filter(Targets::new().with_target(TARGET, tracing::Level::INFO))
    });
    // The filter was parsed when the configuration was checked.
    let written = format!("{},{TARGET}=off", config.log.filter);
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(false);
    let lines = match config.log.format {
        LogFormat::Plain => lines.boxed(),
        LogFormat::Json => {
            ecs::say_panics(node);
            lines.event_format(ecs::Ecs::new(node)).boxed()
        }
    };
    let lines = lines.with_filter(EnvFilter::new(written));
    // Refused only when a subscriber is there already, as in tests.
    let _ = tracing_subscriber::registry().with(spans).with(lines).try_init();
    failed.map_or(Ok(Telemetry { traces }), Err)
}

impl Telemetry {
    /// Sends what is left to be sent.
    pub async fn end(self) {
        if let Some(traces) = self.traces {
            // A runtime that ends takes the rest with it.
            let _ = tokio::task::spawn_blocking(move || traces.end()).await;
        }
    }
}

/// Says in the form of the log why a process ends that may not have come as far as to log. `node` is
/// empty where it is not known yet.
pub fn say_end(node: &str, reason: &str) {
    ecs::say(node, "holdfast", "the node ended", reason);
}
