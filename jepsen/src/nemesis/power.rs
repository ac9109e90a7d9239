//! Power: a disk that loses it has only what was synced when it is back.

use rand::rngs::StdRng;
use server::cluster::Signal;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    Target,
    act::{Begun, Ending, Left, NotBegun, Undo, felt, leader_of, meant, names, some_group},
};
use crate::{
    inject::{
        Skipped,
        calls::{Injected, SYNCS},
    },
    world::{World, WorldError},
};

/// How long clients work on late disks.
const LATE_FOR: Duration = Duration::from_secs(1);
/// A file on each disk that nobody syncs: it has to be gone afterwards.
const UNSYNCED: &str = "unsynced";
/// How long an election is waited for, and how often somebody looks.
const ELECTED_WITHIN: Duration = Duration::from_secs(12);
const LOOK: Duration = Duration::from_millis(20);

/// How late syncs are when the power goes in the middle of them: early enough for an election. A node syncs for one
/// group after the other, so that each vote waits for several. Where more than three stand for election, votes that
/// take so long are split: with 250 ms, five nodes elected somebody within twelve seconds in 3 of 13 tries.
fn late(nodes: usize) -> Duration {
    Duration::from_millis(if nodes > 3 { 120 } else { 250 })
}

/// How soon behind an election the power goes: before the sync of what the new leader writes first has ended, and
/// not before nodes have written down who leads.
fn behind(late: Duration) -> Duration {
    late * 2 / 5
}

pub(super) async fn lose(
    world: &mut World,
    target: Target,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    for node in &nodes {
        world.disk(*node)?;
    }
    off(world, nodes, step, false)
}

/// `elected` is whether somebody was elected just before.
fn off(
    world: &mut World,
    nodes: Vec<usize>,
    step: usize,
    elected: bool,
) -> Result<Begun, NotBegun> {
    let ran = nodes.iter().filter(|node| world.pid(**node).is_some()).count() as u64;
    let struck = Instant::now();
    // They stand still first, so that all of them lose it at one moment.
    world.signal(&nodes, Signal::STOP)?;
    let witnesses = nodes.iter().try_for_each(|node| {
        let written = fs::write(world.disk(*node)?.path().join(UNSYNCED), [7; 1 << 10]);
        written.map_err(|error| Skipped(format!("a file on {}: {error}", world.name(*node))))
    });
    let lost = nodes.iter().try_for_each(|node| world.disk(*node)?.lose_power());
    world.take_down(&nodes, step)?;
    // Some may have lost it and others not: that is no fault that was skipped.
    lost.map_err(WorldError::from)?;
    let targets = names(world, &nodes);
    let witnesses = witnesses.err().map(|unwritten| unwritten.to_string());
    Ok(Begun::new(targets, Lost { nodes, step, ran, elected, unclear: witnesses }).struck(struck))
}

/// Takes power from all in the middle of late syncs, just behind an election: whatever was voted or acknowledged
/// before it was on a disk is lost on every node.
pub(super) async fn lose_in_sync(
    world: &mut World,
    step: usize,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, Target::All, random).await?;
    for node in &nodes {
        world.disk(*node)?;
    }
    let group = some_group(random);
    let leader = leader_of(world, group).await?;
    let late = late(nodes.len());
    let delay = format!("delay_enter={}", late.as_micros());
    let from = Instant::now();
    let pids = nodes.iter().filter_map(|node| world.pid(*node));
    let injected: Vec<Injected> =
        pids.map(|pid| Injected::into(pid, SYNCS, &delay)).collect::<Result<_, _>>()?;
    tokio::time::sleep(LATE_FOR).await;
    world.take_down(&[leader], step)?;
    let (until, mut elected) = (Instant::now() + ELECTED_WITHIN, false);
    while Instant::now() < until && !elected {
        elected = world.leader(group).await.is_some_and(|now| now != leader);
        tokio::time::sleep(if elected { behind(late) } else { LOOK }).await;
    }
    let begun = off(world, nodes, step, elected);
    // strace waits for the processes that it lets go of.
    let _ = tokio::task::spawn_blocking(move || drop(injected)).await;
    Ok(begun?.from(from))
}

struct Lost {
    nodes: Vec<usize>,
    step: usize,
    ran: u64,
    elected: bool,
    /// Why nobody can tell afterwards whether something was lost.
    unclear: Option<String>,
}

impl Undo for Lost {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let mut unclear = self.unclear;
            for node in &self.nodes {
                let disk = world.disk(*node)?;
                disk.power_up()?;
                if is_there_still(&disk.path().join(UNSYNCED)) {
                    let name = world.name(*node);
                    unclear = Some(format!("{name} has a file again that nobody had synced"));
                }
            }
            world.let_up(&self.nodes, self.step)?;
            let mut felt = felt("lost_power", self.ran);
            if self.elected {
                felt.insert("elected".to_owned(), 1);
            }
            Ok(Left { felt, unclear, ..Left::default() })
        })
    }
}

/// Whether a file has its bytes. Its name may have come to the disk with what others synced. It is removed.
fn is_there_still(file: &Path) -> bool {
    let bytes = fs::read(file).unwrap_or_default();
    let _ = fs::remove_file(file);
    !bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_goes_before_a_sync_is_over_that_an_election_began() {
        for nodes in [3, 5] {
            let late = late(nodes);
            assert!(LOOK + behind(late) <= late * 3 / 5, "{nodes} nodes: syncs are {late:?} late");
        }
    }

    #[test]
    fn a_file_is_there_still_if_it_has_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(UNSYNCED);
        assert!(!is_there_still(&file), "it was never there");
        fs::write(&file, "").unwrap();
        assert!(!is_there_still(&file), "only its name came to the disk");
        fs::write(&file, "bytes").unwrap();
        assert!(is_there_still(&file) && !file.exists());
    }
}
