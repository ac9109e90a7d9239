#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn any_record() -> impl Strategy<Value = Record> {
    let fields = prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4);
    let body = prop::collection::vec(any::<u8>(), 0..64);
    (".{0,8}", ".{1,8}", ".{0,8}", fields, body, any::<u64>()).prop_map(
        |(kind, name, policy, fields, body, base)| {
            let mut record = Record { policy, fields, ..Record::new(kind, name, body) };
            let loser = Record::new("opaque", "loser", vec![1]);
            if base % 2 == 1 {
                record.conflicts.push(Conflict::whole(base, &loser));
            }
            record
        },
    )
}

proptest! {
    #[test]
    fn what_is_encoded_comes_back(record in any_record()) {
        let bytes = record.encode();
        let back = Record::decode(&bytes).unwrap();
        prop_assert_eq!(&back, &record);
        prop_assert_eq!(back.encode(), bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Record::decode(&bytes);
    }

    #[test]
    fn cut_data_is_refused(record in any_record(), cut in any::<prop::sample::Index>()) {
        let bytes = record.encode();
        prop_assert!(Record::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }
}

#[test]
fn the_encoding_is_the_deterministic_one() {
    let mut record = Record::new("k", "n", vec![1, 2]);
    record.policy = "p".to_owned();
    record.fields.insert("b".to_owned(), "2".to_owned());
    record.fields.insert("aa".to_owned(), "1".to_owned());
    // Keys by their encoding: the shorter first, then by their bytes.
    let expected = [
        "a5",
        "64626f6479",
        "420102",
        "646b696e64",
        "616b",
        "646e616d65",
        "616e",
        "666669656c6473",
        "a2",
        "6162",
        "6132",
        "626161",
        "6131",
        "66706f6c696379",
        "6170",
    ];
    assert_eq!(hex::encode(&*record.encode()), expected.concat());
}

#[test]
fn unknown_keys_are_kept() {
    let mut entries = Record::new("k", "n", vec![]).entries(true);
    entries.push((Value::Text("later".to_owned()), Value::Array(vec![Value::Integer(7.into())])));
    let bytes = cbor::encode(&Value::Map(entries));
    let mut record = Record::decode(&bytes).unwrap();
    assert_eq!(record.encode(), bytes);
    record.policy = "portable".to_owned();
    let back = Record::decode(&record.encode()).unwrap();
    assert_eq!(back.unknown.len(), 1);
}

#[test]
fn a_conflict_gives_its_record_back() {
    let loser = Record { policy: "portable".to_owned(), ..Record::new("k", "n", vec![1]) };
    let conflict = Conflict::whole(3, &loser);
    assert_eq!((conflict.base, conflict.record().unwrap()), (3, loser));
}

#[test]
fn debug_shows_sizes_only() {
    let record = Record::new("hunter-kind", "hunter-name", *b"hunter2");
    assert_eq!(format!("{record:?}"), "Record(0 fields, 7 bytes, 0 conflicts)");
}

#[test]
fn twins_depth_and_trailing_bytes_are_refused() {
    let twin = [0xa2, 0x61, b'a', 1, 0x61, b'a', 2];
    assert_eq!(Record::decode(&twin), Err(RecordError::Cbor("a key stands twice")));
    assert!(Record::decode(&[0x81; 400]).is_err());
    let mut long = Record::new("k", "n", vec![]).encode().to_vec();
    long.push(0);
    assert_eq!(Record::decode(&long), Err(RecordError::Cbor("bytes follow its end")));
}
