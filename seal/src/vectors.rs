//! The frozen vectors of format 1, in `seal/vectors/`.
//!
//! They were written once and are never edited: whatever reads format 1 must accept and refuse what
//! they say, for ever. [`read`] is the first reader, `vectors/read.py` the second. Signatures are
//! frozen as bytes; verification is what they freeze.
//!
//! Each file names an object of the format and has two lists. An entry of `accept` is read and
//! compared with what stands beside it. An entry of `refuse` breaks one rule, correctly signed or
//! sealed otherwise, where the rule is not the signature's or the key's own; its `why` is `update` if
//! a newer version might read it, else `refused`.
//!
//! The code that wrote them writes them anew with every test run, with other randomness in signatures:
//! what is made today must read like what was frozen. `SEAL_VECTORS=DIR` keeps the files, to freeze a
//! later version.
#![allow(clippy::unwrap_used)]

mod actors;
mod read;
mod write_commits;
mod write_envelopes;
mod write_links;
mod write_small;

use std::path::PathBuf;

use serde_json::{Value, json};

/// One file of vectors.
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

    /// Reads a frozen file, if it is the one that was frozen.
    fn frozen(object: &'static str, hash: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name(object));
        let bytes = std::fs::read(path).unwrap();
        let found = ::hex::encode(crate::hazmat::sha256(&[&bytes]));
        assert_eq!(found, hash, "the vectors of {object} were edited");
        let mut value: Value = serde_json::from_slice(&bytes).unwrap();
        let mut list = |field: &str| match value[field].take() {
            Value::Array(list) if !list.is_empty() => list,
            _ => panic!("{object} has nothing to {field}"),
        };
        Self { object, accept: list("accept"), refuse: list("refuse") }
    }

    /// Keeps the file in the directory that `SEAL_VECTORS` names, if it does.
    fn keep(&self) {
        if let Some(directory) = std::env::var_os("SEAL_VECTORS") {
            let path = PathBuf::from(directory).join(name(self.object));
            let (object, accept, refuse) = (self.object, &self.accept, &self.refuse);
            let value = json!({ "object": object, "accept": accept, "refuse": refuse });
            std::fs::write(path, format!("{value:#}\n")).unwrap();
        }
    }
}

fn name(object: &str) -> String {
    format!("v001_{object}.json")
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

/// Two tests for each object; the hash is that of its file since the day it was frozen.
macro_rules! objects {
    ($($object:ident by $writer:ident frozen as $hash:literal;)*) => {
        $(mod $object {
            use super::{File, $writer, read};

            #[test]
            fn what_was_frozen_reads_as_it_must() {
                read::$object(&File::frozen(stringify!($object), $hash));
            }

            #[test]
            fn what_is_written_today_reads_the_same() {
                let file = $writer::$object();
                read::$object(&file);
                file.keep();
            }
        })*
    };
}

objects! {
    members by write_small frozen as
        "787fdc84393c93a6034509bac45168e5d0ae81c60f497ed4401ed63026c680ec";
    codes by write_small frozen as
        "c65d14e11a64f6625ceb947cf429ff3dcb75df7c419c4fd3aa8985ba034e21a2";
    challenges by write_small frozen as
        "934f6c4599a0a1ab5cc636a3dc752e0078c09fe2690ede53ba56ea28ae08498c";
    seals by write_small frozen as
        "fe30f895bb51f3bbd924fe99a4a4f32d70f9b6c74c47821ae19a123003a7f53d";
    envelopes by write_envelopes frozen as
        "0210fb9df042537e77aa5522f073e0dd5891724980e13aa4a1b0fc18eefa2f3c";
    links by write_links frozen as
        "8063945d72e0ca7044bd589099344a0f07c6777ea030232a8af275000007b411";
    commits by write_commits frozen as
        "a8253343f227e9c3ba670cb8fcb8ad718b82775f20fcaa2f4cd5ad9bd40b8c69";
}
