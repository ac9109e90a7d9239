use proptest::prelude::*;

use super::*;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn pairs() -> impl Strategy<Value = Pairs> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec((bytes(), bytes()), 0..12)
}

fn of(pairs: &Pairs) -> StateDigest {
    let mut digest = StateDigest::default();
    for (key, value) in pairs {
        digest.add(PairHash::of(key, value));
    }
    digest
}

proptest! {
    #[test]
    fn the_order_of_pairs_does_not_matter(mut pairs in pairs(), by in any::<prop::sample::Index>()) {
        let before = of(&pairs);
        if !pairs.is_empty() {
            let at = by.index(pairs.len());
            pairs.rotate_left(at);
        }
        prop_assert_eq!(of(&pairs), before);
    }

    #[test]
    fn a_pair_that_goes_leaves_no_trace(pairs in pairs(), key: Vec<u8>, value: Vec<u8>) {
        let mut digest = of(&pairs);
        digest.add(PairHash::of(&key, &value));
        prop_assert_ne!(digest, of(&pairs));
        digest.remove(PairHash::of(&key, &value));
        prop_assert_eq!(digest, of(&pairs));
    }

    #[test]
    fn where_a_key_ends_matters(bytes in prop::collection::vec(any::<u8>(), 1..40), cut in any::<prop::sample::Index>()) {
        let at = cut.index(bytes.len());
        let (mut one, mut other) = (StateDigest::default(), StateDigest::default());
        one.add(PairHash::of(&bytes[..at], &bytes[at..]));
        other.add(PairHash::of(&bytes, &[]));
        prop_assert_ne!(one, other);
    }

    #[test]
    fn bytes_give_the_digest_back(bytes: [u8; 32]) {
        prop_assert_eq!(StateDigest::from_bytes(bytes).to_bytes(), bytes);
    }
}

#[test]
fn carries_run_through_all_words() {
    let mut digest = StateDigest([u64::MAX; 4]);
    let one = StateDigest::default();
    // Removing from zero what was never added and adding it again must meet at zero.
    let mut wrapped = one;
    wrapped.remove(PairHash::of(b"key", b"value"));
    assert_ne!(wrapped, one);
    wrapped.add(PairHash::of(b"key", b"value"));
    assert_eq!(wrapped, one);
    // 2^256 - 1 plus a pair is that pair less one.
    digest.add(PairHash::of(b"key", b"value"));
    let (sum, carry) = add(digest.0[0], 1, false);
    assert!(!carry, "the pair's lowest word is not zero");
    assert_eq!(
        [sum, digest.0[1], digest.0[2], digest.0[3]],
        words(PairHash::of(b"key", b"value").0)
    );
}

#[test]
fn one_pair_is_frozen() {
    let mut digest = StateDigest::default();
    digest.add(PairHash::of(b"key", b"value"));
    let expected = types::hash::tagged("holdfast/1 state", &[&[0, 3], b"keyvalue"]);
    assert_eq!(digest.to_bytes(), expected);
}
