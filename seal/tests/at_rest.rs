//! What a device keeps and takes along: its keys, its local copy, exports.
#![allow(clippy::unwrap_used)]

use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::{DeviceKeys, ExportReader, ExportWriter, LocalKey, MemberKeys, SealError};
use types::{Argon2Cost, RecordId, Secret, WalletId};

const WALLET: WalletId = WalletId::from_bytes([1; 32]);
const ID: RecordId = RecordId::from_bytes([2; 16]);

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn passphrase() -> Secret {
    Secret::new(b"correct horse battery staple".to_vec())
}

#[test]
fn device_keys_open_by_passphrase_and_for_their_device() {
    let mut rng = rng();
    let keys = DeviceKeys::generate(&mut rng);
    let other = DeviceKeys::generate(&mut rng);
    let sealed = keys.seal(&mut rng, &passphrase(), Argon2Cost::FLOOR);
    let opened = DeviceKeys::open(&passphrase(), &keys.member.id(), &sealed).unwrap();
    assert_eq!(opened.to_plain().expose(), keys.to_plain().expose());
    let refused = DeviceKeys::open(&passphrase(), &other.member.id(), &sealed).map(drop);
    assert_eq!(refused, Err(SealError::DoesNotOpen));
    let wrong = Secret::new(b"correct horse battery stable".to_vec());
    let refused = DeviceKeys::open(&wrong, &keys.member.id(), &sealed).map(drop);
    assert_eq!(refused, Err(SealError::DoesNotOpen));
    let refused = DeviceKeys::open(&passphrase(), &keys.member.id(), &sealed[..20]).map(drop);
    assert!(matches!(refused, Err(SealError::Format(_))));
}

#[test]
fn a_local_value_opens_in_its_place_only() {
    let mut rng = rng();
    let key = LocalKey::generate(&mut rng);
    let sealed = key.seal(&mut rng, &WALLET, &ID, 1, b"value").unwrap();
    assert_eq!(key.open(&WALLET, &ID, 1, &sealed).unwrap().expose(), b"value");
    let other_id = RecordId::from_bytes([3; 16]);
    let other_wallet = WalletId::from_bytes([2; 32]);
    for refused in [
        key.open(&WALLET, &ID, 2, &sealed),
        key.open(&WALLET, &other_id, 1, &sealed),
        key.open(&other_wallet, &ID, 1, &sealed),
        LocalKey::generate(&mut rng).open(&WALLET, &ID, 1, &sealed),
    ] {
        assert_eq!(refused.map(drop), Err(SealError::DoesNotOpen));
    }
}

#[test]
fn an_export_reads_back_in_order() {
    let mut rng = rng();
    let cost = Argon2Cost::FLOOR;
    let (mut writer, first) =
        ExportWriter::begin(&mut rng, &passphrase(), cost, &WALLET, b"two parts").unwrap();
    let parts = [&b"one"[..], b"two"].map(|part| writer.part(&mut rng, part).unwrap());
    let (mut reader, manifest) = ExportReader::begin(&passphrase(), &WALLET, &first).unwrap();
    assert_eq!(manifest.expose(), b"two parts");
    let refused = reader.part(&parts[1]).map(drop);
    assert_eq!(refused, Err(SealError::DoesNotOpen), "part two before part one");
    assert_eq!(reader.part(&parts[0]).unwrap().expose(), b"one");
    let refused = reader.part(&parts[0]).map(drop);
    assert_eq!(refused, Err(SealError::DoesNotOpen), "part one again");
    assert_eq!(reader.part(&parts[1]).unwrap().expose(), b"two");

    let (mut other, _) =
        ExportWriter::begin(&mut rng, &passphrase(), cost, &WALLET, b"another").unwrap();
    let foreign = other.part(&mut rng, b"one").unwrap();
    let (mut reader, _) = ExportReader::begin(&passphrase(), &WALLET, &first).unwrap();
    let refused = reader.part(&foreign).map(drop);
    assert_eq!(refused, Err(SealError::DoesNotOpen), "a part of another export");
    let elsewhere = WalletId::from_bytes([2; 32]);
    let refused = ExportReader::begin(&passphrase(), &elsewhere, &first).map(drop);
    assert_eq!(refused, Err(SealError::DoesNotOpen), "an export of another wallet");
}
