//! Wall clocks: turned and made to drift. Monotonic clocks run on as they are.

use rand::rngs::StdRng;
use rustix::time::{ClockId, clock_gettime};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, meant, names},
};
use crate::world::{World, WorldError};

/// A clock that is this far off was moved.
const MOVED_NS: i128 = 200_000_000;
/// How much of a log is looked at.
const TAIL: u64 = 64 << 10;

pub(super) async fn turn(
    world: &mut World,
    target: Target,
    by: &str,
    random: &mut StdRng,
) -> Result<Begun, NotBegun> {
    let nodes = meant(world, target, random).await?;
    for node in &nodes {
        let turned = world.clock(*node)?.turn(by);
        turned.map_err(|error| NotBegun::skipped(format!("the clock's file: {error}")))?;
    }
    let mut targets = names(world, &nodes);
    targets.push(by.to_owned());
    Ok(Begun { targets, undo: Box::new(Turned { nodes }) })
}

struct Turned {
    nodes: Vec<usize>,
}

impl Undo for Turned {
    fn end<'a>(self: Box<Self>, world: &'a mut World) -> Ending<'a> {
        Box::pin(async move {
            let mut wrong = 0;
            for node in &self.nodes {
                wrong += u64::from(reads_another(world, *node));
                let clock = world.clock(*node)?;
                let file = world.cluster.nodes()[*node].dir.join("clock");
                clock.turn("+0").map_err(|source| WorldError::File { file, source })?;
            }
            Ok(felt("wrong_clocks", wrong))
        })
    }
}

/// Whether a node's wall clock is another than this machine's, by what it writes into its log: lines that carry
/// the time of both its clocks.
fn reads_another(world: &World, node: usize) -> bool {
    let log = world.cluster.nodes()[node].log();
    let Some(offset) = tail(&log).lines().rev().find_map(offset_ns) else { return false };
    let wall = OffsetDateTime::now_utc().unix_timestamp_nanos();
    let monotonic = clock_gettime(ClockId::Monotonic);
    let here = i128::from(monotonic.tv_sec) * 1_000_000_000 + i128::from(monotonic.tv_nsec);
    (offset - (wall - here)).abs() > MOVED_NS
}

/// How far a node's wall clock was ahead of its monotonic one when it wrote a line.
fn offset_ns(line: &str) -> Option<i128> {
    let (stamp, rest) = line.split_once(' ')?;
    let wall = OffsetDateTime::parse(stamp, &Rfc3339).ok()?.unix_timestamp_nanos();
    let (_, monotonic) = rest.rsplit_once("at_ns=")?;
    Some(wall - monotonic.trim().parse::<i128>().ok()?)
}

/// The last part of a file.
fn tail(file: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(file)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_the_two_clocks_are_apart() {
        let line = "1970-01-01T00:01:40.5Z DEBUG holdfast::durable: synced group=2 term=1 index=7 at_ns=500000000";
        assert_eq!(offset_ns(line), Some(100_000_000_000));
        assert_eq!(offset_ns("1970-01-01T00:01:40Z  INFO server: ready"), None);
    }
}
