#![allow(clippy::unwrap_used)]
use types::HeadHash;

use super::*;

#[test]
fn a_rejection_has_the_code_that_the_state_gives_it() {
    let refused =
        |code: &str| Rejection::Refused { code: code.to_owned(), message: "because".to_owned() };
    for rejection in [
        Rejection::NotFound,
        Rejection::Exists,
        Rejection::Conflict { named: HeadHash::ZERO, found: HeadHash::ZERO, found_seq: 1 },
        Rejection::MemberInactive,
        Rejection::RotationDue,
        Rejection::QuotaFull { what: "records".to_owned(), limit: 1 },
        Rejection::WrongGroup,
        Rejection::RequestReused,
        Rejection::TooOld,
        Rejection::Erased,
        refused("node_placed"),
        refused("of_a_newer_release"),
    ] {
        let detail = VaultError::from(rejection.clone()).detail();
        assert_eq!(detail.code, rejection.code());
        assert_eq!(detail.message, rejection.to_string());
    }
    assert_eq!(VaultError::from(refused("of_a_newer_release")).code(), Code::Refused);
}

#[test]
fn a_conflict_names_the_head_that_is_stored_whoever_found_it() {
    let found = HeadHash::from_bytes([7; 32]);
    let by_state = Rejection::Conflict { named: HeadHash::ZERO, found, found_seq: 5 };
    let by_door = Refused::Conflict { named: HeadHash::ZERO, found, found_seq: 5 };
    for error in [VaultError::from(by_state), VaultError::from(by_door)] {
        let detail = error.detail();
        assert_eq!((detail.code.as_str(), detail.found_seq), ("conflict", 5));
        assert_eq!(detail.found_head.as_ref(), found.as_bytes());
    }
}

#[test]
fn a_message_tells_the_whole_chain_of_a_refusal_and_nothing_of_a_fault() {
    let error = VaultError::from(Refused::Link { n: 3, why: LinkRefused::Seals });
    assert!(error.detail().message.starts_with("link 3 is refused: a rotation seals to exactly"));
    let fault =
        store::Fault::Inconsistent { group: types::GroupId(7), what: "a secret of the house" };
    let detail = VaultError::from(fault).detail();
    assert_eq!(detail.code, "internal");
    assert!(!detail.message.contains("secret"), "{}", detail.message);
}

#[test]
fn where_waiting_helps_it_is_said_how_long() {
    let busy = VaultError::Busy { what: "pulls", limit: 3, wait_ms: 200 }.detail();
    assert!(busy.retry_after_ms > 0 && busy.message.contains("3 pulls"));
    let fast = VaultError::TooFast { what: "recoveries", wait_ms: 1234 }.detail();
    assert_eq!(fast.retry_after_ms, 1234);
}
