//! P4: nothing that a user keeps, and no key that opens it, is on a server: not in a file, not in a
//! log, not in a snapshot, not inside what the engine compresses.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use client::{Keep, Record};
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};
use store::{
    Column,
    engine::{Direction, EngineView, rocks::RocksEngine},
};
use tests::{Plan, collector::Collector, crowd::Crowd};

/// Whether `needle` stands anywhere in `hay`.
fn contains(hay: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(hay, needle).is_some()
}

/// Every file below a directory.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Which needles stand in the files of a directory, byte for byte.
fn raw(dir: &Path, needles: &[(&'static str, Vec<u8>)]) -> Vec<&'static str> {
    let mut paths = Vec::new();
    files(dir, &mut paths);
    let mut found: Vec<&'static str> = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        found.extend(
            needles.iter().filter(|(_, needle)| contains(&bytes, needle)).map(|(name, _)| *name),
        );
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Which needles stand in the keys and values of a node's engine, as the engine decodes them.
fn decoded(data: &Path, needles: &[(&'static str, Vec<u8>)]) -> Vec<&'static str> {
    let engine = RocksEngine::open(&tests::lab::database(data), Default::default()).unwrap();
    let mut found = Vec::new();
    for column in Column::ALL {
        let mut pairs = 0_u64;
        engine
            .scan(column, &[], &[0xff; 64], Direction::Forward, &mut |key, value| {
                pairs += 1;
                let there = needles
                    .iter()
                    .filter(|(_, needle)| contains(key, needle) || contains(value, needle));
                found.extend(there.map(|(name, _)| *name));
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(pairs > 0, "column {column} is read");
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What may stand on a disk and in no log and no trace: ids of wallets in full and what opens sessions, in
/// every form that a program might print them in.
fn unspoken(wallet: &[u8], token: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
    let mut forms = Vec::new();
    for (name, bytes) in [("wallet id", wallet), ("token", token)] {
        forms.extend([
            (name, bytes.to_vec()),
            (name, hex::encode(bytes).into_bytes()),
            (name, BASE64_STANDARD.encode(bytes).trim_end_matches('=').as_bytes().to_vec()),
            (name, BASE64_URL_SAFE_NO_PAD.encode(bytes).into_bytes()),
            (name, format!("{bytes:?}").trim_matches(['[', ']']).as_bytes().to_vec()),
        ]);
    }
    forms
}

/// Plants a body, a name, a field, a device name and a recovery code in a wallet, and looks for them
/// and for keys on every node, in every log and in every trace that is sent. A control that is clear on disk
/// by design must be found both ways.
#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_is_on_any_node() {
    let collector = Collector::start().await;
    let mut lab = Plan::of(3)
        .setting("raft.snapshot_entries", 100)
        .setting("log.filter", "debug")
        .setting("telemetry.endpoint", collector.endpoint())
        .setting("telemetry.sample_ratio", 1.0)
        .start()
        .await;
    let (mut wallet, code) = lab.wallet("planted-device-7c1f").await;
    let mut record =
        Record::new("opaque", "planted-name-55aa01", b"planted-body-0123456789abcdef".repeat(8));
    record.fields.insert("planted-field-9e".into(), "planted-value-e9".into());
    wallet.put(record).unwrap();
    wallet.push().await.unwrap();
    let session = wallet.session().await.unwrap();
    let mut second = lab.recover(&code, "planted-device-8d2e", Keep::All).await;
    second.pull().await.unwrap();
    let crowd = Crowd::start(&lab, 2, 300).await;
    crowd.progress(300).await;
    crowd.finish().await;

    let epoch_key = fs::read(lab.cluster.nodes()[0].dir.join("epoch.key")).unwrap();
    let mut secrets = vec![
        ("body", b"planted-body-0123456789abcdef".to_vec()),
        ("name", b"planted-name-55aa01".to_vec()),
        ("field", b"planted-field-9e".to_vec()),
        ("value", b"planted-value-e9".to_vec()),
        ("first device", b"planted-device-7c1f".to_vec()),
        ("second device", b"planted-device-8d2e".to_vec()),
        ("recovery code", code.reveal().as_str().as_bytes().to_vec()),
    ];
    // The key itself, wherever it stands in its file.
    secrets.extend(epoch_key.windows(32).step_by(32).map(|part| ("epoch key", part.to_vec())));
    let control = vec![("wallet id", wallet.id().as_bytes().to_vec())];
    let mut unspoken = unspoken(wallet.id().as_bytes(), session.token.as_bytes());
    unspoken.extend(secrets.iter().cloned());

    lab.cluster.stop(std::time::Duration::from_secs(20)).await.unwrap();
    for node in lab.cluster.nodes() {
        let data = node.dir.join("data");
        assert_eq!(raw(&data, &secrets), Vec::<&str>::new(), "files of {}", node.plan.name);
        assert_eq!(decoded(&data, &secrets), Vec::<&str>::new(), "engine of {}", node.plan.name);
        let log = fs::read(node.log()).unwrap();
        for (name, secret) in &unspoken {
            assert!(!contains(&log, secret), "{name} is in the log of {}", node.plan.name);
        }
        assert_eq!(decoded(&data, &control), ["wallet id"], "the control is found by the engine");
    }
    let sent = collector.bytes();
    for (name, secret) in &unspoken {
        assert!(!contains(&sent, secret), "{name} is in a trace");
    }
    for span in ["Wallets/Push", "Wallets/Pull", "Recovery/Open", "raft.append"] {
        assert!(contains(&sent, span.as_bytes()), "the control: no span of {span} was sent");
    }
    // Files may be compressed, so the raw search is shown to work on a file of its own.
    let planted = lab.dir().join("control");
    fs::create_dir(&planted).unwrap();
    fs::write(planted.join("file"), [b"before".as_slice(), &secrets[0].1, b"after"].concat())
        .unwrap();
    assert_eq!(raw(&planted, &secrets), ["body"], "the control is found raw");
}
