//! A node reads its own disk again: what lies there unread may have gone bad.
//!
//! Every block of log and state is read, so that its checksum is verified, and each group's digest is
//! counted anew from its rows: a row that was changed with a good checksum shows there. Reading takes
//! turns with resting, so that it never has more than a quarter of a processor.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use store::engine::Direction;
use store::{Column, Damage, Engine, Fault, Reader};
use tokio::time::sleep;
use types::GroupId;

use crate::fatal::End;
use crate::log::{entry, keys};
use crate::node::Inner;

/// How long is read before a rest three times as long.
const TURN: Duration = Duration::from_millis(20);

pub(super) fn start(node: &Arc<Inner>) {
    let every = node.config.upkeep.scrub_every;
    if every.is_zero() {
        return;
    }
    let own = node.clone();
    node.spawn(async move {
        loop {
            sleep(every).await;
            let groups: Vec<GroupId> = own.groups.borrow().keys().copied().collect();
            for group in groups {
                own.scrub(group).await;
            }
            own.metrics.scrubbed();
        }
    });
}

impl Inner {
    async fn scrub(self: &Arc<Self>, group: GroupId) {
        let (node, stopping) = (self.clone(), self.stopping.clone());
        let mut pace = Pace { turn: Instant::now() };
        let read = tokio::task::spawn_blocking(move || {
            let mut go_on = || {
                pace.rest();
                !stopping.is_cancelled()
            };
            if let Some(wrong) = read_log(node.engine.as_ref(), group, &mut go_on)? {
                node.fatal.end(End::Damaged(Damage::Log, wrong));
                return Ok((store::StateDigest::default(), None));
            }
            let reader = Reader::open(node.engine.as_ref(), group)?;
            Ok::<_, Fault>((reader.digest()?, reader.recount_while(&mut go_on)?))
        });
        // A checksum that is wrong has ended the node already, by whoever met it.
        let Ok(Ok((kept, Some(counted)))) = read.await else { return };
        if kept != counted {
            let reason = format!(
                "state of group {group}: the rows on disk are not those that were applied (digest {counted} instead of {kept})"
            );
            self.fatal.end(End::Damaged(Damage::State, reason));
        }
    }
}

/// Reads a group's vote and entries: what is wrong with the first that does not read back.
fn read_log(
    engine: &dyn Engine,
    group: GroupId,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<String>, Fault> {
    let (from, to) = (keys::vote(group), keys::entries_end(group));
    let mut wrong = None;
    engine.scan(Column::Log, &from, &to, Direction::Forward, &mut |key, value| {
        let decoded = keys::index(key)
            .map(|index| (index, entry::decode_entry(index, Bytes::copy_from_slice(value))));
        if let Some((index, Err(error))) = decoded
            && !error.is_of_a_newer_version()
        {
            wrong = Some(format!("log of group {group}, entry {index}: {error}"));
        }
        if wrong.is_none() && go_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(wrong)
}

struct Pace {
    turn: Instant,
}

impl Pace {
    fn rest(&mut self) {
        let read = self.turn.elapsed();
        if read >= TURN {
            std::thread::sleep(read * 3);
            self.turn = Instant::now();
        }
    }
}
