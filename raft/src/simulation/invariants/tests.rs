//! Each invariant, by itself: it lets pass what may be, and names what must not be.
//!
//! What is shown goes through the judge, as in a run, and disks hold what the events say: an invariant that
//! the judge does not ask, or that another one hides, is found here too.

use std::sync::Arc;

use openraft::EntryPayload;
use store::engine::memory::Crash;
use store::{Batch, Column, Durability, Engine, Machine, StateDigest};
use types::GroupId;

use super::{Cluster, Event, Judge, Report, Voters, content};
use crate::log::{entry, keys};
use crate::simulation::disk::Disk;
use crate::simulation::stage::Stage;
use crate::types::{CommandBytes, Entry, LogId, Payload, Vote, leader_id, position};

mod logs;
mod promises;

const GROUP: GroupId = GroupId(2);

/// Three nodes with disks, and the judge of what they do.
struct Bench {
    judge: Judge,
    disks: Vec<Arc<Disk>>,
}

type Verdict = Result<(), String>;

fn id(term: u64, node: u64, index: u64) -> LogId {
    LogId::new(leader_id(term, node), index)
}

/// A vote of this term for a node.
fn vote(term: u64, node: u64) -> Vote {
    Vote { leader_id: leader_id(term, node), committed: false }
}

/// The same, won.
fn won(term: u64, node: u64) -> Vote {
    Vote { committed: true, ..vote(term, node) }
}

fn carries(what: &str) -> Payload {
    EntryPayload::Normal(CommandBytes::from(bytes::Bytes::copy_from_slice(what.as_bytes())))
}

/// What a node says of itself that has nothing to say.
fn nothing() -> Report {
    Report {
        vote: vote(1, 1),
        leads: false,
        committed: None,
        applied: None,
        voters: Voters::new(),
        voters_at: None,
    }
}

/// What the leader of this term says, that three nodes vote for.
fn leads(term: u64, node: u64, committed: Option<LogId>) -> Report {
    Report {
        vote: won(term, node),
        leads: true,
        committed,
        voters: vec![[1, 2, 3].into()],
        voters_at: Some(id(1, 1, 1)),
        ..nothing()
    }
}

fn has_applied(at: LogId, state: StateDigest) -> Report {
    Report { applied: Some((at, state)), ..nothing() }
}

/// What was seen broke this invariant, and no other.
#[track_caller]
fn broke(name: &str, verdict: Verdict) {
    let reason = verdict.expect_err(name);
    assert!(reason.starts_with(&format!("{name}: ")), "{reason}");
}

impl Bench {
    /// Nodes in these data centres.
    fn of(dcs: [&'static str; 3]) -> Bench {
        let stage = Stage::new(0);
        let disks: Vec<_> = (1..=3).map(|node| Disk::new(node, stage.clone())).collect();
        let cluster = Cluster { disks: disks.clone(), dcs: dcs.to_vec(), ..Cluster::default() };
        let judge = Judge { cluster, ..Judge::default() };
        Bench { judge, disks }
    }

    fn new() -> Bench {
        Bench::of(["a", "b", "c"])
    }

    fn disk(&self, node: u64) -> &Arc<Disk> {
        &self.disks[node as usize - 1]
    }

    fn put(&self, node: u64, key: &[u8], value: &[u8]) {
        let mut batch = Batch::new();
        batch.put(Column::Log, key, value);
        self.disk(node).handle().write(batch, Durability::Buffered).unwrap();
    }

    fn sync(&self, node: u64) {
        self.disk(node).handle().sync().unwrap();
    }

    fn writes(&mut self, node: u64, id: LogId, what: &str) -> Verdict {
        let content = content(&carries(what));
        let verdict = self.judge.see(&Event::Wrote { node, group: GROUP, id, content });
        let value = entry::encode_entry(&Entry { log_id: id, payload: carries(what) });
        self.put(node, &keys::entry(GROUP, id.index), &value);
        verdict
    }

    fn truncates(&mut self, node: u64, first: u64) -> Verdict {
        let verdict = self.judge.see(&Event::Truncated { node, group: GROUP, first });
        let mut batch = Batch::new();
        let (from, to) = (keys::entry(GROUP, first), keys::entries_end(GROUP));
        batch.delete_range(Column::Log, &from, &to);
        self.disk(node).handle().write(batch, Durability::Buffered).unwrap();
        verdict
    }

    /// A node takes its log up to there away; the state in its place has come as far, and is on disk if it
    /// is flushed.
    fn purges(&mut self, node: u64, upto: LogId, flushed: bool) -> Verdict {
        let handle = self.disk(node).handle();
        let mut machine = Machine::open(handle.clone(), GROUP).unwrap();
        for index in 1..=upto.index {
            let position = position(&LogId::new(upto.leader_id, index));
            let blank = store::Entry { position, payload: store::Payload::Blank };
            machine.apply(&[blank]).unwrap();
        }
        if flushed {
            handle.flush(Column::State).unwrap();
        }
        let verdict = self.judge.see(&Event::Purged { node, group: GROUP, upto });
        let mut batch = Batch::new();
        let (from, to) = (keys::entry(GROUP, 0), keys::entry(GROUP, upto.index + 1));
        batch.delete_range(Column::Log, &from, &to);
        batch.put(Column::Log, &keys::purged(GROUP), &entry::encode_position(&upto));
        handle.write(batch, Durability::Buffered).unwrap();
        self.sync(node);
        verdict
    }

    fn votes(&mut self, node: u64, vote: Vote) -> Verdict {
        let verdict = self.judge.see(&Event::Voted { node, group: GROUP, vote });
        self.put(node, &keys::vote(GROUP), &entry::encode_vote(&vote));
        verdict
    }

    fn reports(&mut self, node: u64, report: &Report) -> Verdict {
        self.judge.see(&Event::Reported { node, group: GROUP, report })
    }

    /// The power of a node goes, and with it all that it had not synced.
    fn dies(&mut self, node: u64) -> Verdict {
        self.disk(node).lose_all(Crash::Power);
        self.judge.see(&Event::Ended { node })
    }
}
