//! What goes wrong when, from a seed: the same seed, nemesis, length and number of nodes give the same plan.
//!
//! A plan names targets as roles (the leader of a group, a data centre) where the place is not known before;
//! the history tells whom it met.

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{Nemesis, acts::Act, draw};

/// How long a run goes undisturbed at its beginning and at its end, at most.
const QUIET: Duration = Duration::from_secs(6);
/// A fault lasts between these times, in milliseconds.
const LASTS_MS: (u64, u64) = (3_000, 12_000);
/// Between two faults, in milliseconds.
const PAUSE_MS: (u64, u64) = (2_000, 6_000);

/// Runs that are as long as this have times of calm, in which no fault is active: what is promised only while
/// nothing is wrong is to be seen there.
const CALM_FROM: Duration = Duration::from_secs(120);
/// How long such a time is: long enough for the traces of the last fault to go, and for something to be due then.
pub const CALM: Duration = Duration::from_secs(26);
/// From which length on there are three of them, and not two.
const THREE_CALMS_FROM: Duration = Duration::from_secs(300);

/// Faults in the order of their beginnings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Them.
    pub steps: Vec<Step>,
    /// Ends of the times of calm, each [`CALM`] long. The last one comes behind every fault.
    pub calms: Vec<Duration>,
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

impl Plan {
    /// The plan of a run of this length.
    pub fn of(nemesis: Nemesis, seed: u64, length: Duration, nodes: usize) -> Plan {
        let mut random = StdRng::seed_from_u64(seed);
        let tracks = match nemesis {
            Nemesis::None => 0,
            Nemesis::Mix => 2,
            _ => 1,
        };
        let calms = if tracks > 0 { calms(length) } else { Vec::new() };
        let mut steps = Vec::new();
        for track in 0..tracks {
            let mut begin = quiet(length);
            let mut own = Vec::new();
            // All tracks have the same times of calm.
            for end in ends(length, &calms) {
                let more = self::track(nemesis, track, &mut random, (begin, end), nodes, own.len());
                own.extend(more);
                begin = end + CALM;
            }
            steps.extend(own);
        }
        steps.sort_by_key(|step| step.at);
        Plan { steps, calms }
    }
}

impl Plan {
    /// Whether every fault of it does.
    pub fn leaves_bytes_alone(&self) -> bool {
        self.steps.iter().all(|step| step.act.leaves_bytes_alone())
    }
}

/// How long a run goes undisturbed at its beginning, and at its end unless it is calm there.
fn quiet(length: Duration) -> Duration {
    QUIET.min(length / 5)
}

/// When the faults have to be over for a time of calm, or for the end of the run.
fn ends(length: Duration, calms: &[Duration]) -> Vec<Duration> {
    match calms {
        [] => vec![length - quiet(length)],
        calms => calms.iter().map(|calm| *calm - CALM).collect(),
    }
}

/// When times of calm end in a run of this length.
fn calms(length: Duration) -> Vec<Duration> {
    let many = match length {
        _ if length < CALM_FROM => 0,
        _ if length < THREE_CALMS_FROM => 2,
        _ => 3,
    };
    (1..=many).map(|number| length * number / many).collect()
}

/// The faults of one track from one time to another. `before` is how many of the track there are already.
fn track(
    nemesis: Nemesis,
    track: usize,
    random: &mut StdRng,
    (begin, end): (Duration, Duration),
    nodes: usize,
    before: usize,
) -> Vec<Step> {
    let between = |random: &mut StdRng, (least, most): (u64, u64)| {
        Duration::from_millis(random.random_range(least..=most))
    };
    let mut steps = Vec::new();
    let mut at = begin;
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
        let act = draw::act(kind, random, nodes, before + steps.len());
        steps.push(Step { at, lasts, act, seed: random.random() });
        at += lasts + between(random, PAUSE_MS);
    }
    steps
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

    #[test]
    fn long_runs_have_times_of_calm_and_the_last_one_is_behind_every_fault() {
        for (seconds, many) in [(15, 0), (119, 0), (120, 2), (240, 2), (300, 3)] {
            for nemesis in Nemesis::ALL {
                let length = Duration::from_secs(seconds);
                let plan = Plan::of(nemesis, 3, length, 3);
                assert_eq!(plan.calms.len(), many, "{nemesis:?} in {seconds} s");
                assert!(plan.calms.last().is_none_or(|last| *last == length));
                for calm in &plan.calms {
                    let meets =
                        |step: &Step| step.at < *calm && step.at + step.lasts > *calm - CALM;
                    assert!(!plan.steps.iter().any(meets), "{nemesis:?} before {calm:?}");
                    assert!(plan.steps.iter().any(|step| step.at < *calm - CALM));
                }
            }
        }
        assert!(Plan::of(Nemesis::None, 3, LENGTH, 3).calms.is_empty());
    }
}
