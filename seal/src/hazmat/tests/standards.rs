//! The vectors printed in the standards.

use super::{BACKENDS, array, hex};

/// FIPS 180-4, the one-block and the empty message.
#[test]
fn sha256_fips_180_4() {
    for backend in BACKENDS {
        let abc = array("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(backend.sha256(&[b"a", b"", b"bc"]), abc, "{}", backend.name());
        let empty = array("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(backend.sha256(&[]), empty, "{}", backend.name());
    }
}

/// RFC 4231, section 4, all seven cases; the fifth is truncated to 16 bytes there.
#[test]
fn hmac_rfc_4231() {
    let cases: [(Vec<u8>, &[u8], &str); 7] = [
        (
            vec![0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            vec![0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            (1..=25).collect(),
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (vec![0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            vec![0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size \
              data. The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for backend in BACKENDS {
        for (case, (key, data, expected)) in cases.iter().enumerate() {
            let (left, right) = data.split_at(data.len() / 2);
            let mac = backend.hmac(key, &[left, right]);
            let expected = hex(expected);
            assert_eq!(mac[..expected.len()], expected, "{} case {}", backend.name(), case + 1);
        }
    }
}

/// RFC 5869, appendix A.1 to A.3 (the SHA-256 ones), extract by HMAC as this crate does it.
#[test]
fn hkdf_rfc_5869() {
    struct Case {
        ikm: Vec<u8>,
        salt: Vec<u8>,
        info: Vec<u8>,
        prk: &'static str,
        okm: &'static str,
    }
    let cases = [
        Case {
            ikm: vec![0x0b; 22],
            salt: (0x00..=0x0c).collect(),
            info: (0xf0..=0xf9).collect(),
            prk: "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            okm: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf\
                  34007208d5b887185865",
        },
        Case {
            ikm: (0x00..=0x4f).collect(),
            salt: (0x60..=0xaf).collect(),
            info: (0xb0..=0xff).collect(),
            prk: "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            okm: "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
                  59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
                  cc30c58179ec3e87c14c01d5c1f3434f1d87",
        },
        Case {
            ikm: vec![0x0b; 22],
            salt: vec![],
            info: vec![],
            prk: "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            okm: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d\
                  9d201395faa4b61a96c8",
        },
    ];
    for backend in BACKENDS {
        for case in &cases {
            let prk = backend.hmac(&case.salt, &[&case.ikm]);
            assert_eq!(prk, array(case.prk), "{}", backend.name());
            let expected = hex(case.okm);
            let mut okm = vec![0; expected.len()];
            let (left, right) = case.info.split_at(case.info.len() / 3);
            backend.expand(&prk, &[left, right], &mut okm);
            assert_eq!(okm, expected, "{}", backend.name());
        }
    }
}

/// Test cases 13 to 16 of "The Galois/Counter Mode of Operation", on which SP 800-38D rests:
/// AES-256 with a 96-bit nonce.
#[test]
fn gcm_sp_800_38d() {
    let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    let text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    let sealed = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                  8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
    let cases = [
        (&*"00".repeat(32), &*"00".repeat(12), "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        (
            &"00".repeat(32),
            &"00".repeat(12),
            "",
            &"00".repeat(16),
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (key, "cafebabefacedbaddecaf888", "", text, sealed, "b094dac5d93471bdec1a502270e3cc6c"),
        (
            key,
            "cafebabefacedbaddecaf888",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            &text[..120],
            &sealed[..120],
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ];
    for backend in BACKENDS {
        for (key, nonce, aad, text, sealed, tag) in cases {
            let (key, nonce, aad) = (array(key), array(nonce), hex(aad));
            let sealed = [hex(sealed), hex(tag)].concat();
            assert_eq!(backend.seal(&key, &nonce, &aad, &hex(text)), sealed, "{}", backend.name());
            assert_eq!(backend.open(&key, &nonce, &aad, &sealed), Some(hex(text)));
            let mut altered = sealed;
            *altered.last_mut().unwrap() ^= 1;
            assert_eq!(backend.open(&key, &nonce, &aad, &altered), None, "{}", backend.name());
        }
    }
}

/// RFC 6979, A.2.5, SHA-256: public key and both signatures (the first has a high `s`).
#[test]
fn ecdsa_rfc_6979() {
    let scalar = array("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    let public = array(
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
         7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    );
    let sample = array(
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
         f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    );
    let test = array(
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
         019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    );
    for backend in BACKENDS {
        assert_eq!(backend.publics(&scalar), [Some(public); 2], "{}", backend.name());
        assert!(backend.verify(&public, b"sample", &sample), "{}", backend.name());
        assert!(backend.verify(&public, b"test", &test), "{}", backend.name());
        assert!(!backend.verify(&public, b"test", &sample), "{}", backend.name());
    }
}

/// RFC 5903, 8.1: key agreement on the 256-bit group.
#[test]
fn ecdh_rfc_5903() {
    let i = array("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433");
    let r = array("c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53");
    let shared = array("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
    for backend in BACKENDS {
        let [gi, gr] = [i, r].map(|scalar| backend.publics(&scalar)[1].unwrap());
        assert_eq!(backend.agree(&i, &gr), Some(shared), "{}", backend.name());
        assert_eq!(backend.agree(&r, &gi), Some(shared), "{}", backend.name());
    }
}
