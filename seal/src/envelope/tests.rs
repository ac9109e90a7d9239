use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use types::{Purpose, RecordId, Suite, WalletId};

use super::*;

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Two or three values for every field: many pairs differ in one field only.
fn headers() -> Vec<EnvelopeHeader> {
    let mut headers = vec![];
    for purpose in Purpose::ALL {
        for wallet in [0, 1].map(|byte| WalletId::from_bytes([byte; 32])) {
            for id in [0, 1].map(|byte| RecordId::from_bytes([byte; 16])) {
                for (version, generation) in
                    [0, 1, 2].iter().flat_map(|v| [0, 1, 2].map(|g| (*v, g)))
                {
                    let suite = Suite::P256;
                    headers.push(EnvelopeHeader {
                        suite,
                        purpose,
                        wallet,
                        id,
                        version,
                        generation,
                    });
                }
            }
        }
    }
    headers
}

/// Content that every purpose may have: a key for history, else of a padded length.
fn content(header: &EnvelopeHeader) -> Vec<u8> {
    vec![7; if header.purpose == Purpose::History { 32 } else { 1024 }]
}

/// An envelope opens in its own place; in any other it does not, neither as it is nor with its header
/// rewritten to that place.
#[test]
fn each_context_opens_nothing_elses() {
    let key = Secret32::new(&[1; 32]);
    let mut places = 0;
    for sealed in headers() {
        let bytes = seal(&mut rng(1), &key, &sealed, &content(&sealed));
        if Envelope::parse(&bytes).is_err() {
            continue; // Not well-formed for its purpose.
        }
        places += 1;
        for asked in headers() {
            let opened = open(&key, &asked, &bytes);
            if sealed == asked {
                assert_eq!(opened.unwrap().expose(), content(&sealed));
                continue;
            }
            assert_eq!(opened.map(drop), Err(SealError::DoesNotOpen), "{sealed:?} as {asked:?}");
            let moved = [&asked.encode()[..], &bytes[EnvelopeHeader::LEN..]].concat();
            assert!(open(&key, &asked, &moved).is_err(), "{sealed:?} moved to {asked:?}");
        }
    }
    assert!(places > 100, "only {places} places are well-formed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any change of any byte is refused.
    #[test]
    fn no_byte_can_be_altered(at in 0..1172_usize, mask in 1..=u8::MAX) {
        let (key, header) = (Secret32::new(&[1; 32]), record());
        let mut bytes = seal(&mut rng(1), &key, &header, &[7; 1024]);
        prop_assert_eq!(bytes.len(), 1172);
        bytes[at] ^= mask;
        prop_assert!(open(&key, &header, &bytes).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&Secret32::new(&[1; 32]), &record(), &bytes).is_err());
    }
}

fn record() -> EnvelopeHeader {
    EnvelopeHeader {
        suite: Suite::P256,
        purpose: Purpose::Record,
        wallet: WalletId::from_bytes([1; 32]),
        id: RecordId::from_bytes([2; 16]),
        version: 1,
        generation: 1,
    }
}

#[test]
fn another_key_does_not_open() {
    let bytes = seal(&mut rng(1), &Secret32::new(&[1; 32]), &record(), &[7; 1024]);
    let opened = open(&Secret32::new(&[2; 32]), &record(), &bytes).map(drop);
    assert_eq!(opened, Err(SealError::DoesNotOpen));
}

/// A random source that repeats itself, after a machine was cloned, repeats a key and nonce only for
/// the same content in the same place under the same key.
#[test]
fn a_cloned_random_source_repeats_only_identical_messages() {
    let salt = |key: u8, header: &EnvelopeHeader, content: u8| {
        let bytes = seal(&mut rng(1), &Secret32::new(&[key; 32]), header, &[content; 1024]);
        bytes[68..100].to_vec()
    };
    let first = salt(1, &record(), 7);
    assert_eq!(first, salt(1, &record(), 7));
    let later = EnvelopeHeader { version: 2, ..record() };
    for other in [salt(1, &record(), 8), salt(1, &later, 7), salt(2, &record(), 7)] {
        assert_ne!(first, other);
    }
}
