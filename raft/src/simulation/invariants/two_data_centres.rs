//! Zero loss (Holdfast's P1): what was acknowledged is on the disks of a majority of the voters, and of
//! two data centres.
//!
//! Looked at in the moment in which the client hears of it, as the disks would be if all power went.

use std::collections::{BTreeMap, BTreeSet};

use types::GroupId;

use super::{Cluster, Event, Invariant, Voters};
use crate::types::LogId;

#[derive(Default)]
pub(super) struct TwoDataCentres {
    /// Where each content was written, by anybody.
    written: BTreeMap<(GroupId, u64), BTreeSet<LogId>>,
}

impl Invariant for TwoDataCentres {
    fn see(&mut self, event: &Event<'_>, cluster: &Cluster) -> Result<(), String> {
        match event {
            Event::Wrote { group, id, content, .. } => {
                self.written.entry((*group, *content)).or_default().insert(*id);
            }
            Event::Acknowledged { group, content, push } => {
                let ids = self.written.get(&(*group, *content)).cloned().unwrap_or_default();
                let safe_among = |id: LogId, voters: &Voters| {
                    let all: BTreeSet<u64> = voters.iter().flatten().copied().collect();
                    let holders: Vec<u64> =
                        all.into_iter().filter(|node| cluster.holds(*node, *group, id)).collect();
                    let dcs: BTreeSet<_> = holders.iter().map(|node| cluster.dc(*node)).collect();
                    dcs.len() >= 2 && Cluster::is_quorum(voters, |node| holders.contains(&node))
                };
                let safe =
                    |id: &LogId| cluster.any_voters(*group, |voters| safe_among(*id, voters));
                if !ids.iter().any(safe) {
                    return Err(format!(
                        "head {} of {} was acknowledged without being on a majority in two data centres",
                        push.seq, push.wallet
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
