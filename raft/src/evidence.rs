//! What was durable when, for whoever checks from outside that nothing is answered before it is: lines at
//! level debug, off unless the filter of the log asks for `holdfast::durable=debug`.
//!
//! Times are those of the machine's monotonic clock, which processes of one machine share and nobody sets.
//! A sync is told before anybody learns of it, an answer before it is given.

use rustix::time::{ClockId, clock_gettime};
use store::Position;
use tracing::Level;
use types::GroupId;

use crate::types::LogId;

/// The target of these lines.
const TARGET: &str = "holdfast::durable";

/// Up to here the log of a group is on this node's disk.
pub(crate) fn synced(group: GroupId, last: &LogId) {
    if tracing::enabled!(target: TARGET, Level::DEBUG) {
        let (term, index) = (last.leader_id.term, last.index);
        tracing::debug!(target: TARGET, group = group.0, term, index, at_ns = now_ns(), "synced");
    }
}

/// Up to here those who proposed to a group are answered.
pub(crate) fn answered(group: GroupId, last: Position) {
    if tracing::enabled!(target: TARGET, Level::DEBUG) {
        let Position { term, index, .. } = last;
        tracing::debug!(target: TARGET, group = group.0, term, index, at_ns = now_ns(), "answered");
    }
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
