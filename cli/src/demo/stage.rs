//! How the walk is told: a progress bar on a terminal, plain lines otherwise, objects with `--json`.

use crate::{failure::Failure, output::Output};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How many steps the walk has.
const STEPS: u64 = 11;
/// How often the bar moves while a step takes its time.
const TICK: Duration = Duration::from_millis(100);

/// What a step has shown.
pub(super) struct Shown<T> {
    /// What the next steps need.
    pub(super) value: T,
    /// The fact, in one sentence.
    pub(super) says: String,
    /// Details, one line each.
    pub(super) details: Vec<String>,
    /// The same for programs.
    pub(super) facts: Value,
}

impl<T> Shown<T> {
    pub(super) fn new(value: T, says: impl Into<String>, facts: Value) -> Shown<T> {
        Shown { value, says: says.into(), details: Vec::new(), facts }
    }

    pub(super) fn with(mut self, details: Vec<String>) -> Shown<T> {
        self.details = details;
        self
    }
}

/// A cluster that goes on running.
pub(super) struct Kept {
    /// How to use it, for people.
    pub(super) how: Vec<String>,
    /// What it is, for programs.
    pub(super) facts: Value,
}

/// Tells the steps as they happen.
pub(super) struct Stage {
    output: Output,
    bar: Option<ProgressBar>,
    began: Instant,
    step: u64,
    name: &'static str,
}

impl Stage {
    pub(super) fn new(output: Output) -> Stage {
        let bar = output.is_terminal().then(|| {
            let bar = ProgressBar::new(STEPS);
            // The template is fixed; should it ever be wrong, the plain bar does.
            let style = ProgressStyle::with_template("{spinner} [{bar:22}] {pos}/{len} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(TICK);
            bar
        });
        Stage { output, bar, began: Instant::now(), step: 0, name: "" }
    }

    /// Does a step and tells what it showed.
    pub(super) async fn step<T>(
        &mut self,
        name: &'static str,
        act: impl Future<Output = Result<Shown<T>, Failure>>,
    ) -> Result<T, Failure> {
        self.name = name;
        if let Some(bar) = &self.bar {
            bar.set_message(name);
        }
        let began = Instant::now();
        let shown = act.await?;
        self.step += 1;
        self.tell(&shown, began.elapsed());
        Ok(shown.value)
    }

    fn tell<T>(&self, shown: &Shown<T>, took: Duration) {
        if self.output.is_json() {
            let mut object = Map::new();
            object.insert("step".into(), self.step.into());
            object.insert("name".into(), self.name.into());
            object.insert("shows".into(), shown.says.clone().into());
            object.insert("ms".into(), millis(took));
            if let Value::Object(facts) = &shown.facts {
                object.extend(facts.clone());
            }
            self.output.value(&object);
            return;
        }
        let head =
            format!("{:>2}/{STEPS} {:<17} {:>6.2} s", self.step, self.name, took.as_secs_f64());
        self.above(&format!("{head}  {}", shown.says));
        for detail in &shown.details {
            self.above(&format!("{:>35}{detail}", ""));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.step);
        }
    }

    /// A line of text above the bar.
    fn above(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.line(line)),
            None => self.output.line(line),
        }
    }

    pub(super) fn succeeded(&self, kept: Option<&Kept>) {
        self.end();
        let ms = millis(self.began.elapsed());
        if self.output.is_json() {
            let cluster = kept.map(|kept| kept.facts.clone());
            self.output
                .value(&json!({ "ok": true, "steps": self.step, "ms": ms, "cluster": cluster }));
            return;
        }
        let seconds = self.began.elapsed().as_secs_f64();
        self.output.line(format!("all {} steps held, in {seconds:.1} s", self.step));
        for line in kept.iter().flat_map(|kept| &kept.how) {
            self.output.line(line);
        }
    }

    pub(super) fn failed(&self, failure: &Failure) {
        self.end();
        let ms = millis(self.began.elapsed());
        if self.output.is_json() {
            self.output.value(&json!({
                "ok": false, "steps": self.step, "failed": self.name, "error": failure.message(),
                "ms": ms,
            }));
        } else {
            self.output.line(format!("step {} ({}) did not hold", self.step + 1, self.name));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn millis(took: Duration) -> Value {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into()
}
