use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

/// RFC 6979, A.2.5: the signature of "sample" has a high `s`.
const PUBLIC: &str = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                      7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const SAMPLE: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
                      f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

fn sample() -> (PublicKey, Signature) {
    let public = PublicKey::parse(&hex::decode(PUBLIC).unwrap()).unwrap();
    (public, hex::decode(SAMPLE).unwrap().try_into().unwrap())
}

#[test]
fn a_high_s_is_foreign_only_and_lowering_it_makes_it_ours() {
    let (public, high) = sample();
    assert_eq!(verify_foreign(&public, b"sample", &high), Ok(()));
    assert_eq!(verify_own(&public, b"sample", &high), Err(SealError::BadSignature));
    let low = lowered(high);
    assert_ne!(low, high);
    assert_eq!(verify_own(&public, b"sample", &low), Ok(()));
    assert_eq!(verify_foreign(&public, b"sample", &low), Ok(()));
    assert_eq!(lowered(low), low);
}

/// `s` and `n − s` add up to `n`: at the middle of the range they change places.
#[test]
fn the_middle_of_the_range() {
    let mut half = [1; 64];
    half[32..].copy_from_slice(&HALF_ORDER);
    assert!(is_low(&half));
    let mut above = half;
    above[63] += 1;
    assert!(!is_low(&above));
    assert_eq!(lowered(above), half);
    let mut order = half;
    order[32..].copy_from_slice(&ORDER);
    assert_eq!(lowered(order)[32..], [0; 32]);
}

#[test]
fn a_key_out_of_range_is_refused() {
    for scalar in [[0; 32], ORDER, [0xff; 32]] {
        let refused = SoftwareKey::from_bytes(Secret32::new(&scalar)).map(drop);
        assert_eq!(refused, Err(SealError::BadKey("the private key")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_here_verifies_as_our_own(seed in any::<u64>(), message: Vec<u8>) {
        let mut rng = StdRng::seed_from_u64(seed);
        let key = SoftwareKey::generate(&mut rng);
        let signature = key.sign(&mut rng, &message).unwrap();
        prop_assert_eq!(verify_own(key.public(), &message, &signature), Ok(()));
        let other = SoftwareKey::generate(&mut rng);
        let refused = verify_own(other.public(), &message, &signature);
        prop_assert_eq!(refused, Err(SealError::BadSignature));
    }
}
