//! Scripts about the cluster: group 0, and what bootstrap leaves in the others.
//!
//! ```text
//! bootstrap nodes=NAME@DC:LIFE,... [groups=N] [regions=0,1] [single_dc] [in=GROUP] [again]
//! register NAME@DC:LIFE [witness] | update NODE peer=P endpoint=E | state NODE active|draining|removed
//! place group=G replaces=V voters=1,2,3 [learners=4] | single_dc on|off | epoch add|destroy number=N
//! nodes | placement G | owner REGION slots=0,1 | slots in=GROUP | epochs | policy receipts=N
//! ```

use std::collections::BTreeMap;

use store::command::{Bootstrap, NewNode, Placing, SystemCommand};
use store::{Policy, rows::PlacementRow};
use types::ids::{ClusterId, GroupId, NodeId, Slot};
use types::node::{NodeState, Role};

use super::Stage;
use super::line::{Line, show};
use crate::support::act::{act, node};
use crate::support::replica::Replica;

pub(super) struct Cluster {
    groups: BTreeMap<GroupId, Replica>,
    acts: u64,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Cluster { groups: BTreeMap::new(), acts: 0 }
    }

    fn group(&mut self, line: &Line) -> &mut Replica {
        let group = GroupId(line.number("in").unwrap_or(0) as u32);
        self.groups.entry(group).or_insert_with(|| Replica::in_memory(group))
    }

    fn act(&mut self, line: &Line, command: SystemCommand) -> String {
        self.acts += 1;
        let number = self.acts;
        let replica = self.group(line);
        let after = replica.reader().acts().unwrap();
        let reply = replica.apply(&act(number, after, command));
        replica.check();
        show(&reply, |hash| hash.to_string())
    }

    fn bootstrap(&mut self, line: &Line) -> String {
        let begin = Bootstrap {
            cluster: ClusterId::from_bytes([9; 16]),
            nodes: line.list("nodes").into_iter().map(new_node).collect(),
            wallet_groups: line.number("groups").unwrap_or(3) as u32,
            regions: line
                .get("regions")
                .map_or(vec![0], |list| list.split(',').map(|n| n.parse().unwrap()).collect()),
            allow_single_dc: line.has("single_dc"),
            policy: Policy::default(),
        };
        self.act(line, SystemCommand::Bootstrap(begin))
    }

    fn place(&mut self, line: &Line) -> String {
        let ids = |key: &str| line.list(key).iter().map(|id| NodeId(id.parse().unwrap())).collect();
        let placing = Placing {
            group: GroupId(line.number("group").unwrap() as u32),
            replaces: line.number("replaces").unwrap(),
            voters: ids("voters"),
            learners: ids("learners"),
        };
        self.act(line, SystemCommand::SetPlacement(placing))
    }

    fn register(&mut self, line: &Line) -> String {
        let mut node = new_node(line.first());
        if line.has("witness") {
            node.role = Role::Witness;
        }
        self.act(line, SystemCommand::RegisterNode(node))
    }

    fn nodes(&mut self, line: &Line) -> String {
        let nodes = self.group(line).reader().nodes().unwrap();
        let shown = nodes.iter().map(|node| {
            let life = node.incarnation.as_bytes()[0];
            format!(
                "{}={}@{}:{life} {} {} {}",
                node.id, node.name, node.dc, node.role, node.state, node.peer
            )
        });
        shown.collect::<Vec<_>>().join(" | ")
    }

    fn placement(&mut self, line: &Line) -> String {
        let group = GroupId(line.first().parse().unwrap());
        match self.group(line).reader().placement(group).unwrap() {
            Some(PlacementRow { version, voters, learners }) => {
                format!("version={version} voters={} learners={}.", ids(&voters), ids(&learners))
            }
            None => "nowhere".into(),
        }
    }

    fn slots(&mut self, line: &Line) -> String {
        let spans = self.group(line).reader().slots().unwrap().spans;
        let shown = spans
            .iter()
            .map(|span| format!("region {}: {}-{}", span.region, span.first, span.last));
        format!("owns {}", shown.collect::<Vec<_>>().join(", ")).trim_end().to_owned()
    }

    fn owner(&mut self, line: &Line) -> String {
        let region = line.first().parse().unwrap();
        let Some(map) = self.group(line).reader().slot_map(region).unwrap() else {
            return "region not served".into();
        };
        let slots =
            line.list("slots").into_iter().map(|slot| Slot::new(slot.parse().unwrap()).unwrap());
        let owners = slots.map(|slot| format!("{slot}:{}", map.group(slot).unwrap()));
        owners.collect::<Vec<_>>().join(" ")
    }

    fn epochs(&mut self, line: &Line) -> String {
        let epochs = self.group(line).reader().epochs().unwrap();
        let shown = (1..).zip(epochs).map(|(n, epoch)| format!("{n}:{:?}", epoch.state));
        shown.collect::<Vec<_>>().join(" ")
    }
}

fn ids(nodes: &[NodeId]) -> String {
    nodes.iter().map(|node| node.to_string()).collect::<Vec<_>>().join(",")
}

fn new_node(text: &str) -> NewNode {
    let (name, rest) = text.split_once('@').unwrap();
    let (dc, life) = rest.split_once(':').unwrap();
    node(name, dc, life.parse().unwrap())
}

impl Stage for Cluster {
    fn run(&mut self, line: &Line) -> String {
        let id = || NodeId(line.first().parse().unwrap());
        match line.verb.as_str() {
            "bootstrap" => self.bootstrap(line),
            "register" => self.register(line),
            "update" => {
                let text = |key: &str| line.get(key).unwrap_or_default().to_owned();
                let (peer, endpoint) = (text("peer"), text("endpoint"));
                self.act(line, SystemCommand::UpdateNode { node: id(), peer, endpoint })
            }
            "state" => {
                let states = [
                    ("active", NodeState::Active),
                    ("draining", NodeState::Draining),
                    ("removed", NodeState::Removed),
                    ("fenced", NodeState::Fenced),
                ];
                let state = states.into_iter().find(|(name, _)| line.has(name)).unwrap().1;
                self.act(line, SystemCommand::SetNodeState { node: id(), state })
            }
            "place" => self.place(line),
            "single_dc" => self.act(line, SystemCommand::AllowSingleDc(line.has("on"))),
            "epoch" => {
                let epoch = line.number("number").unwrap() as u32;
                let commitment = [epoch as u8; 32];
                let add = SystemCommand::AddEpoch { epoch, commitment };
                self.act(
                    line,
                    if line.has("add") { add } else { SystemCommand::DestroyEpoch { epoch } },
                )
            }
            "policy" => {
                let receipts = line.number("receipts").unwrap() as u32;
                self.act(line, SystemCommand::SetPolicy(Policy { receipts, ..Policy::default() }))
            }
            "nodes" => self.nodes(line),
            "placement" => self.placement(line),
            "slots" => self.slots(line),
            "owner" => self.owner(line),
            "epochs" => self.epochs(line),
            other => panic!("no such command: {other}"),
        }
    }
}
