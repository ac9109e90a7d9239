//! P3, once: a retry has no second effect and the same outcome, or is refused as too old.

use store::command::{SystemCommand, SystemReply};
use store::engine::memory::Crash;
use store::{Command, Policy, Reply};
use types::ids::GroupId;
use types::rejection::Rejection;

use crate::support::act::{act, bootstrap, node};
use crate::support::replica::Replica;

fn system() -> Replica {
    let mut replica = Replica::in_memory(GroupId::SYSTEM);
    replica.apply(&bootstrap(Policy::FLOOR));
    replica
}

fn register(number: u64, after: u64) -> Command {
    act(number, after, SystemCommand::RegisterNode(node(&format!("n{number}"), "dc1", 1)))
}

#[test]
fn a_retried_act_has_one_effect_and_one_answer() {
    let mut replica = system();
    let command = register(1, 1);
    let first = replica.apply(&command);
    let (digest, acts) = (replica.digest(), replica.reader().acts().unwrap());
    for crash in [Crash::Process, Crash::Power] {
        replica.restart(crash);
        assert_eq!(replica.apply(&command), first);
    }
    assert_eq!((replica.digest(), replica.reader().acts().unwrap()), (digest, acts));
    assert_eq!(replica.reader().nodes().unwrap().len(), 4);
}

#[test]
fn the_same_id_with_other_content_is_refused() {
    let mut replica = system();
    replica.apply(&register(1, 1));
    let other = act(1, 1, SystemCommand::AllowSingleDc(true));
    assert_eq!(replica.apply(&other), Reply::Rejected(Rejection::RequestReused));
}

#[test]
fn an_act_that_was_refused_leaves_no_receipt() {
    let mut replica = system();
    let digest = replica.digest();
    let early = act(1, 1, SystemCommand::DestroyEpoch { epoch: 1 });
    assert!(matches!(replica.apply(&early), Reply::Rejected(Rejection::Refused { .. })));
    assert_eq!(replica.digest(), digest, "a refusal changes nothing");
    for epoch in [1, 2] {
        let add = SystemCommand::AddEpoch { epoch, commitment: [0; 32] };
        assert_eq!(
            replica.apply(&act(1 + u64::from(epoch), 1, add)),
            Reply::System(SystemReply::Done)
        );
    }
    assert_eq!(replica.apply(&early), Reply::System(SystemReply::Done), "now it can be done");
}

#[test]
fn a_retry_whose_receipt_is_gone_is_too_old_and_not_executed() {
    let mut replica = system();
    let kept = u64::from(Policy::FLOOR.receipts);
    // The bootstrap is act 0, so these are the acts 1 to `kept`: one more than is kept.
    let first = register(1, 1);
    let answer = replica.apply(&first);
    for number in 2..=kept {
        replica.apply(&register(number, number));
    }
    assert_eq!(replica.apply(&first), answer, "the oldest that is kept");
    replica.apply(&register(kept + 1, kept + 1));
    let (nodes, digest) = (replica.reader().nodes().unwrap().len(), replica.digest());
    assert_eq!(replica.apply(&first), Reply::Rejected(Rejection::TooOld));
    assert_eq!(replica.reader().nodes().unwrap().len(), nodes);
    assert_eq!(replica.digest(), digest);
    // A new act by somebody who looked before the oldest receipts went cannot be told from it.
    assert_eq!(replica.apply(&register(900, 1)), Reply::Rejected(Rejection::TooOld));
    let after = replica.reader().acts().unwrap();
    assert!(matches!(
        replica.apply(&register(900, after)),
        Reply::System(SystemReply::Registered { .. })
    ));
}

#[test]
fn an_act_from_the_future_is_refused() {
    let mut replica = system();
    let reply = replica.apply(&register(1, 2));
    assert!(
        matches!(reply, Reply::Rejected(Rejection::Refused { code, .. }) if code == "malformed")
    );
}

#[test]
fn lowering_the_limit_takes_effect_step_by_step() {
    let mut replica = system();
    let more = Policy { receipts: 300, ..Policy::FLOOR };
    replica.apply(&act(1, 1, SystemCommand::SetPolicy(more)));
    for number in 2..=250 {
        replica.apply(&register(number, 0));
    }
    replica.apply(&act(251, 0, SystemCommand::SetPolicy(Policy::FLOOR)));
    let kept = |replica: &Replica| {
        let receipts = replica.reader().standing().unwrap().receipts;
        receipts.next - receipts.first
    };
    assert_eq!(kept(&replica), 250, "the act that lowers it takes two away and adds one");
    for number in 252..=500 {
        replica.apply(&register(number, number));
    }
    assert_eq!(kept(&replica), u64::from(Policy::FLOOR.receipts));
    replica.check();
}
