//! What one back end makes the other accepts, and what one refuses the other refuses.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{BACKENDS, Backend, POINT_LEN};

/// The edges of the range of private scalars.
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// Private scalars at both ends of the range and beyond.
#[test]
fn the_same_scalars_are_keys() {
    let order: [u8; 32] = super::array(ORDER);
    let (mut below, mut above, mut one) = (order, order, [0; 32]);
    below[31] -= 1;
    above[31] += 1;
    one[31] = 1;
    for backend in BACKENDS {
        for scalar in [one, below] {
            assert!(backend.publics(&scalar).iter().all(Option::is_some), "{}", backend.name());
        }
        for scalar in [[0; 32], order, above, [0xff; 32]] {
            assert_eq!(backend.publics(&scalar), [None, None], "{}", backend.name());
        }
    }
}

/// Every first byte before the same x and y: only 04 is a point.
#[test]
fn only_the_uncompressed_form_is_a_point() {
    let mut scalar = [0; 32];
    scalar[31] = 2;
    for backend in BACKENDS {
        let point = backend.publics(&scalar)[0].unwrap();
        for first in 0..=u8::MAX {
            let mut other = point;
            other[0] = first;
            assert_eq!(backend.on_curve(&other), first == 4, "{} {first}", backend.name());
            assert_eq!(backend.agree(&scalar, &other).is_some(), first == 4);
        }
    }
}

/// A P-256 key in PKCS #8 as OpenSSL writes it.
const PKCS8: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b020101042083766663d387de06b5b0454038e806ac4e444773753702e4a21f477118e8fbffa14403420004129fd1bb53c29669e034d84b480cde2bd39f85f3cf7d13d15a5d4eaad7dca9e62fcbbb6c90a6e3e85823404bb79f44cc51d362c18c5c5701f07de7031ff98bce";
const SCALAR: &str = "83766663d387de06b5b0454038e806ac4e444773753702e4a21f477118e8fbff";
/// A P-384 key.
const OTHER_CURVE: &str = "3081b6020100301006072a8648ce3d020106052b8104002204819e30819b020101043052398431f2d72f6e85e84b95457521a573bc0b0f9e58e6a2bc8ec9d9d83b0eb12f52b4328dfa4eb71d1c26dc449ff4b2a16403620004a5d10f304f48056430c46949a3adddbf05b6b3baee8524ef3725fadb81ca6b563f1a53403740e4abcc8d71c6cd860231e2b1d36ac9d7c5602432a9decda2f006fb8b9ead8d3e7a957b97d412187c93a6ee597724f1564c3c3b91e1bcfeea39c6";

#[test]
fn the_same_key_files_are_read() {
    for backend in BACKENDS {
        let read = backend.scalar_of_pkcs8(&super::hex(PKCS8));
        assert_eq!(read, Some(super::array(SCALAR)), "{}", backend.name());
        assert_eq!(backend.scalar_of_pkcs8(&super::hex(OTHER_CURVE)), None, "{}", backend.name());
        let whole = super::hex(PKCS8);
        for end in 0..whole.len() {
            assert_eq!(backend.scalar_of_pkcs8(&whole[..end]), None, "{} {end}", backend.name());
        }
        // The public key in the file is held against the private one.
        let mut other = whole.clone();
        other[40] ^= 1;
        assert_eq!(backend.scalar_of_pkcs8(&other), None, "{}", backend.name());
    }
}

fn pairs() -> [[&'static dyn Backend; 2]; 2] {
    let [a, b] = BACKENDS;
    [[a, b], [b, a]]
}

/// Bytes of which few are flipped: near enough to something valid to get past the first check.
fn flips() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 0..3)
}

fn flip(bytes: &mut [u8], flips: &[(prop::sample::Index, u8)]) {
    for (at, mask) in flips {
        bytes[at.index(bytes.len())] ^= mask;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A signature of either back end is accepted by both; a damaged one by both or neither, and
    /// only if nothing was damaged after all.
    #[test]
    fn signatures(
        seed in any::<u64>(),
        message in prop::collection::vec(any::<u8>(), 0..200),
        in_signature in flips(),
        in_public in flips(),
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let scalar = *crate::Secret32::random(&mut rng).expose();
        for [maker, other] in pairs() {
            let Some(original) = maker.sign(&scalar, &mut rng, &message) else { continue };
            let key: [u8; POINT_LEN] = maker.publics(&scalar)[0].unwrap();
            prop_assert_eq!(other.publics(&scalar), [Some(key), Some(key)]);
            let (mut signature, mut public) = (original, key);
            flip(&mut signature, &in_signature);
            flip(&mut public, &in_public);
            let accepted = maker.verify(&public, &message, &signature);
            prop_assert_eq!(accepted, other.verify(&public, &message, &signature));
            prop_assert_eq!(accepted, signature == original && public == key);
            prop_assert_eq!(maker.on_curve(&public), other.on_curve(&public));
        }
    }

    /// Any 64 bytes, as `r ‖ s` with small and huge numbers, are refused or accepted alike.
    #[test]
    fn arbitrary_signatures(
        seed in any::<u64>(),
        r in prop_oneof![Just([0; 32]), Just([0xff; 32]), Just(super::array(ORDER)), any::<[u8; 32]>()],
        s in prop_oneof![Just([0; 32]), Just([0xff; 32]), Just(super::array(ORDER)), any::<[u8; 32]>()],
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let scalar = *crate::Secret32::random(&mut rng).expose();
        let signature: [u8; 64] = [r, s].concat().try_into().unwrap();
        let [a, b] = BACKENDS;
        if let Some(public) = a.publics(&scalar)[0] {
            prop_assert!(!a.verify(&public, b"m", &signature));
            prop_assert!(!b.verify(&public, b"m", &signature));
        }
    }

    /// Both ends of an agreement find the same secret on both back ends; a damaged point is
    /// refused by both.
    #[test]
    fn agreement(seed in any::<u64>(), in_public in flips()) {
        let mut rng = StdRng::seed_from_u64(seed);
        let [mine, theirs] = [(); 2].map(|()| *crate::Secret32::random(&mut rng).expose());
        for [one, other] in pairs() {
            let [Some(my_public), Some(mut their_public)] =
                [mine, theirs].map(|scalar| one.publics(&scalar)[1]) else { continue };
            let shared = one.agree(&mine, &their_public);
            prop_assert!(shared.is_some());
            prop_assert_eq!(shared, other.agree(&theirs, &my_public));
            flip(&mut their_public, &in_public);
            prop_assert_eq!(one.agree(&mine, &their_public), other.agree(&mine, &their_public));
        }
    }

    /// What one back end seals the other seals to the same bytes and opens; damage to any part is
    /// refused by both.
    #[test]
    fn sealing(
        mut key in any::<[u8; 32]>(),
        mut nonce in any::<[u8; 12]>(),
        mut aad in prop::collection::vec(any::<u8>(), 1..100),
        text in prop::collection::vec(any::<u8>(), 0..3000),
        part in 0..4,
        damage in flips(),
    ) {
        let [a, b] = BACKENDS;
        let mut sealed = a.seal(&key, &nonce, &aad, &text);
        prop_assert_eq!(&sealed, &b.seal(&key, &nonce, &aad, &text));
        let before = (key, nonce, aad.clone(), sealed.clone());
        match part {
            0 => flip(&mut key, &damage),
            1 => flip(&mut nonce, &damage),
            2 => flip(&mut aad, &damage),
            _ => flip(&mut sealed, &damage),
        }
        let expected = (before == (key, nonce, aad.clone(), sealed.clone())).then_some(text);
        prop_assert_eq!(a.open(&key, &nonce, &aad, &sealed), expected.clone());
        prop_assert_eq!(b.open(&key, &nonce, &aad, &sealed), expected);
    }

    /// Fewer bytes than a tag are refused, not a panic.
    #[test]
    fn short_ciphertexts(sealed in prop::collection::vec(any::<u8>(), 0..20)) {
        for backend in BACKENDS {
            prop_assert_eq!(backend.open(&[7; 32], &[7; 12], b"", &sealed), None);
        }
    }

    #[test]
    fn hashing(
        key in prop::collection::vec(any::<u8>(), 0..200),
        prk in any::<[u8; 32]>(),
        one in prop::collection::vec(any::<u8>(), 0..400),
        two in prop::collection::vec(any::<u8>(), 0..400),
        length in 1..500_usize,
    ) {
        let [a, b] = BACKENDS;
        prop_assert_eq!(a.sha256(&[&one, &two]), b.sha256(&[&one, &two]));
        prop_assert_eq!(a.hmac(&key, &[&one, &two]), b.hmac(&key, &[&one, &two]));
        let (mut from_a, mut from_b) = (vec![0; length], vec![0; length]);
        a.expand(&prk, &[&one, &two], &mut from_a);
        b.expand(&prk, &[&one, &two], &mut from_b);
        prop_assert_eq!(from_a, from_b);
    }
}
