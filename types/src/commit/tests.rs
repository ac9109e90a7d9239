//! The shape of commits: order, disjointness, limits, and the hash that tells contents apart.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{Edit, Wallet, device, record};
use crate::layout::Problem;

fn wallet() -> Wallet {
    Wallet::new(&[device(1)])
}

fn commit() -> Commit {
    let mut wallet = wallet();
    wallet.commit(device(1).id(), vec![], &[Edit::Write(1), Edit::Write(2), Edit::Write(3)]);
    wallet.commit(
        device(1).id(),
        vec![],
        &[Edit::Write(1), Edit::Write(4), Edit::Remove(2), Edit::Remove(3)],
    )
}

fn refusal(change: impl FnOnce(&mut Commit)) -> CommitError {
    let mut commit = commit();
    change(&mut commit);
    commit.check_shape().unwrap_err()
}

#[test]
fn lists_are_strictly_ascending() {
    assert_eq!(commit().check_shape().unwrap().len(), 2);
    let unsorted = |list| CommitError::Unsorted { list };
    assert_eq!(refusal(|commit| commit.envelopes.swap(0, 1)), unsorted("records"));
    assert_eq!(
        refusal(|commit| commit.envelopes[1] = commit.envelopes[0].clone()),
        unsorted("records")
    );
    assert_eq!(refusal(|commit| commit.removed.swap(0, 1)), unsorted("removed records"));
    assert_eq!(
        refusal(|commit| commit.removed[1] = commit.removed[0]),
        unsorted("removed records")
    );
    let links = wallet().first_commit().links;
    assert_eq!(
        refusal(|commit| commit.links = vec![links[1].clone(), links[0].clone()]),
        unsorted("links")
    );
    assert_eq!(refusal(|commit| commit.links = vec![links[1].clone(); 2]), unsorted("links"));
}

#[test]
fn a_record_is_written_or_removed_not_both() {
    let id = commit().check_shape().unwrap()[1].header.id;
    assert_eq!(refusal(|commit| commit.removed = vec![id]), CommitError::Both { id });
}

#[test]
fn an_envelope_of_another_purpose_is_no_record() {
    let error = refusal(|commit| commit.envelopes[1][7] = 4);
    let CommitError::Record { at: 1, error } = error else { panic!("{error}") };
    assert!(matches!(error.problem, Problem::Value { field: "purpose", .. }));
    assert!(refusal(|commit| commit.envelopes[0][7] = 99).is_update());
    assert!(!refusal(|commit| commit.envelopes[0][7] = 0).is_update());
}

#[test]
fn every_limit_of_a_push_is_hit_and_healing_passes_all_but_one() {
    let one = record(wallet().chain.membership.wallet(), RecordId::ZERO, 1, 1);
    let too_large = |what, limit| CommitError::TooLarge { what, limit };
    let many = |commit: &mut Commit| commit.removed = vec![RecordId::ZERO; PUSH_RECORDS_MAX + 1];
    assert_eq!(refusal(many), too_large("records", PUSH_RECORDS_MAX));
    let links = wallet().first_commit().links;
    let long = |commit: &mut Commit| commit.links = vec![links[0].clone(); PUSH_LINKS_MAX + 1];
    assert_eq!(refusal(long), too_large("links", PUSH_LINKS_MAX));
    let heavy = |commit: &mut Commit| commit.envelopes = vec![vec![0; PUSH_MAX / 1000]; 1001];
    assert_eq!(refusal(heavy), too_large("bytes", PUSH_MAX));
    let between = vec![HeadHash::ZERO; BETWEEN_MAX + 1];
    assert_eq!(refusal(|commit| commit.between = between), too_large("heads between", BETWEEN_MAX));
    let mut healing = commit();
    healing.between = vec![HeadHash::ZERO; BETWEEN_MAX];
    healing.removed =
        (0_u128..2000).map(|number| RecordId::from_bytes(number.to_be_bytes())).collect();
    healing.envelopes = vec![one];
    healing.envelopes[0][40..56].copy_from_slice(&[255; 16]);
    assert!(healing.check_shape().is_ok());
}

#[test]
fn other_content_has_another_hash_and_a_new_signature_has_not() {
    let original = commit();
    let mut hashes = vec![original.content_hash()];
    for change in [
        |commit: &mut Commit| commit.between = vec![HeadHash::ZERO],
        |commit: &mut Commit| commit.links = wallet().first_commit().links,
        |commit: &mut Commit| commit.envelopes[0][100] ^= 1,
        |commit: &mut Commit| commit.envelopes.truncate(1),
        |commit: &mut Commit| commit.removed.truncate(1),
        |commit: &mut Commit| commit.head = wallet().heads[0],
    ] {
        let mut other = original.clone();
        change(&mut other);
        hashes.push(other.content_hash());
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 7);
    let mut signature = *original.head.signature();
    signature.signature = [9; 64];
    let resigned = Commit {
        head: SignedHead::new(original.head.head(), signature).unwrap(),
        ..original.clone()
    };
    assert_eq!(resigned.content_hash(), original.content_hash());
    assert_eq!(original.request_id().as_bytes(), original.head.hash().as_bytes());
}
