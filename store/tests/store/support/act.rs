//! Acts as an operator's request becomes them.

use store::command::{Bootstrap, Command, NewNode, SystemCommand};
use store::{Act, AuditLeaf, Caller, Policy};
use types::ids::{ClusterId, Incarnation, RequestId};
use types::node::Role;

/// Act number `number` of the operator, made after `after` others.
pub(crate) fn act(number: u64, after: u64, command: SystemCommand) -> Command {
    let request = types::hash::tagged("holdfast/1 test", &[b"request", &number.to_be_bytes()]);
    let act = Act {
        caller: Caller::named("spiffe://test/operator/olga"),
        request: RequestId::from_bytes(request),
        after,
        time_ms: 1_000 + number,
        leaf: AuditLeaf { token: request },
    };
    Command::System(act, Box::new(command))
}

/// A node in its `life`th directory; 0 for one that has none yet.
pub(crate) fn node(name: &str, dc: &str, life: u8) -> NewNode {
    NewNode {
        name: name.into(),
        dc: dc.into(),
        role: Role::Data,
        peer: format!("{name}.example:7001"),
        endpoint: format!("https://{name}.example:7000"),
        incarnation: Incarnation::from_bytes([life; 16]),
    }
}

/// Three nodes in three data centres, two wallet groups, regions 0 and 1.
pub(crate) fn bootstrap(policy: Policy) -> Command {
    let nodes = vec![node("a", "dc1", 1), node("b", "dc2", 0), node("c", "dc3", 0)];
    act(
        0,
        0,
        SystemCommand::Bootstrap(Bootstrap {
            cluster: ClusterId::from_bytes([9; 16]),
            nodes,
            wallet_groups: 2,
            regions: vec![0, 1],
            allow_single_dc: false,
            policy,
        }),
    )
}
