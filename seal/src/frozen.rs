//! Formats that no envelope encloses, held against a file that is never edited: files of keys in clear,
//! session tokens, audit tokens.

use std::path::PathBuf;
use std::sync::Arc;

use rand::{SeedableRng, rngs::StdRng};
use types::{LinkHash, Secret, WalletId};

use crate::server::{DataKey, EpochKey, ServerKeyring};
use crate::session::{Session, SessionRefused};
use crate::{DeviceKeys, MemberKeys, SoftwareMember};

fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn keyring(key: EpochKey) -> ServerKeyring {
    let keyring = ServerKeyring::locked();
    keyring.unlock(Arc::new(key));
    keyring
}

fn session() -> Session {
    let key = *SoftwareMember::generate_device(&mut seeded(3)).member().sign();
    Session {
        wallet: WalletId::from_bytes([7; 32]),
        member: DeviceKeys::generate(&mut seeded(2)).member.id(),
        link: LinkHash::from_bytes([9; 32]),
        key,
        expires_s: 1_700_000_900,
    }
}

fn today() -> Vec<(&'static str, Vec<u8>)> {
    let epoch = EpochKey::generate(&mut seeded(1), 258);
    let (file, device) = (epoch.to_file(), DeviceKeys::generate(&mut seeded(2)));
    let token = session().issue(&keyring(epoch)).expect("the keyring is unlocked");
    let audit = DataKey::generate(&mut seeded(4)).audit_token(1, &[5; 32]);
    vec![
        ("epoch_key", file.expose().to_vec()),
        ("device_keys", device.to_plain().expose().to_vec()),
        ("session_token", token.into_bytes()),
        ("audit_token", audit.to_vec()),
    ]
}

#[test]
fn what_is_in_clear_is_written_as_ever_and_read() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/v001_clear.hex");
    let today = today();
    if !path.exists() && std::env::var_os("FREEZE").is_some() {
        let line = |(name, bytes): &(&str, Vec<u8>)| format!("{name} {}\n", hex::encode(bytes));
        std::fs::write(&path, today.iter().map(line).collect::<String>()).expect("write");
    }
    let text = std::fs::read_to_string(&path).expect("the frozen file");
    let frozen: Vec<(&str, Vec<u8>)> = text
        .lines()
        .map(|line| line.split_once(' ').expect("a name and bytes"))
        .map(|(name, bytes)| (name, hex::decode(bytes).expect("hex")))
        .collect();
    assert_eq!(today, frozen, "written today, and frozen");

    let [(_, epoch), (_, device), (_, token), _] = &frozen[..] else { panic!("four lines") };
    let epoch = EpochKey::from_file(&Secret::new(epoch.clone())).expect("an epoch key");
    let device = DeviceKeys::from_plain(&Secret::new(device.clone())).expect("device keys");
    assert_eq!(device.member.id(), session().member);
    let (keyring, token) = (keyring(epoch), std::str::from_utf8(token).expect("base64url"));
    let at = |now_s| Session::check(&keyring, token, now_s);
    assert_eq!(at(1_700_000_899).expect("a token"), session());
    assert!(matches!(at(1_700_000_900), Err(SessionRefused::Expired)));
}
