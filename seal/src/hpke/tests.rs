//! RFC 9180's own vectors, and the `hpke` crate as the second implementation of our exact suite.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn secret(hex: &str) -> Secret32 {
    Secret32::from_slice(&hex::decode(hex).unwrap()).unwrap()
}

fn point(hex: &str) -> [u8; POINT_LEN] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// RFC 9180, A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode. KEM and key
/// schedule are ours up to the number of the cipher and the length of its key.
#[test]
fn rfc_9180_a_3_1() {
    const AES_128_GCM: &[u8] = b"HPKE\x00\x10\x00\x01\x00\x01";
    let info = hex::decode("4f6465206f6e2061204772656369616e2055726e").unwrap();
    let (scalar, ephemeral) = derive_key_pair(&secret(
        "4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e",
    ));
    assert_eq!(
        hex::encode(scalar.expose()),
        "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb"
    );
    let (scalar, recipient) = derive_key_pair(&secret(
        "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550",
    ));
    assert_eq!(
        hex::encode(scalar.expose()),
        "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2"
    );
    assert_eq!(
        recipient.public(),
        point(
            "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a82\
             6a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0"
        )
    );
    let (enc, shared) = encapsulate(&ephemeral, &recipient.public()).unwrap();
    assert_eq!(
        enc,
        point(
            "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac9\
             8536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4"
        )
    );
    let expected = "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8";
    assert_eq!(hex::encode(shared.expose()), expected);
    let decapsulated = shared_secret(&recipient.agree(&enc).unwrap(), &enc, &recipient.public());
    assert_eq!(decapsulated.expose(), shared.expose());

    let (key, nonce) = key_schedule::<16>(AES_128_GCM, &shared, &info);
    assert_eq!(hex::encode(key.expose()), "868c066ef58aae6dc589b6cfdd18f97e");
    assert_eq!(hex::encode(nonce.expose()), "4e0bc5018beba4bf004cca59");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What we seal the `hpke` crate opens, and the other way round; keys are derived alike.
    #[test]
    fn the_hpke_crate_agrees(
        seed in any::<u64>(),
        info in prop::collection::vec(any::<u8>(), 0..100),
        aad in prop::collection::vec(any::<u8>(), 0..100),
        text in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let ikm = Secret32::random(&mut rng);
        let (private, public) = DhP256HkdfSha256::derive_keypair(ikm.expose());
        let (_, ours) = derive_key_pair(&ikm);
        prop_assert_eq!(&public.to_bytes()[..], &ours.public()[..]);

        let (enc, ct) = seal_base(&mut rng, &ours.public(), &info, &aad, &text).unwrap();
        let theirs = <DhP256HkdfSha256 as Kem>::EncappedKey::from_bytes(&enc).unwrap();
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
            &OpModeR::Base, &private, &theirs, &info, &ct, &aad,
        );
        prop_assert_eq!(opened.unwrap(), text.clone());

        let (enc, ct) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
            &OpModeS::Base, &public, &info, &text, &aad, &mut rng,
        ).unwrap();
        let enc: [u8; POINT_LEN] = enc.to_bytes().as_slice().try_into().unwrap();
        let agree = |enc: &[u8; POINT_LEN]| ours.agree(enc).ok_or(SealError::DoesNotOpen);
        let opened = open_base(agree, &ours.public(), &enc, &info, &aad, &ct).unwrap();
        prop_assert_eq!(opened.expose(), &text[..]);
    }
}

#[test]
fn a_recipient_off_the_curve_is_refused() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut point = [1; POINT_LEN];
    point[0] = 4;
    assert!(seal_base(&mut rng, &point, b"", b"", b"text").is_none());
}
