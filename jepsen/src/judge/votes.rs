//! Votes, from the nodes' own logs: what a node has followed, it follows for ever, or something newer.
//!
//! A leadership is a term and a node, and later ones are greater; within one term the greater node may still take
//! over. Whom a node follows is a vote that it gave, on its disk before anybody learns of it. A node that follows a
//! lesser leadership than before has forgotten a vote, and may give it again to somebody else.

use std::{collections::BTreeMap, path::PathBuf};

use super::lines;
use crate::verdict::Verdict;

/// A node follows another one.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    group: u64,
    /// Term and id of the leader.
    leadership: (u64, u64),
}

/// Judges the logs of nodes whose bytes nobody harmed (another one may begin a new life, which knows nothing): each
/// with the node's name and data centre.
pub(super) fn check(logs: &[(String, String, PathBuf)]) -> Verdict {
    let mut found = Vec::new();
    for (node, _, log) in logs {
        let mut followed: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        let told = lines::each(log, |line| {
            let Some(Word { group, leadership }) = read(line) else { return };
            let greatest = followed.entry(group).or_insert(leadership);
            if leadership < *greatest {
                let ((then, whom), (now, other)) = (*greatest, leadership);
                found.push(format!(
                    "{node} followed node {whom} in term {then} of group {group}, and later node {other} in term {now}"
                ));
            }
            *greatest = leadership.max(*greatest);
        });
        if let Err(unread) = told {
            return unread;
        }
    }
    Verdict::of(found)
}

/// `... leader changed group=2 leader=1 term=7`, as the plain format of the log has it. Without a leader it says
/// nothing of a vote that others rely on.
fn read(text: &str) -> Option<Word> {
    let (_, fields) = text.split_once("raft::node::group: leader changed ")?;
    let field = |name: &str| -> Option<u64> {
        let value = |field: &str| field.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
        fields.split(' ').find_map(value)
    };
    Some(Word { group: field("group")?, leadership: (field("term")?, field("leader")?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> Verdict {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("n1");
        let line =
            |word| format!("2026-01-01T00:00:00Z  INFO raft::node::group: leader changed {word}\n");
        std::fs::write(&log, words.iter().map(line).collect::<String>()).unwrap();
        check(&[("n1".to_owned(), "dc1".to_owned(), log)])
    }

    #[test]
    fn leaderships_that_only_grow_are_accepted() {
        let words = [
            "group=2 leader=1 term=3",
            "group=2 leader=2 term=3",
            "group=3 leader=1 term=1",
            "group=2 term=5",
            "group=2 term=4",
            "group=2 leader=2 term=3",
            "group=2 leader=1 term=5",
        ];
        assert_eq!(told(&words), Verdict::Pass);
    }

    #[test]
    fn a_vote_that_was_forgotten_is_found() {
        let first = "group=2 leader=2 term=3";
        for then in ["group=2 leader=1 term=3", "group=2 leader=3 term=2"] {
            let verdict = told(&[first, then]);
            assert!(matches!(&verdict, Verdict::Fail(found) if found.len() == 1), "{verdict:?}");
        }
    }
}
