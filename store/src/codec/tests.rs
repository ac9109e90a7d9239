use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Sample {
    Nothing,
    Numbers(u8, u16, u32, u64),
    Named {
        text: String,
        list: Vec<u32>,
        #[serde(with = "blob")]
        bytes: Vec<u8>,
        choice: Option<bool>,
    },
}

fn sample() -> impl Strategy<Value = Sample> {
    let named = (
        ".{0,12}",
        prop::collection::vec(any::<u32>(), 0..5),
        any::<Vec<u8>>(),
        any::<Option<bool>>(),
    );
    prop_oneof![
        Just(Sample::Nothing),
        any::<(u8, u16, u32, u64)>().prop_map(|(a, b, c, d)| Sample::Numbers(a, b, c, d)),
        named.prop_map(|(text, list, bytes, choice)| Sample::Named { text, list, bytes, choice }),
    ]
}

proptest! {
    #[test]
    fn decoding_an_encoding_gives_the_value_back(sample in sample()) {
        prop_assert_eq!(decode::<Sample>(&encode(&sample)).unwrap(), sample);
    }

    #[test]
    fn cut_or_lengthened_values_are_refused(sample in sample(), cut in any::<prop::sample::Index>(), more in 1..9_usize) {
        let bytes = encode(&sample);
        let at = cut.index(bytes.len());
        prop_assert!(decode::<Sample>(&bytes[..at]).is_err());
        let longer = [&bytes[..], &vec![0; more]].concat();
        prop_assert!(matches!(decode::<Sample>(&longer), Err(DecodeError::Trailing(left)) if left == more));
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes: Vec<u8>) {
        let _ = decode::<Sample>(&bytes);
        let _ = decode::<Sample>(&[&[VERSION], &bytes[..]].concat());
    }
}

#[test]
fn another_version_is_named() {
    let mut bytes = encode(&Sample::Nothing);
    bytes[0] = VERSION + 1;
    let error = decode::<Sample>(&bytes).unwrap_err();
    assert!(matches!(error, DecodeError::Version { found: 2, known: 1 }), "{error}");
    assert!(matches!(decode::<Sample>(&[]), Err(DecodeError::Empty)));
}

#[test]
fn a_lying_length_is_refused_before_any_memory_is_taken() {
    // A list that says it has 2^62 elements, and one of 16 MiB that is not there.
    for length in [1_u64 << 62, 16 << 20] {
        let mut bytes = vec![VERSION, 253];
        bytes.extend_from_slice(&length.to_le_bytes());
        assert!(decode::<Vec<u64>>(&bytes).is_err());
        assert!(decode::<String>(&bytes).is_err());
        assert!(decode::<types::sealed::Sealed>(&bytes).is_err());
    }
}

#[test]
fn an_error_says_what_is_wrong_and_not_what_was_read() {
    let mut bytes = encode(&"secret".to_owned());
    bytes.truncate(4);
    assert_eq!(
        decode::<String>(&bytes).unwrap_err().to_string(),
        "the bytes are cut or damaged: the end comes too early"
    );
    let error = decode::<Option<u8>>(&[VERSION, 7, 7]).unwrap_err();
    assert_eq!(error.to_string(), "the bytes are cut or damaged: a choice that does not exist");
}
