//! Commands that no honest leader proposes: refused on every replica alike, with no trace, and no
//! node stops over them.

use store::command::{Base, Bootstrap, Command, Placing, Push, SystemCommand};
use store::{Policy, Reply};
use types::ids::{GroupId, HeadHash, LinkHash, NodeId};
use types::member::MemberKind;
use types::rejection::Rejection;

use crate::support::act::{act, bootstrap, node};
use crate::support::replica::{GROUP, Replica};
use crate::support::wallet::{Draft, Edit, device, member, record};

/// A replica with one wallet of two records, and the wallet's state.
fn stored() -> (Replica, Draft) {
    let mut replica = Replica::in_memory(GROUP);
    replica.apply(&bootstrap(Policy::default()));
    let code = member(MemberKind::RecoveryCode, "code");
    let draft = Draft::in_group(vec![device("phone"), code]);
    let (push, draft) = draft.push(&device("phone"), &[write("a"), write("b")], 1_000);
    assert!(matches!(give(&mut replica, push), Reply::Pushed { .. }));
    (replica, draft)
}

fn write(name: &str) -> Edit {
    Edit::Write(record(name), name.as_bytes().repeat(8))
}

fn give(replica: &mut Replica, push: Push) -> Reply {
    replica.apply(&Command::Push(Box::new(push)))
}

fn code(reply: Reply) -> String {
    match reply {
        Reply::Rejected(rejection) => rejection.code().to_owned(),
        other => panic!("accepted: {other:?}"),
    }
}

/// An honest push on the stored wallet that touches everything, after `spoil` has been at it.
fn spoiled(spoil: impl FnOnce(&mut Push)) -> String {
    let (mut replica, draft) = stored();
    let edits = [
        write("a"),
        write("c"),
        Edit::Remove(record("b")),
        Edit::Add(device("tablet")),
        Edit::Rotate,
    ];
    let (mut push, _) = draft.push(&device("phone"), &edits, 2_000);
    spoil(&mut push);
    let digest = replica.digest();
    let code = code(give(&mut replica, push));
    assert_eq!(replica.digest(), digest, "a refusal changes nothing");
    replica.check();
    code
}

type Spoil = fn(&mut Push);

#[test]
fn a_push_that_contradicts_itself_is_refused() {
    let spoils: [(&str, Spoil); 12] = [
        ("records unsorted", |push| push.records.reverse()),
        ("a record twice", |push| push.records.push(push.records[1].clone())),
        ("a removed record twice", |push| push.removed.push(push.removed[0])),
        ("written and removed", |push| push.removed = vec![push.records[0].id]),
        ("removed and never there", |push| push.removed = vec![record("z")]),
        ("a version left out", |push| push.records[0].version += 1),
        ("a version again", |push| push.records[0].version = 0),
        ("the version of a new record", |push| {
            push.records.iter_mut().for_each(|record| record.version = 2)
        }),
        ("a link left out", |push| drop(push.links.remove(0))),
        ("another last link", |push| push.links[1].hash = LinkHash::ZERO),
        ("members without links", |push| push.links.clear()),
        ("links without members", |push| push.membership = None),
    ];
    for (what, spoil) in spoils {
        assert_eq!(spoiled(spoil), "malformed", "{what}");
    }
    let other =
        |push: &mut Push| push.base = Some(Base { head: HeadHash::ZERO, link: LinkHash::ZERO });
    assert_eq!(spoiled(other), "conflict");
    assert_eq!(spoiled(|push| push.base = None), "exists");
}

#[test]
fn a_push_that_does_not_follow_its_base_is_refused() {
    let (mut replica, draft) = stored();
    let present = draft.head.unwrap();
    let (_, next) = draft.push(&device("phone"), &[], 2_000);
    // Made on a state that never was, and said to be checked against the present one.
    let (mut push, _) = next.push(&device("phone"), &[], 3_000);
    push.base = Some(Base { head: present.hash(), link: present.head().link });
    assert_eq!(code(give(&mut replica, push)), "malformed");
    let (mut push, _) = draft.push(&device("phone"), &[], 2_000);
    push.between = vec![HeadHash::from_bytes([1; 32])];
    assert_eq!(code(give(&mut replica, push)), "malformed");
}

#[test]
fn members_that_are_not_those_of_the_links_are_refused() {
    let (_, elsewhere) = stored();
    let (other, _) = elsewhere.push(&device("phone"), &[Edit::Rotate, Edit::Rotate], 9_000);
    assert_eq!(spoiled(|push| push.membership = other.membership), "malformed");
}

#[test]
fn a_first_push_needs_links_and_a_data_key() {
    let mut replica = Replica::in_memory(GROUP);
    replica.apply(&bootstrap(Policy::default()));
    let (push, _) = Draft::in_group(vec![device("phone")]).push(&device("phone"), &[], 1_000);
    let keyless = Push { data_key: None, ..push.clone() };
    let linkless = Push { links: Vec::new(), membership: None, ..push.clone() };
    let based =
        Push { base: Some(Base { head: HeadHash::ZERO, link: LinkHash::ZERO }), ..push.clone() };
    assert_eq!(code(give(&mut replica, keyless)), "malformed");
    assert_eq!(code(give(&mut replica, linkless)), "malformed");
    assert_eq!(code(give(&mut replica, based)), "not_found");
    assert!(matches!(give(&mut replica, push), Reply::Pushed { seq: 1, .. }));
}

#[test]
fn the_first_data_key_stays() {
    let (mut replica, draft) = stored();
    let first = replica.reader().data_key(draft.wallet).unwrap();
    let (mut push, _) = draft.push(&device("phone"), &[], 2_000);
    push.data_key = Some(types::sealed::Sealed::new(*b"another"));
    assert!(matches!(give(&mut replica, push), Reply::Pushed { .. }));
    assert_eq!(replica.reader().data_key(draft.wallet).unwrap(), first);
}

#[test]
fn the_greatest_version_is_the_last() {
    let (mut replica, draft) = stored();
    let lost = HeadHash::from_bytes([1; 32]);
    let (mut push, healed) = draft.heal(&device("phone"), &[write("a")], &[lost], 2_000);
    push.records[0].version = u64::MAX;
    assert!(matches!(give(&mut replica, push), Reply::Pushed { .. }));
    for version in [0, 1, 3, u64::MAX] {
        let (mut push, _) = healed.push(&device("phone"), &[write("a")], 3_000);
        push.records[0].version = version;
        assert_eq!(code(give(&mut replica, push)), "malformed");
    }
    let (push, _) = healed.push(&device("phone"), &[Edit::Remove(record("a"))], 3_000);
    assert!(matches!(give(&mut replica, push), Reply::Pushed { .. }), "it can still go");
    replica.check();
}

#[test]
fn a_command_before_there_is_a_cluster_is_refused() {
    let mut replica = Replica::in_memory(GroupId::SYSTEM);
    let register = SystemCommand::RegisterNode(node("a", "dc1", 1));
    assert_eq!(code(replica.apply(&act(1, 0, register))), "no_cluster");
    let (push, _) = Draft::in_group(vec![device("phone")]).push(&device("phone"), &[], 1_000);
    assert_eq!(give(&mut replica, push), Reply::Rejected(Rejection::WrongGroup));
}

#[test]
fn there_are_so_many_nodes_and_replicas_at_most() {
    let Command::System(_, begin) = bootstrap(Policy::default()) else { panic!("an act") };
    let SystemCommand::Bootstrap(begin) = *begin else { panic!("a bootstrap") };
    let nodes =
        |count: usize| (0..count).map(|n| node(&format!("n{n}"), &format!("dc{n}"), 1)).collect();
    let mut replica = Replica::in_memory(GroupId::SYSTEM);
    for count in [0, 65] {
        let begin = SystemCommand::Bootstrap(Bootstrap { nodes: nodes(count), ..begin.clone() });
        assert_eq!(code(replica.apply(&act(1, 0, begin))), "malformed");
    }
    let begin = SystemCommand::Bootstrap(Bootstrap { nodes: nodes(64), ..begin });
    assert!(matches!(replica.apply(&act(1, 0, begin)), Reply::System(_)));
    for (voters, learners, fits) in [(0, 3, false), (3, 30, false), (3, 29, true)] {
        let ids = |from: u64, count: u64| (from..from + count).map(NodeId).collect();
        let placing = Placing {
            group: GROUP,
            replaces: 1,
            voters: ids(1, voters),
            learners: ids(1 + voters, learners),
        };
        let reply =
            replica.apply(&act(2 + voters + learners, 1, SystemCommand::SetPlacement(placing)));
        assert_eq!(matches!(reply, Reply::System(_)), fits, "{reply:?}");
    }
}
