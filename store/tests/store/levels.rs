//! The next format level begins once every node knows it, never before, and never goes back.

use std::ops::ControlFlow;

use store::command::{SystemCommand, SystemReply};
use store::engine::Direction;
use store::keys::Key;
use store::{Column, Command, Policy, Reply};
use types::ids::{GroupId, NodeId};
use types::node::NodeState;
use types::rejection::Rejection;

use crate::support::act::{act, bootstrap, node};
use crate::support::replica::Replica;

fn cluster() -> Replica {
    let mut group = Replica::in_memory(GroupId::SYSTEM);
    group.apply(&bootstrap(Policy::default()));
    group
}

fn announce(node: u64, level: u8) -> SystemCommand {
    SystemCommand::AnnounceLevel { node: NodeId(node), level }
}

/// What an act answers; each comes under a name of its own.
fn ask(group: &mut Replica, number: u64, command: SystemCommand) -> Result<(), String> {
    let after = group.reader().acts().unwrap();
    match group.apply(&act(number, after, command)) {
        Reply::System(SystemReply::Done) => Ok(()),
        Reply::System(SystemReply::Registered { .. }) => Ok(()),
        Reply::Rejected(Rejection::Refused { code, message }) => {
            assert_eq!(code, "level");
            Err(message)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_level_begins_when_the_last_node_knows_it() {
    let mut group = cluster();
    assert_eq!(group.reader().level().unwrap(), 1);
    let begin = |level| SystemCommand::BeginLevel { level };
    assert_eq!(ask(&mut group, 1, begin(2)).unwrap_err(), "node a knows format level 1 only");
    ask(&mut group, 2, announce(1, 2)).unwrap();
    ask(&mut group, 3, announce(2, 3)).unwrap();
    assert_eq!(ask(&mut group, 4, begin(2)).unwrap_err(), "node c knows format level 1 only");
    assert!(ask(&mut group, 5, begin(3)).unwrap_err().contains("one after the other"));
    ask(&mut group, 6, announce(3, 2)).unwrap();
    assert_eq!(group.reader().level().unwrap(), 1, "somebody has to begin it");
    ask(&mut group, 7, begin(2)).unwrap();
    assert_eq!(group.reader().level().unwrap(), 2);
    ask(&mut group, 8, begin(2)).unwrap();
    ask(&mut group, 9, begin(1)).unwrap();
    assert_eq!(group.reader().level().unwrap(), 2, "it never goes back");
    let levels = [(NodeId(1), 2), (NodeId(2), 3), (NodeId(3), 2)];
    assert_eq!(group.reader().node_levels().unwrap(), levels);
    group.check();
}

#[test]
fn a_node_that_is_gone_holds_nobody_up_and_a_new_one_does() {
    let mut group = cluster();
    ask(&mut group, 1, announce(1, 2)).unwrap();
    ask(&mut group, 2, announce(2, 2)).unwrap();
    let removed = SystemCommand::SetNodeState { node: NodeId(3), state: NodeState::Removed };
    let begin = |level| SystemCommand::BeginLevel { level };
    assert!(ask(&mut group, 3, begin(2)).is_err());
    // Bootstrap places every node, so the third is drained of its placements first.
    for number in 0..4 {
        let place = store::command::Placing {
            group: GroupId(number),
            replaces: 1,
            voters: vec![NodeId(1), NodeId(2)],
            learners: Vec::new(),
        };
        let after = group.reader().acts().unwrap();
        let place = SystemCommand::SetPlacement(place);
        let reply = group.apply(&act(10 + u64::from(number), after, place));
        assert!(matches!(reply, Reply::System(SystemReply::Placed { .. })), "{reply:?}");
    }
    ask(&mut group, 20, removed).unwrap();
    ask(&mut group, 21, SystemCommand::RegisterNode(node("d", "dc3", 4))).unwrap();
    assert_eq!(ask(&mut group, 22, begin(2)).unwrap_err(), "node d knows format level 1 only");
    ask(&mut group, 23, announce(4, 2)).unwrap();
    ask(&mut group, 24, begin(2)).unwrap();
    let refused = ask(&mut group, 25, announce(4, 1)).unwrap_err();
    assert!(refused.contains("node d runs a program that knows format level 1"), "{refused}");
}

/// As `formats`, for what levels add: the bytes are frozen here.
#[test]
fn levels_are_written_as_ever() {
    let mut group = cluster();
    let commands: Vec<Command> = [announce(1, 2), announce(2, 2), announce(3, 2)]
        .into_iter()
        .chain([SystemCommand::BeginLevel { level: 2 }])
        .zip(1..)
        .map(|(command, number)| act(number, number, command))
        .collect();
    let mut ends = Vec::new();
    for command in &commands {
        assert!(matches!(group.apply(command), Reply::System(SystemReply::Done)));
        let bytes = command.encode().unwrap();
        assert_eq!(Command::decode(&bytes).unwrap(), *command);
        ends.push(hex::encode(bytes));
    }
    for (end, frozen) in ends.iter().zip(ENDS) {
        assert!(end.ends_with(frozen), "{end} does not end with {frozen}");
    }
    let mut rows = Vec::new();
    let visit = &mut |key: &[u8], value: &[u8]| {
        let known = Key::decode(key).unwrap().1;
        if matches!(known, Key::Level | Key::NodeLevel(_)) {
            rows.push((hex::encode(&key[14..]), hex::encode(value)));
        }
        ControlFlow::Continue(())
    };
    group.engine().scan(Column::State, &[], &[0xff; 8], Direction::Forward, visit).unwrap();
    let rows: Vec<_> = rows.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(rows, ROWS);
}

/// Behind what every act says of itself: variant, node and level; variant and level.
const ENDS: [&str; 4] = ["0e0102", "0e0202", "0e0302", "0f02"];
/// Key behind group, incarnation and slot; value.
const ROWS: [(&str, &str); 4] = [
    ("36", "0102"),
    ("370000000000000001", "0102"),
    ("370000000000000002", "0102"),
    ("370000000000000003", "0102"),
];
