use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::{fs, path::Path};
use tempfile::TempDir;

/// The one event of a line, as history.md shows it.
const LINES: &str = include_str!("../../history.md");

fn read(text: &str) -> Result<History, ReadError> {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("history.jsonl");
    fs::write(&path, text).unwrap();
    History::read(&path)
}

#[track_caller]
fn refused(text: &str, at: usize, word: &str) {
    match read(text) {
        Err(ReadError::Line { line, flaw }) => {
            assert_eq!(line, at, "{flaw}");
            assert!(flaw.to_string().contains(word), "{flaw}");
        }
        other => panic!("{other:?}"),
    }
}

fn line(process: u64, kind: &str, op: &str, time: u64) -> String {
    let event = json!({
        "process": process, "type": kind, "workload": "set", "op": op, "key": "set-1",
        "value": "a", "time": time,
    });
    format!("{event}\n")
}

#[test]
fn what_is_recorded_is_read_back_with_beginnings_and_ends_together() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("history.jsonl");
    let recorder = Recorder::create(&path).unwrap();
    recorder.run(&Run { seed: 7, nemesis: "none".to_owned(), ..Run::default() });
    let (mut first, mut second) = (recorder.client("register"), recorder.client("register"));
    let read = first.invoke("read", "register-1", Value::Null);
    second.cas("register-1", Value::Null, "a").done();
    read.ok("a");
    second.cas("register-1", "b", "c").refused("the head has moved on");
    first.invoke("read", "register-1", Value::Null).fail("unavailable");
    recorder.leader(&Leader { group: 1, node: Some("n1".to_owned()), term: 3 });
    assert_eq!(recorder.finish().unwrap(), 10);

    let history = History::read(&path).unwrap();
    let told: Vec<_> = history
        .operations()
        .map(|done| (done.invoke.op.as_str(), done.begun, done.ended, done.outcome()))
        .collect();
    assert_eq!(
        told,
        [
            ("read", 2, Some(5), Type::Ok),
            ("cas", 3, Some(4), Type::Ok),
            ("cas", 6, Some(7), Type::Fail),
            ("read", 8, Some(9), Type::Fail),
        ]
    );
    let refused: Vec<_> = history.operations().map(|done| done.refused()).collect();
    assert_eq!(refused, [false, false, true, false]);
    let (_, run) = history.events().next().unwrap();
    assert_eq!(Run::deserialize(&run.value).unwrap().seed, 7);
}

#[test]
fn an_unknown_outcome_ends_the_process_number() {
    let dir = TempDir::new().unwrap();
    let recorder = Recorder::create(&dir.path().join("history.jsonl")).unwrap();
    let (mut client, other) = (recorder.client("set"), recorder.client("set"));
    assert_eq!((client.process(), other.process()), (0, 1));
    client.invoke("add", "set-1", "a").fail("no");
    assert_eq!(client.process(), 0);
    client.invoke("add", "set-1", "b").info("timed out");
    assert_eq!(client.process(), 2);
    drop(client.invoke("add", "set-1", "c"));
    assert_eq!(client.process(), 3);
}

#[test]
fn an_operation_whose_task_panics_has_an_end() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("history.jsonl");
    let recorder = Recorder::create(&path).unwrap();
    let mut client = recorder.client("set");
    let panicked = std::thread::spawn(move || {
        let _open = client.invoke("add", "set-1", "a");
        std::panic::resume_unwind(Box::new("gone"));
    });
    assert!(panicked.join().is_err());
    recorder.client("set").invoke("add", "set-1", "b").done();
    recorder.finish().unwrap();
    let history = History::read(&path).unwrap();
    let ends: Vec<_> = history.operations().map(|done| done.answer.unwrap().kind).collect();
    assert_eq!(ends, [Type::Info, Type::Ok]);
}

#[test]
fn clients_of_many_threads_write_whole_lines_in_the_order_of_time() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("history.jsonl");
    let recorder = Recorder::create(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let mut client = recorder.client("set");
            scope.spawn(move || {
                for n in 0..500 {
                    let value = format!("{}-{n}", client.process());
                    let open = client.invoke("add", "set-1", value);
                    if n % 50 == 0 { open.info("lost") } else { open.done() }
                }
            });
        }
    });
    assert_eq!(recorder.finish().unwrap(), 8_000);
    let history = History::read(&path).unwrap();
    assert_eq!(history.operations().filter(|done| done.ended.is_some()).count(), 4_000);
}

#[test]
fn what_the_nemesis_says_is_in_the_file_at_once() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("history.jsonl");
    let recorder = Recorder::create(&path).unwrap();
    let mut client = recorder.client("set");
    client.invoke("add", "set-1", "a").done();
    let targets = vec!["n1".to_owned()];
    let fault = Fault { targets, since: Some(7), ..Fault::of_phase(Phase::Start) };
    recorder.fault("kill", &fault);
    let history = History::read(&path).unwrap();
    let (_, last) = history.events().last().unwrap();
    assert_eq!(Fault::of(last).unwrap().unwrap(), fault);
}

#[test]
fn a_write_that_fails_is_told_at_the_end() {
    let full = Path::new("/dev/full");
    let recorder = Recorder::create(full).unwrap();
    recorder.client("set").invoke("add", "set-1", "a").done();
    let error = recorder.finish().unwrap_err();
    assert!(error.to_string().contains("proves nothing"), "{error}");
    let nowhere = Recorder::create(Path::new("/nowhere/history.jsonl")).unwrap_err();
    assert_eq!(nowhere.to_string(), "create history /nowhere/history.jsonl");
}

#[test]
fn a_line_that_is_no_event_is_named() {
    let good = line(1, "invoke", "add", 1);
    refused(&format!("{good}nonsense\n"), 2, "column 2");
    refused(&format!("{good}\n"), 2, "column");
    refused(&format!("{good}{{}}\n"), 2, "missing field");
    refused(&good.replace("\"value\"", "\"vale\""), 1, "vale");
    refused(&good.replace("invoke", "begin"), 1, "unknown variant");
    refused(&format!("{good}{}", line(1, "ok", "add", 2).trim_end()), 2, "breaks off");
}

#[test]
fn lines_stand_in_the_order_of_time() {
    refused(&(line(1, "invoke", "add", 2) + &line(1, "ok", "add", 1)), 2, "earlier");
}

#[test]
fn a_process_does_one_thing_at_a_time() {
    let begins = line(1, "invoke", "add", 1);
    refused(&begins.repeat(2), 2, "its operation of line 1 has no end");
    refused(&line(1, "ok", "add", 1), 1, "did not begin");
    refused(&(begins.clone() + &line(1, "ok", "final", 1)), 2, "another operation");
    let over = begins.clone() + &line(1, "info", "add", 1);
    refused(&(over.clone() + &begins), 3, "goes on after its unknown outcome of line 2");
    refused(&(over + &line(1, "ok", "add", 1)), 3, "goes on");
}

#[test]
fn the_nemesis_only_tells() {
    let event = line(1, "invoke", "kill", 1).replace("\"process\":1", "\"process\":\"nemesis\"");
    refused(&event, 1, "type `info` only");
}

#[test]
fn an_operation_without_an_end_has_an_unknown_outcome() {
    let history = read(&line(1, "invoke", "add", 1)).unwrap();
    let open = history.operations().next().unwrap();
    assert_eq!((open.outcome(), open.ended), (Type::Info, None));
}

#[test]
fn a_history_that_is_not_there_is_named() {
    let error = History::read(Path::new("/nowhere/h.jsonl")).unwrap_err();
    assert_eq!(error.to_string(), "open history /nowhere/h.jsonl");
}

#[test]
fn every_line_that_the_page_shows_is_an_event() {
    let lines: Vec<&str> = LINES.lines().filter(|line| line.starts_with("{\"process\"")).collect();
    assert!(lines.len() > 20, "{}", lines.len());
    for line in lines {
        let event: Event =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        rng_seed: proptest::test_runner::RngSeed::Fixed(4),
        ..ProptestConfig::default()
    })]

    /// Whatever is in the file, reading it ends in a history or in an error.
    #[test]
    fn no_bytes_break_the_reader(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        at in 0..200_usize,
        rest in any::<bool>(),
    ) {
        let mut text = (line(1, "invoke", "add", 1) + &line(1, "ok", "add", 2)).into_bytes();
        let at = at.min(text.len());
        let end = if rest { text.len() } else { at };
        text.splice(at..end, bytes);
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("history.jsonl");
        fs::write(&path, text).unwrap();
        if let Ok(history) = History::read(&path) {
            crate::check::history(&history);
        }
    }
}
