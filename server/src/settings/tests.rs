//! Wrong keys and values are refused with file, line and what is allowed; the example shows all.

use super::{Settings, Source};
use std::{collections::BTreeSet, fs, path::Path};

fn refusal(text: &str) -> String {
    match Source::parse("/etc/holdfast/config.toml".into(), text.to_owned()) {
        Ok(source) => panic!("accepted: {:?}", source.settings),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_empty_file_is_every_default() {
    let source = Source::parse("/etc/holdfast/config.toml".into(), String::new()).unwrap();
    assert_eq!(source.settings, Settings::default());
}

#[test]
fn what_does_not_belong_is_refused_with_its_line() {
    let cases = [
        "rle = \"data\"\n",
        "\n\n[raft]\nheartbet_ms = 100\n",
        "[rfat]\nheartbeat_ms = 100\n",
        "role = \"leader\"\n",
        "[raft]\nheartbeat_ms = \"100\"\n",
        "[raft]\nheartbeat_ms = -1\n",
        "[raft]\nheartbeat_ms = 0.5\n",
        "[listen]\nreflection = 1\n",
        "[log]\nformat = \"xml\"\n",
        "[raft]\nheartbeat_ms = 100\nheartbeat_ms = 100\n",
        "[raft\n",
        "[tls]\nkey = \"-----BEGIN PRIVATE KEY-----\n",
        "raft = 7\n",
    ];
    let seen: String = cases.iter().map(|text| refusal(text) + "\n").collect();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings/refusals.txt");
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        fs::write(&golden, &seen).unwrap();
    }
    assert_eq!(
        seen,
        fs::read_to_string(golden).unwrap(),
        "run with HOLDFAST_BLESS=1, then read the diff"
    );
}

#[test]
fn the_example_shows_every_setting_at_its_default_and_says_what_it_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config.example.toml");
    let text = fs::read_to_string(&file).unwrap();
    let source = Source::parse(file, text.clone()).unwrap();
    assert_eq!(source.settings, Settings::default(), "the example differs from the defaults");

    let shown: toml::Table = toml::from_str(&text).unwrap();
    let known = toml::Table::try_from(Settings::default()).unwrap();
    assert_eq!(keys(&shown), keys(&known), "the example leaves a setting out");

    let lines: Vec<&str> = text.lines().collect();
    for (n, line) in lines.iter().enumerate() {
        let is_setting = !line.is_empty() && !line.starts_with('#');
        assert!(
            !is_setting || lines[n - 1].starts_with('#'),
            "line {} has no comment: {line}",
            n + 1
        );
    }
}

fn keys(table: &toml::Table) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => {
                found.extend(keys(inner).into_iter().map(|inner| format!("{key}.{inner}")));
            }
            _ => {
                found.insert(key.clone());
            }
        }
    }
    found
}
