//! The numbers that a node shows, each with what it means and which promise it speaks of.
//!
//! Promises: a number cannot be shown without being described, so that the page that describes them all
//! (`docs/operating/metrics.md`) is made from what is registered and lacks nothing; every name begins
//! with `holdfast_`; several nodes in one process do not share numbers.
//!
//! Shown in two texts: OpenMetrics 1.0, and the older Prometheus format 0.0.4 for those who ask for no
//! other. Not here: what is counted (each crate's `metrics`) and who may see it (`api`).

use std::fmt::{self, Write};

use prometheus_client::encoding::{EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Metric, Registry as Inner};

pub use prometheus_client::registry::Unit;

#[cfg(test)]
mod tests;

/// In front of every name.
pub const PREFIX: &str = "holdfast";

/// What Holdfast promises, as README's table of guarantees has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// P1
    ZeroLoss,
    /// P2
    Linearizable,
    /// P3
    Once,
    /// P4
    Sealed,
    /// P5
    Honest,
    /// P6
    Recorded,
    /// P7
    Erased,
    /// P8
    NeverBackwards,
    /// P9
    SelfHealing,
    /// P10
    PlainSpeech,
}

impl Promise {
    /// All of them, in their order.
    pub const ALL: [Promise; 10] = [
        Promise::ZeroLoss,
        Promise::Linearizable,
        Promise::Once,
        Promise::Sealed,
        Promise::Honest,
        Promise::Recorded,
        Promise::Erased,
        Promise::NeverBackwards,
        Promise::SelfHealing,
        Promise::PlainSpeech,
    ];

    /// Its number and name, as `P1 zero loss`.
    pub fn name(self) -> &'static str {
        match self {
            Promise::ZeroLoss => "P1 zero loss",
            Promise::Linearizable => "P2 linearizable",
            Promise::Once => "P3 once",
            Promise::Sealed => "P4 sealed",
            Promise::Honest => "P5 honest server or detected",
            Promise::Recorded => "P6 recorded",
            Promise::Erased => "P7 erased",
            Promise::NeverBackwards => "P8 never backwards",
            Promise::SelfHealing => "P9 self-healing",
            Promise::PlainSpeech => "P10 plain speech",
        }
    }
}

/// What a number is.
#[derive(Clone, Debug)]
pub struct About {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    unit: Option<Unit>,
    shows: &'static [Promise],
    alert: &'static str,
}

impl About {
    /// A number by its name, without prefix, unit and `_total`, and one sentence of what it counts,
    /// without its full stop.
    pub fn new(name: &'static str, help: &'static str) -> About {
        About { name, help, labels: &[], unit: None, shows: &[], alert: "" }
    }

    /// It is told apart by these labels. None ever names a wallet or a caller.
    pub fn by(mut self, labels: &'static [&'static str]) -> About {
        self.labels = labels;
        self
    }

    /// It is measured in this unit, which ends its name.
    pub fn in_unit(mut self, unit: Unit) -> About {
        self.unit = Some(unit);
        self
    }

    /// Whoever wants to know how these promises are kept looks at it.
    pub fn shows(mut self, promises: &'static [Promise]) -> About {
        self.shows = promises;
        self
    }

    /// When somebody should be told, as a condition in PromQL or a sentence.
    pub fn alert(mut self, hint: &'static str) -> About {
        self.alert = hint;
        self
    }
}

/// A registered number.
#[derive(Clone, Debug)]
pub struct Known {
    about: About,
    kind: &'static str,
}

impl Known {
    /// The name as Prometheus keeps it, as `holdfast_log_syncs_total`.
    pub fn name(&self) -> String {
        let mut name = format!("{PREFIX}_{}", self.about.name);
        if let Some(unit) = &self.about.unit {
            name = format!("{name}_{}", unit.as_str());
        }
        match self.kind {
            "counter" => name + "_total",
            _ => name,
        }
    }

    /// `counter`, `gauge` or `histogram`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What it counts.
    pub fn help(&self) -> &'static str {
        self.about.help
    }

    /// Its unit, if it has one.
    pub fn unit(&self) -> Option<&str> {
        self.about.unit.as_ref().map(Unit::as_str)
    }

    /// The names of its labels.
    pub fn labels(&self) -> &'static [&'static str] {
        self.about.labels
    }

    /// The promises it speaks of.
    pub fn promises(&self) -> &'static [Promise] {
        self.about.shows
    }

    /// When somebody should be told; empty if it is for reading only.
    pub fn alert(&self) -> &'static str {
        self.about.alert
    }
}

/// All numbers of one node.
#[derive(Debug)]
pub struct Registry {
    inner: Inner,
    known: Vec<Known>,
}

impl Default for Registry {
    fn default() -> Self {
        Registry { inner: Inner::with_prefix(PREFIX), known: Vec::new() }
    }
}

impl Registry {
    /// Shows a number from now on, and gives it back to be counted with.
    pub fn show<M: Metric + Clone>(&mut self, about: About, metric: M) -> M {
        let kind = match EncodeMetric::metric_type(&metric) {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Info | MetricType::Unknown => "untyped",
        };
        match about.unit.clone() {
            Some(unit) => {
                self.inner.register_with_unit(about.name, about.help, unit, metric.clone());
            }
            None => self.inner.register(about.name, about.help, metric.clone()),
        }
        self.known.push(Known { about, kind });
        metric
    }

    /// What is shown, in the order of registration.
    pub fn known(&self) -> &[Known] {
        &self.known
    }

    /// Everything in OpenMetrics 1.0.
    ///
    /// # Errors
    /// A number does not let itself be written.
    pub fn open_metrics(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.inner)?;
        Ok(text)
    }

    /// Everything in the Prometheus text format 0.0.4.
    ///
    /// # Errors
    /// A number does not let itself be written.
    pub fn prometheus(&self) -> Result<String, fmt::Error> {
        let mut older = String::new();
        let newer = self.open_metrics()?;
        let mut lines = newer.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(comment) = line.strip_prefix("# ") else {
                writeln!(older, "{line}")?;
                continue;
            };
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            match words.as_slice() {
                // Only now is it known how the samples of this family are called.
                ["HELP", name, help] => {
                    let kind = lines.peek().and_then(|line| line.rsplit(' ').next());
                    writeln!(older, "# HELP {name}{} {help}", suffix(kind.unwrap_or_default()))?;
                }
                ["TYPE", name, kind] => {
                    writeln!(older, "# TYPE {name}{} {kind}", suffix(kind))?;
                }
                // Units and the end have no line there.
                _ => {}
            }
        }
        Ok(older)
    }
}

/// What OpenMetrics puts behind the name of a family in its samples, and the older format does not.
fn suffix(kind: &str) -> &'static str {
    if kind == "counter" { "_total" } else { "" }
}
