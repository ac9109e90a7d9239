//! What goes wrong when, from a seed: the same seed, nemesis, length and number of nodes give the same plan.
//!
//! A plan names targets as roles (the leader of a group, a data centre) where the place is not known before;
//! the history tells whom it met.

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::Nemesis;
use crate::{inject::bytes::Damage, net::shapes::Shape};

/// How long a run goes undisturbed at its beginning and at its end, at most.
const QUIET: Duration = Duration::from_secs(6);
/// A fault lasts between these times, in milliseconds.
const LASTS_MS: (u64, u64) = (3_000, 12_000);
/// Between two faults, in milliseconds.
const PAUSE_MS: (u64, u64) = (2_000, 6_000);

/// Faults in the order of their beginnings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Them.
    pub steps: Vec<Step>,
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Since the clients began.
    pub at: Duration,
    /// Until it is taken back.
    pub lasts: Duration,
    /// What.
    pub act: Act,
    /// What is drawn while it is put in follows from this.
    pub seed: u64,
}

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
    /// Packets of all links between nodes are harmed.
    Packets(Harm),
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
    /// Started again with a monotonic clock that begins elsewhere, as on a machine that was started at another time.
    Boot(Target),
    /// No room is left on the disk.
    DiskFull(Target),
    /// Every sync takes so many milliseconds longer.
    SlowSync(Target, u64),
    /// Every sync fails with EIO.
    FailSync(Target),
    /// A file of a node that is down is damaged: of its log, its state, or what it notes beside them.
    Corrupt(usize, Damage, Place),
    /// A node more joins, and another one is removed for ever, its machine wiped; it joins again when it is over.
    Replace,
    /// The same, while the leader of a group is cut off, and then while a member is dead.
    ReplaceInTrouble,
    /// A node is drained, and comes back as a new one.
    Drain(usize),
    /// A group is handed to another node, and every group when it is over.
    Transfer,
    /// A share of one processor, in hundredths.
    Processor(Target, u64),
    /// So many MiB more than it has, and no more.
    Memory(Target, u64),
    /// No file more than are open.
    Files(Target),
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
    /// What has to be felt of it by itself: its name, and for links and packets what is done to them.
    pub fn kind(&self) -> String {
        match self {
            Act::Cut(shape) => format!("{} ({shape:?})", self.name()),
            Act::Packets(harm) => format!("{} ({harm:?})", self.name()),
            _ => self.name(),
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
                | Act::Replace
                | Act::ReplaceInTrouble
                | Act::Drain(_)
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
            | Act::Processor(target, _)
            | Act::Memory(target, _)
            | Act::Files(target) => match target {
                Target::Leader => Some(Role::Leader),
                Target::Dc(_) => Some(Role::DataCentre),
                Target::All => Some(Role::All),
                Target::One(_) => None,
            },
            Act::PowerInSync => Some(Role::All),
            Act::Cut(_)
            | Act::Packets(_)
            | Act::Rolling
            | Act::Corrupt(..)
            | Act::Replace
            | Act::ReplaceInTrouble
            | Act::Drain(_) => None,
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

impl Plan {
    /// The plan of a run of this length.
    pub fn of(nemesis: Nemesis, seed: u64, length: Duration, nodes: usize) -> Plan {
        let mut random = StdRng::seed_from_u64(seed);
        let tracks = match nemesis {
            Nemesis::None => 0,
            Nemesis::Mix => 2,
            _ => 1,
        };
        let mut steps = Vec::new();
        for track in 0..tracks {
            steps.extend(self::track(nemesis, track, &mut random, length, nodes));
        }
        steps.sort_by_key(|step| step.at);
        Plan { steps }
    }
}

impl Plan {
    /// Whether every fault of it does.
    pub fn leaves_bytes_alone(&self) -> bool {
        self.steps.iter().all(|step| step.act.leaves_bytes_alone())
    }
}

fn track(
    nemesis: Nemesis,
    track: usize,
    random: &mut StdRng,
    length: Duration,
    nodes: usize,
) -> Vec<Step> {
    let quiet = QUIET.min(length / 5);
    let end = length.saturating_sub(quiet);
    let between = |random: &mut StdRng, (least, most): (u64, u64)| {
        Duration::from_millis(random.random_range(least..=most))
    };
    let mut steps = Vec::new();
    let mut at = quiet;
    while at + Duration::from_millis(LASTS_MS.0) < end {
        let kind = match nemesis {
            // Of two at a time one harms the network or the leaders, the other nodes.
            Nemesis::Mix if track == 0 => {
                *[Nemesis::Partition, Nemesis::Transfer].choose(random).unwrap_or(&nemesis)
            }
            Nemesis::Mix => {
                let others = &[
                    Nemesis::Kill,
                    Nemesis::Pause,
                    Nemesis::Power,
                    Nemesis::Clock,
                    Nemesis::Disk,
                    Nemesis::Starve,
                ];
                *others.choose(random).unwrap_or(&nemesis)
            }
            other => other,
        };
        let lasts = between(random, LASTS_MS).min(end - at);
        let act = act(kind, random, nodes, steps.len());
        steps.push(Step { at, lasts, act, seed: random.random() });
        at += lasts + between(random, PAUSE_MS);
    }
    steps
}

/// The next fault of a kind. The first ones go through the variants in order, so that a short run has the
/// most important ones; later ones are drawn.
fn act(kind: Nemesis, random: &mut StdRng, nodes: usize, number: usize) -> Act {
    let one = random.random_range(0..nodes);
    let targets = [Target::Leader, Target::One(one), Target::Dc(one), Target::All];
    let pick = |of: usize, random: &mut StdRng| match number < of {
        true => number,
        false => random.random_range(0..of),
    };
    let some = if random.random_bool(0.5) { Target::Leader } else { Target::One(one) };
    match kind {
        Nemesis::None | Nemesis::Mix => Act::Transfer,
        Nemesis::Partition => {
            let acts = [
                Act::Cut(Shape::IsolatedLeader),
                Act::Cut(Shape::DataCentre),
                Act::Packets(Harm::Lossy),
                Act::Cut(Shape::MajorityRing),
                Act::Cut(Shape::MuteLeader),
                Act::Cut(Shape::DeafLeader),
                Act::Packets(Harm::Disordered),
                Act::Flap(some),
                Act::Cut(Shape::Bridge),
                Act::Cut(Shape::Halves),
                Act::Packets(Harm::Slow),
                Act::Cut(Shape::OneWay),
                Act::Filter(some),
                Act::Packets(Harm::Corrupted),
                Act::Packets(Harm::Narrow),
            ];
            acts[pick(acts.len(), random)]
        }
        Nemesis::Kill => {
            let acts = [
                Act::Kill(Target::Leader),
                Act::Kill(Target::All),
                Act::Rolling,
                Act::Kill(Target::Dc(one)),
                Act::Behind(Target::One(one)),
                Act::Kill(Target::One(one)),
            ];
            acts[pick(acts.len(), random)]
        }
        Nemesis::Pause => Act::Pause(targets[pick(targets.len(), random)]),
        Nemesis::Power => {
            let acts = [
                Act::Power(Target::All),
                Act::PowerInSync,
                Act::Power(Target::Leader),
                Act::PowerInSync,
                Act::Power(Target::Dc(one)),
                Act::Power(Target::All),
            ];
            acts[pick(acts.len(), random)]
        }
        Nemesis::Clock => {
            let seconds = *[3_600, -3_600, 86_400 * 3_650, -60, 5].choose(random).unwrap_or(&60);
            let acts = [
                Act::Jump(some, seconds),
                Act::Drift(some, 150),
                Act::Jump(Target::All, -seconds),
                Act::Boot(some),
                Act::Drift(Target::One(one), 70),
            ];
            acts[pick(acts.len(), random)]
        }
        Nemesis::Disk => {
            let acts = [
                Act::FailSync(some),
                Act::SlowSync(Target::Leader, 300),
                Act::DiskFull(some),
                Act::SlowSync(Target::One(one), 800),
            ];
            acts[pick(acts.len(), random)]
        }
        Nemesis::Corrupt => {
            let acts = [
                // A cluster of a few seconds has a log, and no tables yet.
                (Damage::Cut, Place::Log),
                (Damage::Flip, Place::Tables),
                (Damage::Flip, Place::Log),
                (Damage::Torn, Place::Tables),
                (Damage::Flip, Place::Notes),
            ];
            let (damage, place) = acts[pick(acts.len(), random)];
            Act::Corrupt(one, damage, place)
        }
        Nemesis::Membership => {
            let acts = [Act::Replace, Act::Drain(one), Act::ReplaceInTrouble];
            acts[pick(acts.len(), random)]
        }
        Nemesis::Transfer => Act::Transfer,
        Nemesis::Starve => {
            let acts = [
                Act::Processor(some, 10),
                Act::Files(some),
                Act::Memory(some, 4),
                Act::Processor(Target::Leader, 25),
            ];
            acts[pick(acts.len(), random)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(240);

    #[test]
    fn a_seed_gives_one_plan_and_another_seed_another() {
        for nemesis in Nemesis::ALL {
            let plan = Plan::of(nemesis, 7, LENGTH, 3);
            assert_eq!(plan, Plan::of(nemesis, 7, LENGTH, 3), "{nemesis:?}");
            assert_ne!(plan, Plan::of(nemesis, 8, LENGTH, 3), "{nemesis:?}");
            assert!(plan.steps.len() >= 10, "{nemesis:?}: {}", plan.steps.len());
        }
        assert_eq!(Plan::of(Nemesis::None, 7, LENGTH, 3).steps, []);
    }

    #[test]
    fn only_some_nemeses_harm_what_nodes_wrote() {
        let harmful = [Nemesis::Disk, Nemesis::Corrupt, Nemesis::Membership];
        for nemesis in Nemesis::ALL.into_iter().filter(|nemesis| *nemesis != Nemesis::Mix) {
            let plan = Plan::of(nemesis, 7, LENGTH, 3);
            assert_eq!(plan.leaves_bytes_alone(), !harmful.contains(&nemesis), "{nemesis:?}");
        }
    }

    #[test]
    fn faults_begin_after_a_quiet_time_and_end_before_one() {
        for nemesis in Nemesis::ALL {
            for seconds in [15, 30, 240] {
                let length = Duration::from_secs(seconds);
                let plan = Plan::of(nemesis, 1, length, 5);
                assert!(!plan.steps.is_empty(), "{nemesis:?} in {seconds} s");
                let quiet = QUIET.min(length / 5);
                for step in &plan.steps {
                    assert!(step.at >= quiet && step.at + step.lasts <= length - quiet);
                }
            }
        }
    }
}
