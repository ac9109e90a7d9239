#![allow(clippy::unwrap_used)]
use rand::SeedableRng;
use rand::rngs::StdRng;
use types::BodyHash;
use types::Suite;
use types::envelope::{EnvelopeHeader, Purpose};

use super::*;

const WALLET: WalletId = WalletId::from_bytes([1; 32]);
const RECORD: RecordId = RecordId::from_bytes([2; 16]);

fn outer(wallet: WalletId) -> Outer {
    Outer::new(wallet, DataKey::generate(&mut StdRng::seed_from_u64(1)))
}

fn header(version: u64) -> RecordHeader {
    let header = EnvelopeHeader {
        suite: Suite::P256,
        purpose: Purpose::Record,
        wallet: WALLET,
        id: RECORD,
        version,
        generation: 1,
    };
    RecordHeader { header, body_hash: BodyHash::from_bytes([3; 32]), size: 8 }
}

#[test]
fn a_record_opens_in_its_own_place_only() {
    let here = outer(WALLET);
    let write = here.seal_record(&header(3), b"envelope");
    assert_eq!((write.id, write.version, write.size), (RECORD, 3, 8));
    assert_eq!(here.open_record(&RECORD, 3, &write.sealed).unwrap(), b"envelope");
    let other = RecordId::from_bytes([4; 16]);
    assert!(here.open_record(&RECORD, 2, &write.sealed).is_err(), "another version");
    assert!(here.open_record(&other, 3, &write.sealed).is_err(), "another record");
    let moved = outer(WalletId::from_bytes([9; 32]));
    assert!(
        moved.open_record(&RECORD, 3, &write.sealed).is_err(),
        "another wallet, though under the same key"
    );
    assert!(here.open_link(3, &write.sealed).is_err(), "another table");
}

#[test]
fn tokens_of_two_pushes_or_wallets_have_nothing_in_common() {
    let (one, two) = (types::RequestId::from_bytes([1; 32]), types::RequestId::from_bytes([2; 32]));
    let here = outer(WALLET);
    let elsewhere = Outer::new(WALLET, DataKey::generate(&mut StdRng::seed_from_u64(2)));
    assert_eq!(here.push_token(&one), here.push_token(&one));
    assert_ne!(here.push_token(&one), here.push_token(&two));
    assert_ne!(here.push_token(&one), elsewhere.push_token(&one));
}
