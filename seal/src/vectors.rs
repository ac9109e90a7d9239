//! The frozen vectors of format 1, in `seal/vectors/`.
//!
//! They were written once, by the ignored test below, and are never edited: whatever reads format 1
//! must accept and refuse what they say, for ever. [`read`] is the first reader, `vectors/read.py` the
//! second. Signatures are frozen as bytes; verification is what they freeze.
//!
//! Each file names an object of the format and has two lists. An entry of `accept` is read and
//! compared with what stands beside it. An entry of `refuse` breaks one rule, correctly signed or
//! sealed otherwise, where the rule is not the signature's or the key's own; its `why` is `update` if
//! a newer version might read it, else `refused`.
#![allow(clippy::unwrap_used)]

mod actors;
mod commits;
mod envelopes;
mod links;
mod read;
mod small;

use std::path::PathBuf;

use serde_json::{Value, json};

/// One file of vectors, being written.
struct File {
    object: &'static str,
    accept: Vec<Value>,
    refuse: Vec<Value>,
}

const UPDATE: &str = "update";
const REFUSED: &str = "refused";

impl File {
    fn new(object: &'static str) -> Self {
        Self { object, accept: vec![], refuse: vec![] }
    }

    fn accept(&mut self, entry: Value) {
        self.accept.push(entry);
    }

    fn refuse(&mut self, name: &str, why: &str, mut entry: Value) {
        assert!(self.refuse.iter().all(|other| other["name"] != name), "two vectors named {name}");
        entry["name"] = json!(name);
        entry["why"] = json!(why);
        self.refuse.push(entry);
    }

    fn save(self) {
        let path = path(self.object);
        assert!(!path.exists(), "{} is frozen: it is never written again", path.display());
        let value = json!({ "object": self.object, "accept": self.accept, "refuse": self.refuse });
        std::fs::write(path, format!("{value:#}\n")).unwrap();
    }
}

fn path(object: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("v001_{object}.json"))
}

fn hex(bytes: impl AsRef<[u8]>) -> Value {
    json!(::hex::encode(bytes))
}

/// `bytes` with those at `at` replaced.
fn put(bytes: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

/// `bytes` with one bit of the byte at `at` turned.
fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    put(bytes, at, &[bytes[at] ^ 1])
}

/// What every file hashes to, since the day it was written.
const FROZEN: [(&str, &str); 7] = [
    ("challenges", "934f6c4599a0a1ab5cc636a3dc752e0078c09fe2690ede53ba56ea28ae08498c"),
    ("codes", "c65d14e11a64f6625ceb947cf429ff3dcb75df7c419c4fd3aa8985ba034e21a2"),
    ("commits", "a8253343f227e9c3ba670cb8fcb8ad718b82775f20fcaa2f4cd5ad9bd40b8c69"),
    ("envelopes", "0210fb9df042537e77aa5522f073e0dd5891724980e13aa4a1b0fc18eefa2f3c"),
    ("links", "8063945d72e0ca7044bd589099344a0f07c6777ea030232a8af275000007b411"),
    ("members", "787fdc84393c93a6034509bac45168e5d0ae81c60f497ed4401ed63026c680ec"),
    ("seals", "fe30f895bb51f3bbd924fe99a4a4f32d70f9b6c74c47821ae19a123003a7f53d"),
];

#[test]
fn the_vectors_are_those_that_were_frozen() {
    for (object, hash) in FROZEN {
        let found = crate::hazmat::sha256(&[&std::fs::read(path(object)).unwrap()]);
        assert_eq!(::hex::encode(found), hash, "the vectors of {object} were edited");
    }
}

#[test]
#[ignore = "writes the frozen vectors: run once when a version of the format is made"]
fn write_the_vectors() {
    small::members().save();
    small::codes().save();
    small::challenges().save();
    small::seals().save();
    envelopes::envelopes().save();
    links::links().save();
    commits::commits().save();
}
