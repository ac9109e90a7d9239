//! The faults there are, whom they may meet, and what a plan calls them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{inject::bytes::Damage, net::shapes::Shape};

/// Whom a fault meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The leader of a wallet group, when it begins.
    Leader,
    /// A node, by its place.
    One(usize),
    /// All nodes of the data centre of this node.
    Dc(usize),
    /// All nodes at the same moment.
    All,
}

impl Target {
    fn role(self) -> Option<Role> {
        match self {
            Target::Leader => Some(Role::Leader),
            Target::Dc(_) => Some(Role::DataCentre),
            Target::All => Some(Role::All),
            Target::One(_) => None,
        }
    }

    /// For tables.
    fn name(self) -> &'static str {
        self.role().map_or("one", Role::name)
    }
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Links between nodes are cut in one of these shapes.
    Cut(Shape),
    /// All links of a node are cut and whole again, several times in a second.
    Flap(Target),
    /// A node's own kernel drops what comes from the other nodes.
    Filter(Target),
    /// Packets of these links between nodes are harmed.
    Packets(Harm, Links),
    /// SIGKILL; started again when it is over.
    Kill(Target),
    /// SIGTERM and a start, one node after the other.
    Rolling,
    /// SIGKILL, and when it is over, and the others' logs begin behind its own, again while it is sent a snapshot.
    Behind(Target),
    /// SIGSTOP and SIGCONT.
    Pause(Target),
    /// The disk loses power, with the process on it.
    Power(Target),
    /// Every node's syncs are late, a leader is killed, and all lose power when there is another.
    PowerInSync,
    /// The wall clock jumps by so many seconds.
    Jump(Target, i64),
    /// The wall clock goes at so many hundredths of its speed.
    Drift(Target, u32),
    /// Started again with a monotonic clock that begins elsewhere, as on a machine that was started at another
    /// time.
    Boot(Target),
    /// No room is left on the disk.
    DiskFull(Target),
    /// Every sync takes so many milliseconds longer.
    SlowSync(Target, u64),
    /// Every sync fails with EIO.
    FailSync(Target),
    /// A file of a node that is down is damaged: of its log, its state, or what it notes beside them.
    Corrupt(usize, Damage, Place),
    /// A node more joins, and another one of its data centre is removed for ever, its machine wiped: a leader, or
    /// whoever it is.
    Replace(Target),
    /// The same, while the leader of a group is cut off, and then while a member is dead.
    ReplaceInTrouble,
    /// A node is drained, removed for ever and wiped, and comes back as a new one.
    Drain(Target),
    /// Groups are handed from node to node, again and again.
    Transfer,
    /// A share of one processor, in hundredths.
    Processor(Target, u64),
    /// So many MiB more than it has, and no more.
    Memory(Target, u64),
    /// No file more than are open.
    Files(Target),
}

/// What a plan calls something.
fn written(what: &impl Serialize) -> String {
    match serde_json::to_value(what) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(fields)) => {
            fields.into_iter().next().map(|(name, _)| name).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Whom a plan means by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The leader of a group.
    Leader,
    /// A data centre.
    DataCentre,
    /// All nodes.
    All,
}

impl Act {
    /// Its name in histories.
    pub fn name(&self) -> String {
        written(self)
    }

    /// What has to be felt of it by itself: its name, and for links and packets what is done to them.
    pub fn kind(&self) -> String {
        match self {
            Act::Cut(shape) => format!("{} ({})", self.name(), written(shape)),
            Act::Packets(harm, _) => format!("{} ({})", self.name(), written(harm)),
            _ => self.name(),
        }
    }

    /// The same, with whom or what place it is meant for: what a campaign looks for.
    pub fn detail(&self) -> String {
        let kind = self.kind();
        match self {
            Act::Packets(harm, links) => {
                format!("{} ({}, {})", self.name(), written(harm), links.name())
            }
            Act::Corrupt(_, damage, place) => {
                format!("{kind} ({}, {})", written(damage), written(place))
            }
            Act::Replace(target) => format!("{kind} ({})", target.name()),
            _ => match self.target() {
                Some(target) => format!("{kind} ({})", target.name()),
                None => kind,
            },
        }
    }

    /// The node or nodes that it is meant for, where that is all it says of them.
    fn target(&self) -> Option<&Target> {
        match self {
            Act::Flap(target)
            | Act::Filter(target)
            | Act::Kill(target)
            | Act::Behind(target)
            | Act::Pause(target)
            | Act::Power(target)
            | Act::Jump(target, _)
            | Act::Drift(target, _)
            | Act::Boot(target)
            | Act::DiskFull(target)
            | Act::SlowSync(target, _)
            | Act::FailSync(target)
            | Act::Drain(target)
            | Act::Processor(target, _)
            | Act::Memory(target, _)
            | Act::Files(target) => Some(target),
            Act::Cut(_)
            | Act::Packets(..)
            | Act::Transfer
            | Act::PowerInSync
            | Act::Rolling
            | Act::Corrupt(..)
            | Act::Replace(_)
            | Act::ReplaceInTrouble => None,
        }
    }

    /// The only counter that shows that it was felt, where it leaves others behind that some other kind does too.
    pub fn counter(&self) -> Option<&'static str> {
        match self {
            Act::PowerInSync => Some("elected"),
            Act::ReplaceInTrouble => Some("in_trouble"),
            Act::Replace(Target::Leader) => Some("leaders_removed"),
            _ => None,
        }
    }

    /// Whether it leaves every byte that a node wrote as it is: then nothing is forgotten, and nothing is to be
    /// repaired. A disk that refused a write may hold half of it; a machine may be wiped.
    pub fn leaves_bytes_alone(&self) -> bool {
        !matches!(
            self,
            Act::DiskFull(_)
                | Act::FailSync(_)
                | Act::Corrupt(..)
                | Act::Replace(_)
                | Act::ReplaceInTrouble
                | Act::Drain(_)
        )
    }

    /// Whether it waits until another fault is over: for a cluster of which nothing is missing, for power, which
    /// nobody loses twice, and where one of the two would keep the other from being felt.
    pub(super) fn waits_for(&self, other: &Act) -> bool {
        let takes_power = |act: &Act| matches!(act, Act::Power(_) | Act::PowerInSync);
        let hides = |one: &Act, another: &Act| one.silences() && another.needs_the_others();
        match self {
            Act::Corrupt(..) | Act::Replace(_) | Act::ReplaceInTrouble | Act::Drain(_) => true,
            _ => {
                (takes_power(self) && takes_power(other))
                    || hides(self, other)
                    || hides(other, self)
            }
        }
    }

    /// Whether a node may hear nothing from the others while there is this.
    fn silences(&self) -> bool {
        matches!(self, Act::Cut(_) | Act::Flap(_) | Act::Filter(_))
    }

    /// Whether it is felt only where the others elect somebody, or give the node that it meets something to do.
    fn needs_the_others(&self) -> bool {
        matches!(
            self,
            Act::PowerInSync
                | Act::Memory(..)
                | Act::DiskFull(Target::One(_))
                | Act::SlowSync(Target::One(_), _)
                | Act::FailSync(Target::One(_))
        )
    }
}

impl Role {
    /// For tables.
    pub fn name(self) -> &'static str {
        match self {
            Role::Leader => "leader",
            Role::DataCentre => "data centre",
            Role::All => "all nodes",
        }
    }
}

impl Act {
    /// Whom it means, where that is more than some node or link.
    pub fn role(&self) -> Option<Role> {
        match self {
            Act::Cut(Shape::IsolatedLeader | Shape::DeafLeader | Shape::MuteLeader)
            | Act::Transfer => Some(Role::Leader),
            Act::Cut(Shape::DataCentre) => Some(Role::DataCentre),
            Act::Packets(_, Links::Of(target)) => target.role(),
            Act::PowerInSync => Some(Role::All),
            _ => self.target().and_then(|target| target.role()),
        }
    }
}

/// How packets are harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harm {
    /// 40 ms late, by chance up to 80.
    Slow,
    /// One in ten is lost.
    Lossy,
    /// One in five comes twice, one in five late.
    Disordered,
    /// One in twenty has a wrong byte.
    Corrupted,
    /// 200 KiB in a second.
    Narrow,
}

/// Which links between nodes are harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// All.
    All,
    /// Those of a node, both ways.
    Of(Target),
    /// The one between two nodes, both ways.
    Between(usize, usize),
    /// What the first one sends to the second.
    Way(usize, usize),
}

impl Links {
    /// For tables.
    fn name(self) -> String {
        match self {
            Links::All => "all links".to_owned(),
            Links::Of(target) => format!("links of {}", target.name()),
            Links::Between(..) => "one link".to_owned(),
            Links::Way(..) => "one way".to_owned(),
        }
    }
}

/// Where bytes are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The engine's write-ahead log, where the Raft log and the votes are.
    Log,
    /// Files of tables: state, and the older part of the log.
    Tables,
    /// What the node notes beside its database.
    Notes,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_kind_says_whom_or_what_place_it_is_meant_for() {
        for (act, kind, detail) in [
            (Act::Cut(Shape::Halves), "cut (halves)", "cut (halves)"),
            (Act::Kill(Target::Dc(1)), "kill", "kill (data centre)"),
            (Act::Drain(Target::One(1)), "drain", "drain (one)"),
            (Act::Corrupt(1, Damage::Torn, Place::Log), "corrupt", "corrupt (torn, log)"),
            (
                Act::Packets(Harm::Slow, Links::Of(Target::Leader)),
                "packets (slow)",
                "packets (slow, links of leader)",
            ),
            (
                Act::Packets(Harm::Slow, Links::Way(0, 1)),
                "packets (slow)",
                "packets (slow, one way)",
            ),
            (Act::ReplaceInTrouble, "replace-in-trouble", "replace-in-trouble"),
        ] {
            assert_eq!((act.kind().as_str(), act.detail().as_str()), (kind, detail));
        }
    }

    #[test]
    fn nobody_loses_power_twice_and_harm_waits_for_a_whole_cluster() {
        let (power, all) = (Act::Power(Target::Dc(0)), Act::Power(Target::All));
        let kill = Act::Kill(Target::Leader);
        for (act, other, waits) in [
            (power, Act::PowerInSync, true),
            (Act::PowerInSync, all, true),
            (power, kill, false),
            (kill, power, false),
            (Act::Drain(Target::One(1)), kill, true),
            (Act::Corrupt(1, Damage::Torn, Place::Log), power, true),
        ] {
            assert_eq!(act.waits_for(&other), waits, "{act:?} while there is {other:?}");
        }
    }

    #[test]
    fn nothing_that_needs_the_others_meets_a_node_that_hears_nobody() {
        let (memory, filter) = (Act::Memory(Target::Leader, 4), Act::Filter(Target::One(2)));
        for (act, other, waits) in [
            (memory, filter, true),
            (filter, memory, true),
            (Act::PowerInSync, Act::Cut(Shape::DataCentre), true),
            (Act::Flap(Target::Leader), Act::SlowSync(Target::One(1), 800), true),
            (Act::SlowSync(Target::Leader, 300), Act::Cut(Shape::Halves), false),
            (memory, Act::Packets(Harm::Lossy, Links::All), false),
            (memory, Act::Transfer, false),
            (Act::Kill(Target::Leader), filter, false),
        ] {
            assert_eq!(act.waits_for(&other), waits, "{act:?} while there is {other:?}");
        }
    }

    #[test]
    fn every_kind_is_drawn_by_some_plan() {
        use crate::nemesis::{Nemesis, Plan};
        let length = std::time::Duration::from_secs(3_600);
        let drawn: BTreeSet<String> = Nemesis::ALL
            .into_iter()
            .flat_map(|nemesis| Plan::of(nemesis, 1, length, 3).steps)
            .map(|step| step.act.detail())
            .collect();
        for kind in [
            "corrupt (torn, log)",
            "packets (lossy, one way)",
            "packets (narrow, one link)",
            "packets (slow, links of leader)",
            "replace (leader)",
            "drain (leader)",
            "drain (one)",
        ] {
            assert!(drawn.contains(kind), "{kind}: {drawn:?}");
        }
    }
}
