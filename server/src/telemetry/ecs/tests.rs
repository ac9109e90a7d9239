//! Each kind of field lands where the schema has it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tracing_subscriber::{fmt, util::SubscriberInitExt};

use super::Ecs;

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("write the log")]
struct Outer(#[source] io::Error);

#[test]
fn events_are_lines_of_the_schema() {
    let said = Said::default();
    let writer = said.clone();
    let subscriber = fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .event_format(Ecs::new("n1"))
        .finish();
    let guard = subscriber.set_default();
    tracing::info!(group = 7, peer.name = "n2", fine = true, "a \"line\"\nof two");
    let error = Outer(io::Error::other("no space left"));
    tracing::warn!(error = &error as &dyn std::error::Error, "stopped");
    tracing::debug!(event.duration = 1_500_u64, event.outcome = "success", "answered");
    drop(guard);

    let text = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
    let starts = text.lines().all(|line| line.starts_with("{\"@timestamp\":\"20"));
    assert!(starts, "the time stands first, as the schema for logs asks:\n{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let times = lines.iter().map(|line| line["@timestamp"].as_str().unwrap());
    assert!(
        times.clone().all(|at| at.len() == "2026-11-21T10:00:00.000Z".len() && at.ends_with('Z'))
    );

    let common = |level: &str, message: &str| {
        json!({
            "log.level": level, "message": message, "ecs.version": "8.11.0",
            "service.name": "holdfast", "service.version": env!("CARGO_PKG_VERSION"),
            "service.node.name": "n1", "event.dataset": "holdfast.node",
            "log.logger": "server::telemetry::ecs::tests",
        })
    };
    let with = |mut line: Value, more: Value| {
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    };
    let without_time = |line: &Value| {
        let mut line = line.clone();
        line.as_object_mut().unwrap().remove("@timestamp");
        line
    };
    assert_eq!(
        lines.iter().map(without_time).collect::<Vec<_>>(),
        [
            with(
                common("info", "a \"line\"\nof two"),
                json!({ "labels.group": "7", "labels.peer_name": "n2", "labels.fine": "true" })
            ),
            with(
                common("warn", "stopped"),
                json!({ "error.message": "write the log: no space left" })
            ),
            with(
                common("debug", "answered"),
                json!({ "event.duration": 1_500, "event.outcome": "success" })
            ),
        ]
    );
}
