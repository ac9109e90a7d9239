use super::*;
use crate::{
    campaign::Campaign,
    history::{Event, Leader, Recorder},
    program::Program,
    report::runs::row,
};
use serde_json::json;
use std::time::Duration;

fn campaign() -> Campaign {
    Campaign {
        nemeses: Nemesis::ALL.to_vec(),
        length: Duration::from_secs(240),
        seed: 100,
        nodes: 3,
        proxy: false,
        program: Program::find(Some(&std::env::current_exe().unwrap())).unwrap(),
        out: PathBuf::from("out"),
        allow_skipped: false,
        runs_file: None,
    }
}

/// A history as long as that of an hour, with a fault in each ten seconds.
fn long(events: u64) -> History {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some");
    let recorder = Recorder::create(&path).unwrap();
    let mut client = recorder.client("register");
    for number in 0..events / 2 {
        client.invoke("read", "register-1", json!(null)).ok(format!("v{number}"));
        if number % 50 == 0 {
            recorder.leader(&Leader { group: number % 3, node: Some("n1".into()), term: number });
        }
    }
    recorder.finish().unwrap();
    let history = History::read(&path).unwrap();
    // As if it had taken an hour.
    let step = 3_600_000_000_000 / events;
    let spread = history.events().map(|(line, event)| (line, event.clone()));
    let spread = spread.map(|(line, event)| Event { time: line as u64 * step, ..event });
    History::from_events(spread).unwrap()
}

#[test]
fn the_page_of_a_long_history_is_small() {
    let history = long(100_000);
    let mut figures = Figures::of(&history);
    let fault = |number: u64| crate::figures::Span {
        kind: "kill".to_owned(),
        detail: "kill".to_owned(),
        felt: 1,
        of_kind: 1,
        moments: Vec::new(),
        fault: "cut".to_owned(),
        state: crate::history::State::Installed,
        reason: String::new(),
        targets: ["n1>n2", "n1>n3", "n2>n1", "n3>n1"].map(str::to_owned).to_vec(),
        role: None,
        group: None,
        start_ns: number * 10_000_000_000,
        from_ns: number * 10_000_000_000,
        stop_ns: number * 10_000_000_000 + 8_000_000_000,
    };
    figures.faults = (0..360).map(fault).collect();
    let timeline = Timeline::of(&history);
    assert_eq!(timeline.pieces.iter().map(|piece| piece.count.ok).sum::<usize>(), 50_000);
    let page = page::run(&Left::from_history(&history), &figures, &timeline);
    assert!(page.contains("500 later changes are not drawn"), "what is left out is said");
    assert!(page.len() < 300_000, "{} bytes", page.len());
}

#[test]
fn what_a_history_says_cannot_become_markup() {
    let left = Left {
        nemesis: "<b>kill</b>".to_owned(),
        commit: "\"><script>".to_owned(),
        repeat: "a & b".to_owned(),
        checkers: [("set".to_owned(), Verdict::fail("<i>lost</i>"))].into(),
        ..Left::default()
    };
    let page = page::run(&left, &Figures::default(), &Timeline::default());
    for raw in ["<b>", "<script>", "<i>", "a & b"] {
        assert!(!page.contains(raw), "{raw}");
    }
    assert!(page.contains("&lt;i&gt;lost&lt;/i&gt;"), "{page}");
}

#[test]
fn every_run_of_a_campaign_has_its_own_seed_and_directory() {
    let campaign = campaign();
    let runs: std::collections::BTreeSet<_> = Nemesis::ALL
        .into_iter()
        .map(|nemesis| campaign.options(nemesis))
        .map(|options| (options.seed, options.out))
        .collect();
    assert_eq!(runs.len(), Nemesis::ALL.len());
    let alone = Campaign { nemeses: vec![Nemesis::Mix], ..campaign.clone() };
    assert_eq!(alone.options(Nemesis::Mix).seed, campaign.options(Nemesis::Mix).seed);
    assert_eq!(campaign.options(Nemesis::Mix).out, Path::new("out/mix-111"));
}

#[test]
fn skipped_runs_are_counted_and_are_no_finding() {
    let options = campaign().options(Nemesis::Power);
    let skipped = Left::of(&options).skipped(vec!["no mkfs.ext4".to_owned()]);
    let entries = [Entry { dir: "power-104".to_owned(), left: skipped, figures: None }];
    assert_eq!(together(&entries), Verdict::Pass);
    assert_eq!(counted(&entries), "6 skipped");
    let row = row(100, &entries).unwrap();
    assert!(row.contains("| power | 0.0 | 0 | 0 | 0 | 0 | 0 | 6 skipped |"), "{row}");
    let summary = summary(&entries, "");
    assert!(summary.contains("* skipped: no mkfs.ext4"), "{summary}");
}

#[test]
fn a_row_is_added_below_the_others_and_the_heading_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("RUNS.md");
    let lost = Entry::without_anything(&campaign().options(Nemesis::Kill));
    for _ in 0..2 {
        append(&file, 100, std::slice::from_ref(&lost)).unwrap();
    }
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("# Campaigns").count(), 1, "{text}");
    let rows: Vec<_> = text.lines().filter(|line| line.contains("| kill |")).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].ends_with("6 missing; kill: harness unknown |"), "{text}");
}

#[test]
fn a_group_that_never_recovered_is_longer_than_every_time_that_ended() {
    use crate::{figures::Outage, nemesis::Role};
    let outage = |every_ns| Outage {
        fault: "kill".to_owned(),
        role: Role::Leader,
        first_ns: Some(10_000_000),
        every_ns,
    };
    let outages = vec![outage(Some(20_000_000)), outage(None), outage(Some(30_000_000))];
    let figures = Figures { outages, ..Figures::default() };
    let left = Left { verdict: "pass".to_owned(), ..Left::default() };
    let page = summary(&[Entry { dir: "kill-1".to_owned(), left, figures: Some(figures) }], "");
    let row = "| kill | leader | 3 | 10 ms | 10 ms | 10 ms | 30 ms | never | never | 1 |";
    assert!(page.contains(row), "{page}");
}
