//! What nodes say as JSON is in the terms of the Elastic Common Schema, from the first line to the last.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{path::Path, process::Command, time::Duration};

use client::Record;
use serde_json::Value;
use tests::{Plan, lab::binary};

/// What every line says.
const ALWAYS: [&str; 9] = [
    "@timestamp",
    "log.level",
    "message",
    "ecs.version",
    "service.name",
    "service.version",
    "service.node.name",
    "event.dataset",
    "log.logger",
];

/// Lines of a log, each a flat object with the fields that are always there.
fn lines(log: &str) -> Vec<Value> {
    let parsed = log.lines().map(|line| {
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for field in ALWAYS {
            assert!(value[field].is_string(), "{field} is missing: {line}");
        }
        for (name, value) in value.as_object().unwrap() {
            assert!(!value.is_object() && !value.is_array(), "{name} is not flat: {line}");
            let sets = ["labels.", "event.", "error.", "trace.", "span."];
            let known =
                ALWAYS.contains(&name.as_str()) || sets.iter().any(|set| name.starts_with(set));
            assert!(known, "{name} is no field of the schema: {line}");
        }
        value
    });
    parsed.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_node_is_an_object_of_the_schema() {
    let mut lab =
        Plan::of(3).setting("log.format", "json").setting("log.filter", "debug").start().await;
    let (mut phone, _) = lab.wallet("phone").await;
    phone.put(Record::new("opaque", "one", "logged about")).unwrap();
    phone.push().await.unwrap();
    lab.cluster.stop(Duration::from_secs(20)).await.unwrap();

    for node in 0..3 {
        let lines = lines(&lab.log(node));
        let name = &lab.cluster.nodes()[node].plan.name;
        assert!(lines.iter().all(|line| line["service.node.name"] == *name.as_str()));
        let says = |message: &str| lines.iter().any(|line| line["message"] == message);
        assert!(says("serving") && says("ended"), "from its start to its end");
        let answered = lines.iter().find(|line| line["event.action"] == "answer");
        let answered = answered.expect("requests were answered, and it logs them at this level");
        assert!(answered["event.duration"].is_u64() && answered["event.outcome"].is_string());
    }
}

/// Whoever reads the log by machine also reads why there is none.
#[test]
fn the_end_of_a_node_that_does_not_start_is_a_line_too() {
    let run = |arguments: &[&str]| {
        Command::new(binary()).args(["node", "--config"]).args(arguments).output().unwrap()
    };
    let missing = Path::new("/nonexistent/config.toml").to_str().unwrap();
    let json = run(&[missing, "--log", "json"]);
    assert_eq!(json.status.code(), Some(2));
    let said = lines(&String::from_utf8(json.stderr).unwrap());
    let [end] = said.as_slice() else { panic!("one line: {said:?}") };
    assert_eq!((&end["log.level"], &end["message"]), (&"error".into(), &"the node ended".into()));
    assert!(end["error.message"].as_str().unwrap().contains(missing), "{end}");

    let plain = run(&[missing]);
    assert_eq!(plain.status.code(), Some(2));
    assert!(String::from_utf8(plain.stderr).unwrap().starts_with("error: "));
}
