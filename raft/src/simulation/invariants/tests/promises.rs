//! What is on disk before somebody is told of it, and what clients are told.

use types::{HeadHash, WalletId};

use super::super::Push;
use super::*;

const WALLET: WalletId = WalletId::ZERO;

fn head(number: u8) -> HeadHash {
    HeadHash::from_bytes([number; 32])
}

/// A push of the head with this number behind the one before it, by whom `floor` had been shown.
fn push(seq: u8, floor: u64) -> Push {
    let (head, base) = (head(seq), head(seq - 1));
    Push { wallet: WALLET, seq: seq.into(), head, base, floor, is_retry: false }
}

impl Bench {
    /// The first entry is on these disks, and only written on the others.
    fn with_one_entry(dcs: [&'static str; 3], synced: &[u64]) -> Bench {
        let mut bench = Bench::of(dcs);
        bench.reports(1, &leads(1, 1, None)).unwrap();
        for node in [1, 2, 3] {
            bench.votes(node, won(1, 1)).unwrap();
            bench.sync(node);
        }
        for node in [1, 2, 3] {
            bench.writes(node, id(1, 1, 1), "a").unwrap();
        }
        for node in synced {
            bench.sync(*node);
        }
        bench
    }

    fn commits(&mut self) -> Verdict {
        self.reports(1, &leads(1, 1, Some(id(1, 1, 1))))
    }

    fn acknowledges(&mut self, what: &str, push: &Push) -> Verdict {
        let content = content(&carries(what));
        self.judge.see(&Event::Acknowledged { group: GROUP, content, push })
    }

    fn refuses(&mut self, push: &Push) -> Verdict {
        self.judge.see(&Event::Refused { push })
    }

    fn shows(&mut self, seq: u8, number: u8, floor: u64) -> Verdict {
        let seen = Some((seq.into(), head(number)));
        self.judge.see(&Event::Read { wallet: WALLET, seen, floor })
    }
}

/// What is committed is on a majority of disks; what is only written there does not count.
#[test]
fn what_is_committed_is_on_a_majority_of_disks() {
    let dcs = ["a", "b", "c"];
    Bench::with_one_entry(dcs, &[1, 2]).commits().unwrap();
    Bench::with_one_entry(dcs, &[2, 3]).commits().unwrap();
    broke("committed is durable", Bench::with_one_entry(dcs, &[1]).commits());
}

/// Nothing is purged before the state that it has become is in files; if it were, it would not count as held.
#[test]
fn what_is_purged_counts_where_its_state_is_on_disk() {
    let purged = |flushed| {
        let mut bench = Bench::with_one_entry(["a", "b", "c"], &[1]);
        bench.dies(3).unwrap();
        bench.sync(2);
        let verdict = bench.purges(2, id(1, 1, 1), flushed);
        (bench, verdict)
    };
    let (mut bench, verdict) = purged(true);
    verdict.unwrap();
    bench.commits().unwrap();
    bench.acknowledges("a", &push(1, 0)).unwrap();
    let (mut bench, verdict) = purged(false);
    broke("committed is durable", verdict);
    broke("committed is durable", bench.commits());
    broke("two data centres", bench.acknowledges("a", &push(1, 0)));
}

/// What a client is told is on a majority, and in two data centres.
#[test]
fn what_is_acknowledged_is_in_two_data_centres() {
    let told = |dcs, synced: &[u64], what| {
        Bench::with_one_entry(dcs, synced).acknowledges(what, &push(1, 0))
    };
    told(["a", "b", "c"], &[1, 2], "a").unwrap();
    told(["a", "a", "b"], &[1, 3], "a").unwrap();
    broke("two data centres", told(["a", "a", "b"], &[1, 2], "a"));
    broke("two data centres", told(["a", "b", "c"], &[1], "a"));
    broke("two data centres", told(["a", "b", "c"], &[1, 2], "what nobody wrote"));
}

/// A leader writes once a majority has its vote for it, or a later one, on disk.
#[test]
fn a_leader_was_voted_for_on_disk() {
    let voted = |synced: &[u64]| {
        let mut bench = Bench::new();
        bench.reports(2, &Report { leads: false, ..leads(1, 1, None) }).unwrap();
        for node in [1, 2] {
            bench.votes(node, vote(2, 1)).unwrap();
        }
        for node in synced {
            bench.sync(*node);
        }
        bench.writes(1, id(2, 1, 1), "")
    };
    voted(&[1, 2]).unwrap();
    broke("votes are durable", voted(&[1]));
}

/// One line of heads, seen by nobody as it was before somebody else had seen it, and nothing of it refused.
#[test]
fn clients_see_one_line() {
    let begin = || {
        let mut bench = Bench::with_one_entry(["a", "b", "c"], &[1, 2]);
        bench.acknowledges("a", &push(1, 0)).unwrap();
        bench.acknowledges("a", &push(2, 1)).unwrap();
        bench.shows(2, 2, 2).unwrap();
        bench
    };
    let mut bench = begin();
    bench.acknowledges("a", &Push { is_retry: true, ..push(2, 2) }).unwrap();
    bench.refuses(&push(3, 2)).unwrap();
    broke("history", bench.shows(3, 3, 2));

    broke("history", begin().shows(1, 1, 2));
    broke("history", begin().judge.see(&Event::Read { wallet: WALLET, seen: None, floor: 1 }));
    broke("history", begin().shows(2, 9, 2));
    broke("history", begin().acknowledges("a", &Push { base: head(9), ..push(3, 2) }));
    broke("history", begin().acknowledges("a", &push(2, 2)));
    broke("history", begin().refuses(&push(2, 1)));
}
