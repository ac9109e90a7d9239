//! Ids: in and out, and what is derived from them.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn an_id_has_one_length_and_one_text() {
    let id =
        MemberId::from_bytes(*b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff");
    assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
    assert_eq!(format!("{id:?}"), "MemberId(00010203…)");
    assert_eq!("000102030405060708090A0B0C0D0EFF".parse(), Ok(id));
    assert_eq!(MemberId::parse(id.as_bytes()), Ok(id));
    for wrong in [0, 15, 17] {
        let error = MemberId::parse(&vec![0; wrong]).unwrap_err();
        assert_eq!(error.problem, Problem::Length { expected: 16, found: wrong });
    }
    for wrong in ["zz", "0", "é", "0x00"] {
        assert_eq!(wrong.parse::<MemberId>().unwrap_err().problem, Problem::NotHex, "{wrong}");
    }
}

#[test]
fn a_wallet_begins_with_its_region() {
    let genesis = LinkHash::from_bytes(std::array::from_fn(|at| at as u8 + 1));
    let wallet = WalletId::of_genesis(200, &genesis);
    assert_eq!(wallet.region(), 200);
    assert_eq!(wallet.as_bytes()[1..], genesis.as_bytes()[..31]);
}

#[test]
fn slots_fill_evenly_and_end_at_4096() {
    let mut seen = vec![0_u32; usize::from(Slot::COUNT)];
    for number in 0..40_960_u64 {
        seen[usize::from(
            Slot::of(&WalletId::from_bytes(crate::fixtures::bytes_of(number))).get(),
        )] += 1;
    }
    // Ten on average; a Poisson tail of 40 has a chance below 10⁻¹².
    assert!(seen.iter().all(|count| *count < 40));
    assert!(seen.iter().filter(|count| **count == 0).count() < 10);
    assert_eq!(Slot::new(4095).map(Slot::get), Some(4095));
    assert_eq!(Slot::new(4096), None);
    assert_eq!(Slot::all().count(), 4096);
    assert!(serde_json::from_str::<Slot>("4096").is_err());
}

#[test]
fn the_slot_of_a_wallet_is_frozen() {
    assert_eq!(Slot::of(&WalletId::from_bytes([7; 32])).get(), 331);
}

#[test]
fn an_edit_that_survives_a_delete_gets_the_same_id_everywhere() {
    let id = RecordId::from_bytes([9; 16]);
    let expected = &tagged("holdfast/1 again", &[&[9; 16], &3_u64.to_be_bytes()])[..16];
    assert_eq!(id.again(3).as_bytes(), expected);
    assert_eq!(id.again_free(3, |_| false), id.again(3));
    let taken = [id.again(3), id.again(3).again(0)];
    assert_eq!(id.again_free(3, |id| taken.contains(id)), id.again(3).again(0).again(0));
}

#[test]
fn wallets_live_in_groups_from_two_on() {
    assert!(!GroupId::SYSTEM.holds_wallets() && !GroupId::PUBLIC.holds_wallets());
    assert!(GroupId::FIRST_WALLET.holds_wallets() && GroupId(17).holds_wallets());
}
