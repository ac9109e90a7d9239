//! The server's layer: epoch keys, data keys, the keyring, session tokens.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::es256::SoftwareKey;
use seal::{
    DataKey, EpochKey, EpochKeys, KeyringError, OuterPlace, SealError, ServerKeyring, Session,
    SessionRefused,
};
use types::{Argon2Cost, LinkHash, MemberId, Sealed, Secret, WalletId};

const WALLET: WalletId = WalletId::from_bytes([1; 32]);
const OTHER: WalletId = WalletId::from_bytes([2; 32]);
const PLACE: OuterPlace<'_> = OuterPlace { table: 1, key: b"key", version: 7 };

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn unlocked(rng: &mut StdRng, epochs: &[u32]) -> ServerKeyring {
    let keyring = ServerKeyring::locked();
    for epoch in epochs {
        keyring.unlock(Arc::new(EpochKey::generate(rng, *epoch)));
    }
    keyring
}

#[test]
fn a_data_key_comes_back_and_opens_what_it_sealed() {
    let mut rng = rng();
    let keyring = unlocked(&mut rng, &[1]);
    let key = DataKey::generate(&mut rng);
    let sealed = key.seal(&mut rng, &WALLET, &PLACE, b"sealed already");
    let wrapped = keyring.wrap(&mut rng, &WALLET, &key).unwrap();
    let opened = keyring.open(&WALLET, &wrapped).unwrap();
    assert_eq!(opened.open(&WALLET, &PLACE, &sealed).unwrap(), b"sealed already");
    assert_eq!(opened.audit_token(1, &[3; 32]), key.audit_token(1, &[3; 32]));
}

#[test]
fn an_outer_envelope_opens_in_its_place_only() {
    let mut rng = rng();
    let key = DataKey::generate(&mut rng);
    let sealed = key.seal(&mut rng, &WALLET, &PLACE, b"sealed already");
    let refused = |key: &DataKey, wallet, place| {
        assert_eq!(key.open(&wallet, &place, &sealed), Err(SealError::DoesNotOpen));
    };
    refused(&key, OTHER, PLACE);
    refused(&key, WALLET, OuterPlace { table: 2, ..PLACE });
    refused(&key, WALLET, OuterPlace { key: b"keY", ..PLACE });
    refused(&key, WALLET, OuterPlace { version: 8, ..PLACE });
    refused(&DataKey::generate(&mut rng), WALLET, PLACE);
}

#[test]
fn audit_tokens_differ_by_wallet_kind_and_request() {
    let mut rng = rng();
    let (one, other) = (DataKey::generate(&mut rng), DataKey::generate(&mut rng));
    let token = one.audit_token(1, &[3; 32]);
    assert_ne!(token, one.audit_token(2, &[3; 32]));
    assert_ne!(token, one.audit_token(1, &[4; 32]));
    assert_ne!(token, other.audit_token(1, &[3; 32]));
}

#[test]
fn a_locked_keyring_says_so() {
    let mut rng = rng();
    let keyring = ServerKeyring::locked();
    assert!(keyring.is_locked());
    let key = DataKey::generate(&mut rng);
    assert_eq!(keyring.wrap(&mut rng, &WALLET, &key).err(), Some(KeyringError::Locked));
    let wrapped = unlocked(&mut rng, &[1]).wrap(&mut rng, &WALLET, &key).unwrap();
    assert_eq!(keyring.open(&WALLET, &wrapped).err(), Some(KeyringError::Locked));
    assert_eq!(session().issue(&keyring).err(), Some(KeyringError::Locked));
}

#[test]
fn the_highest_epoch_wraps_and_every_held_one_opens() {
    let mut rng = rng();
    let (old, new) = (EpochKey::generate(&mut rng, 4), EpochKey::generate(&mut rng, 5));
    let key = DataKey::generate(&mut rng);
    let under_old = old.wrap(&mut rng, &WALLET, &key).unwrap();
    let keyring = ServerKeyring::locked();
    keyring.unlock(Arc::new(new));
    assert_eq!(keyring.open(&WALLET, &under_old).err(), Some(KeyringError::UnknownEpoch(4)));
    keyring.unlock(Arc::new(old));
    assert_eq!(keyring.epoch(), Ok(5));
    assert!(keyring.open(&WALLET, &under_old).is_ok());
    let under_new = keyring.wrap(&mut rng, &WALLET, &key).unwrap();
    let generation =
        |sealed: &Sealed| types::Envelope::parse(sealed.as_bytes()).unwrap().header.generation;
    assert_eq!((generation(&under_old), generation(&under_new)), (4, 5));
    let elsewhere = keyring.open(&OTHER, &under_new).err();
    assert_eq!(elsewhere, Some(KeyringError::Key(SealError::DoesNotOpen)));
}

#[test]
fn another_key_of_the_same_epoch_does_not_open() {
    let mut rng = rng();
    let [one, other] = [(); 2].map(|()| EpochKey::generate(&mut rng, 1));
    let data_key = DataKey::generate(&mut rng);
    let wrapped = one.wrap(&mut rng, &WALLET, &data_key).unwrap();
    assert_eq!(other.open(&WALLET, &wrapped).err(), Some(SealError::DoesNotOpen));
}

#[test]
fn an_epoch_key_comes_back_from_its_file() {
    let mut rng = rng();
    let key = EpochKey::generate(&mut rng, 3);
    let data_key = DataKey::generate(&mut rng);
    let wrapped = key.wrap(&mut rng, &WALLET, &data_key).unwrap();
    let file = key.to_file();
    assert!(!EpochKey::is_sealed_file(file.expose()));
    let read = EpochKey::from_file(&file).unwrap();
    assert!(read.open(&WALLET, &wrapped).is_ok());
    for damaged in [&file.expose()[..42], &[file.expose(), &[0]].concat(), b"", &[0; 43]] {
        let refused = EpochKey::from_file(&Secret::new(damaged.to_vec())).map(drop);
        assert!(matches!(refused, Err(SealError::Format(_))));
    }
}

#[test]
fn an_epoch_key_comes_back_by_its_passphrase() {
    let mut rng = rng();
    let key = EpochKey::generate(&mut rng, 3);
    let data_key = DataKey::generate(&mut rng);
    let wrapped = key.wrap(&mut rng, &WALLET, &data_key).unwrap();
    let passphrase = Secret::new(b"passphrase".to_vec());
    let file = key.to_sealed_file(&mut rng, &passphrase, Argon2Cost::FLOOR);
    assert!(EpochKey::is_sealed_file(&file));
    let read = EpochKey::from_sealed_file(&passphrase, &file).unwrap();
    assert_eq!(read.epoch(), 3);
    assert!(read.open(&WALLET, &wrapped).is_ok());
    let wrong = Secret::new(b"Passphrase".to_vec());
    let refused = EpochKey::from_sealed_file(&wrong, &file).map(drop);
    assert_eq!(refused, Err(SealError::DoesNotOpen));
}

const NOW_S: u64 = 1_800_000_000;

fn session() -> Session {
    let key = SoftwareKey::generate(&mut rng());
    Session {
        wallet: WALLET,
        member: MemberId::from_bytes([3; 16]),
        link: LinkHash::from_bytes([4; 32]),
        key: *key.public(),
        expires_s: NOW_S + 900,
    }
}

#[test]
fn a_token_is_checked_by_any_server_with_the_key() {
    let file = EpochKey::generate(&mut rng(), 1).to_file();
    let [one, other] = [(); 2].map(|()| {
        let keyring = ServerKeyring::locked();
        keyring.unlock(Arc::new(EpochKey::from_file(&file).unwrap()));
        keyring
    });
    let token = session().issue(&one).unwrap();
    assert_eq!(Session::check(&other, &token, NOW_S), Ok(session()));
    assert_eq!(Session::check(&other, &token, NOW_S + 899), Ok(session()));
    assert_eq!(Session::check(&other, &token, NOW_S + 900), Err(SessionRefused::Expired));
    let locked = Session::check(&ServerKeyring::locked(), &token, NOW_S);
    assert_eq!(locked, Err(SessionRefused::Keyring(KeyringError::Locked)));
    let stranger = unlocked(&mut StdRng::seed_from_u64(9), &[1]);
    assert_eq!(Session::check(&stranger, &token, NOW_S), Err(SessionRefused::Invalid));
    let later = unlocked(&mut rng(), &[2]);
    assert_eq!(Session::check(&later, &token, NOW_S), Err(SessionRefused::Invalid));
}

#[test]
fn no_character_of_a_token_can_be_altered() {
    let keyring = unlocked(&mut rng(), &[1]);
    let token = session().issue(&keyring).unwrap();
    for at in 0..token.len() {
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut altered = token.clone();
        altered.replace_range(at..=at, other);
        let refused = Session::check(&keyring, &altered, NOW_S);
        assert_eq!(refused, Err(SessionRefused::Invalid), "character {at}");
    }
    for damaged in ["", "A", &token[1..], &token[..token.len() - 1], &format!("{token}A")] {
        assert_eq!(Session::check(&keyring, damaged, NOW_S), Err(SessionRefused::Invalid));
    }
}
