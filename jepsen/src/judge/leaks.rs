//! Nothing that clients wrote, and no secret of theirs, stands in clear on a disk or in a log.
//!
//! Every node has its own address in its settings, and the ids of wallets in its database: a search that finds
//! nothing has looked there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    check::leak::{self, Needle},
    verdict::Verdict,
    workload::Planted,
    world::World,
};

/// Judges the directories of all nodes.
pub(super) fn check(world: &World, planted: &Planted) -> Verdict {
    let needles = planted.needles();
    let mut verdict = Verdict::Pass;
    for (number, node) in world.cluster.nodes().iter().enumerate() {
        let (name, data, member) = (&node.plan.name, world.data(number), world.is_wanted(number));
        // The machine of a node that was removed may be empty.
        let around = match below(&node.dir, member.then_some(&data)) {
            Ok(around) => around,
            Err(error) => return Verdict::unknown(format!("{}: {error}", node.dir.display())),
        };
        let address = Needle::new(format!("the address of {name}"), node.peer.as_bytes());
        verdict = verdict.and(searched(&around, &needles, &[address]));
        if member {
            let known = planted.known(&format!("the id of a wallet in the database of {name}"));
            if known.is_empty() {
                verdict = verdict.and(Verdict::unknown("there is no wallet that a database has"));
            }
            verdict = verdict.and(searched(&[data], &needles, &known));
        }
    }
    verdict
}

/// What is in a directory, but for what is looked at apart.
fn below(dir: &Path, apart: Option<&PathBuf>) -> io::Result<Vec<PathBuf>> {
    let mut below = Vec::new();
    for entry in fs::read_dir(dir)? {
        below.extend(Some(entry?.path()).filter(|path| Some(path) != apart));
    }
    Ok(below)
}

fn searched(places: &[PathBuf], needles: &[Needle], controls: &[Needle]) -> Verdict {
    match leak::search(places, needles, controls) {
        Ok(searched) => searched.verdict(),
        Err(error) => Verdict::unknown(error.to_string()),
    }
}
