//! Every number that a node shows is described, and a scraper reads what nodes say.
//!
//! `docs/operating/metrics.md` is made from what is registered: run this test with `HOLDFAST_BLESS=1` to
//! write it anew. A real cluster is then held against the same descriptions, against the rules of
//! `promtool check metrics`, and, where `promtool` is to be had (`xtask/setup.sh test` fetches it), against itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use client::Record;
use raft::registry::{Known, Promise};
use server::cluster::{Cluster, Scratch};
use tests::{Lab, Plan, lab::PATIENCE, lab::until, scrape::Metrics};

/// Promises that are kept today by something that can be counted.
const IN_FORCE: [Promise; 9] = [
    Promise::ZeroLoss,
    Promise::Linearizable,
    Promise::Once,
    Promise::Sealed,
    Promise::Honest,
    Promise::Recorded,
    Promise::NeverBackwards,
    Promise::SelfHealing,
    Promise::PlainSpeech,
];

const ABOUT: &str = "# Metrics

<!-- after: bootstrap.md -->
<!-- Made from the code: HOLDFAST_BLESS=1 cargo test --release -p tests --test metrics -->

Every number that a node shows, in the order of the promises that it speaks of. `/metrics` shows them to
operator certificates on the public port and, where `listen.metrics` is set, to everyone who reaches that
address; in the Prometheus text format 0.0.4, or in OpenMetrics 1.0 for whoever accepts it.

```sh
curl --silent --cacert new-cluster/ca.pem --cert new-cluster/operator.pem --key new-cluster/operator.key \\
    https://10.0.0.1:7600/metrics
```

```text
# TYPE holdfast_zero_loss gauge
```

No label names a wallet, a member or a caller. `group` 0 is the cluster's own, wallets are in groups from 2
on. Counters begin at zero with the process. A number with labels is shown once it has been counted.
What clients detect (P5) no server can count; `code` says what nodes refused, as in
[errors.md](../errors.md).
";

fn row(metric: &Known) -> String {
    let or =
        |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
    let labels: Vec<String> = metric.labels().iter().map(|label| format!("`{label}`")).collect();
    let also: Vec<&str> =
        metric.promises().iter().skip(1).map(|promise| number(*promise)).collect();
    let also = if also.is_empty() { String::new() } else { format!(" (also {})", also.join(", ")) };
    let cell = |text: &str| text.replace('|', "\\|");
    format!(
        "| `{}` | {} | {} | {} | {}{also} | {} |\n",
        metric.name(),
        metric.kind(),
        or(metric.unit().unwrap_or_default(), "–"),
        or(&labels.join(", "), "–"),
        cell(metric.help()),
        cell(&or(metric.alert(), "–")),
    )
}

fn number(promise: Promise) -> &'static str {
    promise.name().split(' ').next().unwrap()
}

fn page(known: &[Known]) -> String {
    let mut page = ABOUT.to_owned();
    let mut section = |title: &str, rows: Vec<&Known>| {
        if rows.is_empty() {
            return;
        }
        page += &format!(
            "\n## {title}\n\n| name | type | unit | labels | meaning | tell somebody when |\n|---|---|---|---|---|---|\n"
        );
        rows.into_iter().for_each(|metric| page += &row(metric));
    };
    for promise in Promise::ALL {
        let first = |metric: &&Known| metric.promises().first() == Some(&promise);
        section(promise.name(), known.iter().filter(first).collect());
    }
    section("Load", known.iter().filter(|metric| metric.promises().is_empty()).collect());
    page
}

#[test]
fn the_page_describes_what_is_registered() {
    let registry = server::metrics::all();
    for promise in IN_FORCE {
        let shown = registry.known().iter().any(|metric| metric.promises().contains(&promise));
        assert!(shown, "nothing shows how {} is kept", promise.name());
    }
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/operating/metrics.md");
    let made = page(registry.known());
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        fs::write(&file, &made).unwrap();
    }
    assert_eq!(
        made,
        fs::read_to_string(file).unwrap_or_default(),
        "run HOLDFAST_BLESS=1 cargo test --release -p tests --test metrics, then read the diff"
    );
}

/// The rules that `promtool check metrics` applies, for machines that lack it.
#[test]
fn names_and_texts_keep_the_rules_of_prometheus() {
    let words = |text: &str| text.split('_').map(str::to_owned).collect::<BTreeSet<_>>();
    // Units that are no base units, abbreviations, and types in names.
    let refused = [
        "milliseconds",
        "ms",
        "microseconds",
        "us",
        "nanoseconds",
        "ns",
        "minutes",
        "hours",
        "days",
        "s",
        "sec",
        "kilobytes",
        "kb",
        "megabytes",
        "mb",
        "gigabytes",
        "gb",
        "bits",
        "percent",
        "counter",
        "gauge",
        "histogram",
        "summary",
    ];
    for metric in server::metrics::all().known() {
        let (name, kind) = (metric.name(), metric.kind());
        assert!(!metric.help().is_empty() && !metric.help().ends_with('.'), "{name}: one sentence");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(name.starts_with("holdfast_") && !name.contains("__"), "{name}");
        for end in ["_count", "_sum", "_bucket"] {
            assert!(!name.ends_with(end), "{name} ends as parts of histograms do");
        }
        let wrong: Vec<_> =
            words(&name).into_iter().filter(|w| refused.contains(&w.as_str())).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        assert!(!metric.labels().contains(&"le"), "{name}");
    }
}

/// A family as a node shows it.
#[derive(Default)]
struct Shown {
    help: String,
    kind: String,
    labels: BTreeSet<String>,
}

/// What stands in a text of format 0.0.4, by family.
fn families(text: &str) -> BTreeMap<String, Shown> {
    let mut families: BTreeMap<String, Shown> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "HELP", name, help] => {
                families.entry((*name).to_owned()).or_default().help = (*help).to_owned();
            }
            ["#", "TYPE", name, kind] => {
                families.entry((*name).to_owned()).or_default().kind = (*kind).to_owned();
            }
            _ => {
                let (series, _value) = line.rsplit_once(' ').expect("a sample");
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                let family = ["_bucket", "_sum", "_count"]
                    .into_iter()
                    .filter_map(|end| name.strip_suffix(end))
                    .find(|name| families.get(*name).is_some_and(|shown| shown.kind == "histogram"))
                    .unwrap_or(name)
                    .to_owned();
                let shown = families
                    .get_mut(&family)
                    .unwrap_or_else(|| panic!("{family} is not announced"));
                let names = labels
                    .trim_end_matches('}')
                    .split("\",")
                    .filter_map(|label| label.split_once('='));
                shown
                    .labels
                    .extend(names.map(|(name, _)| name.to_owned()).filter(|name| name != "le"));
            }
        }
    }
    families
}

/// What real nodes show after real work is what the page says, to the letter.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_shows_what_the_page_says() {
    let scratch = Scratch::new("holdfast-test").unwrap();
    let mut options = Plan::of(3).options(scratch.path().join("cluster"));
    let metrics = Metrics::of(&mut options);
    let lab = Lab::around(Cluster::start(&options).await.unwrap(), scratch);
    let (mut phone, code) = lab.wallet("phone").await;
    phone.put(Record::new("opaque", "one", "to be counted")).unwrap();
    phone.push().await.unwrap();
    lab.device(&code, "tablet").await.pull().await.unwrap();

    let registry = server::metrics::all();
    let known: BTreeMap<String, &Known> =
        registry.known().iter().map(|metric| (metric.name(), metric)).collect();
    let mut seen = BTreeSet::new();
    for node in 0..3 {
        let text = until("the node has counted its promises", PATIENCE, async || {
            let text = metrics.text(node).ok()?;
            (text.contains("\nholdfast_zero_loss 1\n")
                && text.contains("\nholdfast_self_healing 1\n")
                && text.contains("\nholdfast_audit_leaves{"))
            .then_some(text)
        })
        .await;
        for (name, shown) in families(&text) {
            let metric = known.get(&name).unwrap_or_else(|| panic!("{name} is not described"));
            assert_eq!(shown.help, format!("{}.", metric.help()), "{name}");
            assert_eq!(shown.kind, metric.kind(), "{name}");
            let declared: BTreeSet<String> =
                metric.labels().iter().map(|&label| label.to_owned()).collect();
            assert_eq!(shown.labels, declared, "{name}");
            seen.insert(name);
        }
        promtool(&text);
    }
    for name in
        ["holdfast_pushes_acknowledged_total", "holdfast_certificate_expiry_timestamp_seconds"]
    {
        assert!(seen.contains(name), "{name} was not shown");
    }
}

/// Prometheus' own judgement: by the program that `xtask/setup.sh test` fetched, or an installed one.
fn promtool(text: &str) {
    let fetched = env::var_os("HOLDFAST_PROMTOOL").filter(|file| Path::new(file).is_file());
    let started = Command::new(fetched.unwrap_or_else(|| "promtool".into()))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            eprintln!(
                "SKIPPED promtool check metrics: {error}; Debian has it in the package prometheus"
            );
            return;
        }
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(
        said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(),
        "promtool check metrics: {}{}\n{text}",
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    );
}
