use argon2::{AssociatedData, ParamsBuilder};

use super::*;

/// RFC 9106, 5.3, which has a secret and associated data that the format does not use.
#[test]
fn argon2id_rfc_9106() {
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .output_len(32)
        .build()
        .unwrap();
    let secret = [3; 8];
    let argon2 =
        Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut tag = [0; 32];
    argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
    let expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
    assert_eq!(hex::encode(tag), expected);
}

/// Our own call at the floor of the cost; the value is OpenSSL's.
#[test]
fn argon2id_as_the_format_uses_it() {
    let front = PassphraseFront { salt: [7; 16], cost: Argon2Cost::FLOOR };
    let key = argon2id(&front, b"correct horse battery staple");
    assert_eq!(
        hex::encode(key.expose()),
        "0b167e20ffb8a31f75eb3e471872ba0a5747d56ec494db5becb07108141bff24"
    );
}
