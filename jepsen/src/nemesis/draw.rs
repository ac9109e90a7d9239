//! Which fault comes next.

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

use super::{
    Nemesis,
    acts::{Act, Harm, Links, Place, Target},
};
use crate::{inject::bytes::Damage, net::shapes::Shape};

/// The next fault of a kind. The first ones go through the variants in order, so that a short run has the
/// most important ones; later ones are drawn.
pub(super) fn act(kind: Nemesis, random: &mut StdRng, nodes: usize, number: usize) -> Act {
    let one = random.random_range(0..nodes);
    let targets = [Target::Leader, Target::One(one), Target::Dc(one), Target::All];
    let pick = |of: usize, random: &mut StdRng| match number < of {
        true => number,
        false => random.random_range(0..of),
    };
    let some = if random.random_bool(0.5) { Target::Leader } else { Target::One(one) };
    let other = (one + random.random_range(1..nodes)) % nodes;
    let harms = [Harm::Slow, Harm::Lossy, Harm::Disordered, Harm::Corrupted, Harm::Narrow];
    let harm = *harms.choose(random).unwrap_or(&Harm::Slow);
    match kind {
        Nemesis::None | Nemesis::Mix => Act::Transfer,
        Nemesis::Partition => {
            let acts = [
                Act::Cut(Shape::IsolatedLeader),
                Act::Cut(Shape::DataCentre),
                Act::Packets(Harm::Lossy, Links::All),
                Act::Cut(Shape::MajorityRing),
                Act::Cut(Shape::MuteLeader),
                Act::Cut(Shape::DeafLeader),
                Act::Packets(Harm::Disordered, Links::All),
                Act::Flap(some),
                Act::Cut(Shape::Bridge),
                Act::Cut(Shape::Halves),
                Act::Packets(Harm::Slow, Links::All),
                Act::Cut(Shape::OneWay),
                Act::Filter(some),
                Act::Packets(Harm::Corrupted, Links::All),
                Act::Packets(Harm::Narrow, Links::All),
                Act::Packets(harm, Links::Of(Target::Leader)),
                Act::Packets(harm, Links::Between(one, other)),
                Act::Packets(harm, Links::Way(one, other)),
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
                (Damage::Torn, Place::Log),
                (Damage::Flip, Place::Notes),
            ];
            let (damage, place) = acts[pick(acts.len(), random)];
            Act::Corrupt(one, damage, place)
        }
        Nemesis::Membership => {
            let acts = [
                Act::Replace(Target::One(one)),
                Act::Drain(Target::Leader),
                Act::ReplaceInTrouble,
                Act::Replace(Target::Leader),
                Act::Drain(Target::One(one)),
            ];
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
