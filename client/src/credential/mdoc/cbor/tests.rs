#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn cursor(file: &[u8]) -> Cursor<'_> {
    Cursor::new(file, Part::Mso)
}

#[test]
fn a_walk_covers_exactly_one_item() {
    // {"a": [1, -1, h'00', true, 1.5, null], "b": 24(h'f6')} and one byte more.
    let file = hex::decode("a261618601204100f5f93e00f66162d81841f6ff").unwrap();
    let mut cursor = cursor(&file);
    assert_eq!(cursor.skip().unwrap(), 0..file.len() - 1);
    let refusal = cursor.finish().unwrap_err();
    assert_eq!((refusal.at, refusal.problem), (file.len() - 1, Problem::Excess));
}

#[test]
fn indefinite_lengths_are_walked() {
    // [_ {_ "a": (_ h'00', h'01')}, (_ "x")]
    let file = hex::decode("9fbf61615f41004101ffff7f6178ffff").unwrap();
    assert_eq!(cursor(&file).skip().unwrap(), 0..file.len());
}

#[test]
fn what_is_not_cbor_is_refused_where_it_stands() {
    for (text, at, problem) in [
        ("", 0, Problem::Cut),
        ("82", 1, Problem::Cut),
        ("8201", 2, Problem::Cut),
        ("ff", 0, Problem::NotCbor),
        ("82011c", 2, Problem::NotCbor),
        ("5f01ff", 1, Problem::NotCbor),
        ("4401", 1, Problem::Cut),
        // Counts and lengths that nothing can hold.
        ("9bffffffffffffffff00", 10, Problem::Cut),
        ("bbffffffffffffffff0000", 11, Problem::Cut),
        ("5bffffffffffffffff00", 9, Problem::Cut),
    ] {
        let file = hex::decode(text).unwrap();
        let refusal = cursor(&file).skip().unwrap_err();
        assert_eq!((refusal.at, refusal.problem), (at, problem), "{text}");
    }
}

#[test]
fn depth_is_limited_for_every_kind_of_nesting() {
    for (opening, count) in [("81", 33), ("9f", 33), ("a100", 33), ("d818", 33), ("c6", 100_000)] {
        let file = hex::decode(format!("{}00", opening.repeat(count))).unwrap();
        assert_eq!(cursor(&file).skip().unwrap_err().problem, Problem::TooDeep(32), "{opening}");
    }
    let deepest = hex::decode(format!("{}00", "81".repeat(32))).unwrap();
    assert!(cursor(&deepest).skip().is_ok());
}

#[test]
fn an_embedded_item_ends_with_its_byte_string() {
    let file = hex::decode("d81842830100").unwrap();
    let mut embedded = cursor(&file).embedded("x").unwrap();
    // Its length says two bytes, its array three elements: not a cut file, but a wrong one.
    let refusal = embedded.skip().unwrap_err();
    assert_eq!((refusal.at, refusal.problem), (5, Problem::NotCbor));
}

proptest! {
    /// What this walker and ciborium both take as an item has the same end; what ciborium reads, the
    /// walker walks.
    #[test]
    fn the_walk_agrees_with_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut rest = &bytes[..];
        let read: Result<ciborium::Value, _> = ciborium::from_reader(&mut rest);
        let mut cursor = cursor(&bytes);
        let walked = cursor.skip();
        if read.is_ok() {
            prop_assert_eq!(walked.unwrap().end, bytes.len() - rest.len());
        }
    }
}
