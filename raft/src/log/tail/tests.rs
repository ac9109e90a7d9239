use openraft::EntryPayload;

use super::Tail;
use crate::types::{Entry, LogId, leader_id};

fn id(term: u64, index: u64) -> LogId {
    LogId::new(leader_id(term, 1), index)
}

fn blank(term: u64, index: u64) -> Entry {
    Entry { log_id: id(term, index), payload: EntryPayload::Blank }
}

fn indexes(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.log_id.index).collect()
}

#[test]
fn only_written_entries_leave() {
    let mut tail = Tail::new(None, None, 0);
    for index in 0..4 {
        tail.push(blank(1, index));
    }
    assert_eq!(tail.first_index(), 0, "nothing is written yet, so nothing may leave");
    tail.written(0, 2);
    assert_eq!(tail.first_index(), 2);
    assert_eq!(indexes(&tail.read(2, 9, usize::MAX)), [2, 3]);
}

/// The dangerous order: a batch is queued, the log is truncated and grows again, and only then the
/// batch completes. Its completion must not make the new entries look written.
#[test]
fn a_write_from_before_a_truncation_counts_for_nothing() {
    let mut tail = Tail::new(None, None, 0);
    for index in 0..4 {
        tail.push(blank(1, index));
    }
    let queued_in = tail.epoch();
    tail.truncate_after(Some(id(1, 1)));
    tail.push(blank(2, 2));
    tail.written(queued_in, 4);
    assert_eq!(tail.first_index(), 0);
    assert_eq!(tail.last(), Some(id(2, 2)));
}

#[test]
fn a_read_is_bounded_but_never_empty() {
    let mut tail = Tail::new(None, None, usize::MAX);
    for index in 0..4 {
        tail.push(blank(1, index));
    }
    assert_eq!(indexes(&tail.read(1, 4, 1)), [1]);
    assert_eq!(indexes(&tail.read(1, 3, usize::MAX)), [1, 2]);
}

#[test]
fn a_purge_beyond_the_end_moves_the_end() {
    let mut tail = Tail::new(Some(id(1, 3)), None, usize::MAX);
    tail.purge(id(2, 9));
    assert_eq!(
        (tail.last(), tail.purged(), tail.end_index()),
        (Some(id(2, 9)), Some(id(2, 9)), 10)
    );
}

#[test]
fn a_truncation_to_nothing_ends_at_the_purged_position() {
    let mut tail = Tail::new(Some(id(1, 3)), Some(id(1, 1)), usize::MAX);
    tail.truncate_after(Some(id(1, 1)));
    assert_eq!(tail.last(), Some(id(1, 1)));
}
