//! Wall clocks: turned and made to drift. Monotonic clocks run on as they are.

use rand::rngs::StdRng;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Target,
    act::{Begun, Ending, NotBegun, Undo, felt, meant, names},
};
use crate::world::{World, WorldError};

/// A clock that is this far off was moved.
const MOVED: Duration = Duration::from_millis(500);
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

/// Whether a node's wall clock is another than this machine's, by the last line that it wrote into its log: the
/// line has the node's time, the file the machine's.
fn reads_another(world: &World, node: usize) -> bool {
    let log = world.cluster.nodes()[node].log();
    let (Ok(text), Ok(about)) = (tail(&log), log.metadata()) else { return false };
    let written = about.modified().map(OffsetDateTime::from);
    match (text.lines().rev().find_map(stamp), written) {
        (Some(stamp), Ok(written)) => (stamp - written).unsigned_abs() > MOVED,
        _ => false,
    }
}

/// The time at the beginning of a line.
fn stamp(line: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(line.split(' ').next()?, &Rfc3339).ok()
}

/// The last part of a file.
fn tail(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
