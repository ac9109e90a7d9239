#![allow(clippy::unwrap_used)]

use rand::SeedableRng;

use super::*;
use crate::transport::fake::refusal;

#[test]
fn the_table_of_outcomes() {
    use Retry::{Never, Safe, SameRequest};
    let refused = |outcome: Outcome| matches!(outcome, Outcome::Refused(_));
    let not_done = |outcome: Outcome| matches!(outcome, Outcome::NotDone { .. });
    let unknown = |outcome: Outcome| matches!(outcome, Outcome::Unknown { .. });
    let ended = |outcome: Outcome| matches!(outcome, Outcome::SessionEnded { .. });
    let of = |code: &str, retry| Outcome::of(&refusal(code, retry, "", None));

    assert!(
        refused(of("conflict", Never))
            && refused(of("quota_full", Never))
            && refused(of("denied", Never))
    );
    assert!(
        not_done(of("not_leader", Safe))
            && not_done(of("locked", Safe))
            && not_done(of("disk_full", Safe))
    );
    assert!(unknown(of("unknown", SameRequest)) && unknown(of("internal", SameRequest)));
    assert!(
        ended(of("session", Never)) && ended(of("proof", Never)) && ended(of("challenge", Never))
    );

    // Without a detail, what is not certain is unknown.
    for code in [
        Code::Unavailable,
        Code::Unknown,
        Code::Internal,
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
    ] {
        assert!(unknown(Outcome::of(&Status::new(code, ""))), "{code:?}");
    }
    for code in
        [Code::InvalidArgument, Code::PermissionDenied, Code::Unimplemented, Code::OutOfRange]
    {
        assert!(refused(Outcome::of(&Status::new(code, ""))), "{code:?}");
    }
    let unreached = Status::from_error(Box::new(tonic::ConnectError("refused".into())));
    assert!(not_done(Outcome::of(&unreached)), "a request that never left was not done");
}

#[test]
fn a_conflict_names_the_head_that_was_found() {
    let head = HeadHash::from_bytes([3; 32]);
    let outcome = Outcome::of(&refusal("conflict", Retry::Never, "", Some((9, head))));
    let Outcome::Refused(Refusal::Cluster { found, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(found, Some(Found { seq: 9, head }));
}

#[test]
fn waits_double_up_to_the_longest_and_differ_between_clients() {
    let backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(500) };
    let waits = |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        (1..20).map(|n| backoff.after(n, &mut rng)).collect::<Vec<_>>()
    };
    for (n, wait) in waits(1).iter().enumerate() {
        let span = Duration::from_millis(20 * 2_u64.pow(n.min(10) as u32)).min(backoff.longest);
        assert!(*wait >= span / 2 && *wait <= span, "wait {n}: {wait:?}");
    }
    assert_ne!(waits(1), waits(2));
    assert_eq!(waits(1), waits(1), "seeded");
}
