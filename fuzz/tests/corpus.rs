//! The targets on what was frozen, and on damaged copies of it: cut, lengthened, flipped, spliced.
//!
//! `corpus/TARGET/` holds inputs that were once found to break something; each is run as it stands.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::Value;

const DAMAGED: usize = 40;

fn house() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(directory: &str) -> Vec<PathBuf> {
    let Ok(listing) = fs::read_dir(house().join(directory)) else { return Vec::new() };
    let mut files: Vec<_> = listing.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// The last word of each line, in hex.
fn lines_of_hex(file: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(house().join(file)).unwrap();
    text.lines().filter_map(|line| hex::decode(line.rsplit(' ').next()?).ok()).collect()
}

/// Every text of hex in the vectors of `seal`.
fn vectors() -> Vec<Vec<u8>> {
    fn texts(value: &Value, found: &mut Vec<Vec<u8>>) {
        match value {
            Value::String(text) => found.extend(hex::decode(text)),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for path in files("seal/vectors").iter().filter(|path| path.extension().unwrap() == "json") {
        texts(&serde_json::from_slice(&fs::read(path).unwrap()).unwrap(), &mut found);
    }
    found
}

fn damaged(seeds: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.next_u32() as u8),
            2 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            3 if at < bytes.len() => bytes[at] = [0, 0x7f, 0x80, 0xff][random.random_range(0..4)],
            _ => {
                let other = &seeds[random.random_range(0..seeds.len())];
                bytes.splice(at.., other[at.min(other.len())..].iter().copied());
            }
        }
    }
    bytes
}

fn run(target: &str, seeds: &[Vec<u8>], parse: fn(&[u8])) {
    assert!(!seeds.is_empty(), "{target} has nothing to begin with");
    files(&format!("fuzz/corpus/{target}")).iter().for_each(|path| parse(&fs::read(path).unwrap()));
    seeds.iter().for_each(|seed| parse(seed));
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..DAMAGED * seeds.len().min(200) {
        parse(&damaged(seeds, &mut random));
    }
    if let Some(into) = std::env::var_os("HOLDFAST_FUZZ_SEEDS") {
        let into = PathBuf::from(into).join(target);
        fs::create_dir_all(&into).unwrap();
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(into.join(format!("seed-{number:04}")), seed).unwrap();
        }
    }
}

#[test]
fn signed() {
    run("signed", &vectors(), fuzz::signed);
}

#[test]
fn texts() {
    let mut seeds = lines_of_hex("seal/vectors/v001_clear.hex");
    seeds.push(b"AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA".to_vec());
    run("texts", &seeds, fuzz::texts);
}

#[test]
fn commands() {
    let formats = ["v001_commands.hex", "v001_replies.hex", "v001_rows.hex", "v001_audit.hex"];
    let seeds: Vec<_> = formats
        .iter()
        .flat_map(|file| lines_of_hex(&format!("store/tests/formats/{file}")))
        .collect();
    run("commands", &seeds, fuzz::commands);
}

#[test]
fn snapshots() {
    let frames = lines_of_hex("store/tests/formats/v001_snapshot.hex");
    let with_length =
        |frame: &Vec<u8>| [&(frame.len() as u32).to_be_bytes()[1..], frame.as_slice()].concat();
    let whole: Vec<u8> = frames.iter().flat_map(with_length).collect();
    let last: Vec<u8> = frames.iter().skip(2).flat_map(with_length).collect();
    run("snapshots", &[whole, last], fuzz::snapshots);
}

#[test]
fn backups() {
    let seeds = lines_of_hex("store/tests/formats/v001_backup.hex");
    run("backups", &seeds, fuzz::backups);
}

#[test]
fn requests() {
    let seeds: Vec<_> = (0..7_u8)
        .flat_map(|kind| {
            vectors().into_iter().take(60).map(move |body| [&[kind][..], &body].concat())
        })
        .collect();
    run("requests", &seeds, fuzz::requests);
}

#[test]
fn credentials() {
    let seeds: Vec<_> = ["client/tests/vectors/sd_jwt", "client/tests/vectors/mdoc"]
        .iter()
        .flat_map(|directory| files(directory))
        .map(|path| {
            let bytes = fs::read(path).unwrap();
            let text = std::str::from_utf8(&bytes).ok().map(str::trim);
            text.and_then(|text| hex::decode(text).ok()).unwrap_or(bytes)
        })
        .collect();
    run("credentials", &seeds, fuzz::credentials);
}

#[test]
fn settings() {
    let example = fs::read(house().join("deploy/config.example.toml")).unwrap();
    run("settings", &[example], fuzz::settings);
}

/// Seeds of the parsers that only builds for libFuzzer reach: there they are run, and the corpus with
/// them.
fn seeds_alone(target: &str, seeds: &[Vec<u8>]) {
    run(target, seeds, |_| ());
}

/// Every body behind each of the bytes that choose a parser.
fn for_each_choice(bodies: &[Vec<u8>], choices: u8) -> Vec<Vec<u8>> {
    let chosen = |choice: u8| bodies.iter().map(move |body| [&[choice][..], body].concat());
    (0..choices).flat_map(chosen).collect()
}

#[test]
fn peers() {
    let bodies = lines_of_hex("raft/tests/formats/v001_peer.hex");
    seeds_alone("peers", &for_each_choice(&bodies, 11));
}

#[test]
fn logs() {
    let mut bodies = lines_of_hex("raft/tests/formats/v001_stored.hex");
    // Without their checksums, which the target makes anew.
    let mandates = lines_of_hex("raft/tests/formats/v001_recovery.hex");
    bodies.extend(mandates.into_iter().map(|bytes| bytes[..bytes.len() - 4].to_vec()));
    seeds_alone("logs", &[for_each_choice(&bodies, 7), bodies].concat());
}

#[test]
fn json() {
    let wallet = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let bodies = [
        format!("{wallet}\nseq=7&head={wallet}&links=2&at_least=true\n\n"),
        format!("{wallet}\n\nlast-event-id:3.{wallet}.2\nprefer:wait=5\n\n"),
        format!(
            "{wallet}\n\nif-match:\"{wallet}\"\n\n{{\"commit\": {{\"head\": {{\"head\": \"{wallet}\"}}}}}}"
        ),
        format!(
            "\n\ncontent-type:application/json\n\n{{\"challenge\": \"{wallet}\", \"signature\": \"AA\"}}"
        ),
        "n0\n\nidempotency-key:k\n\n{}".to_owned(),
        "2\n\n\n{\"to\": \"n1\"}".to_owned(),
        "\n\n\n{\"peers\": [\"a:1\"], \"wallet_groups\": 4, \"region\": 1}".to_owned(),
    ];
    seeds_alone("json", &for_each_choice(&bodies.map(String::into_bytes), 22));
}
