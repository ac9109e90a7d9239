//! Nodes that had to be repaired in a run in which nobody touched their bytes: what they had promised they had
//! not kept, or their state is not that of the others. The cluster mends it, which is why no client sees it.

use std::path::PathBuf;

use super::lines;
use crate::verdict::Verdict;

/// What nodes say of it, themselves and of each other.
const SAID: [&str; 4] = [
    "this start repairs what the last one found",
    "in quarantine: this node neither votes nor acknowledges",
    "the state of these groups is fetched from peers",
    "a node is being fenced",
];
/// Findings that are told.
const TOLD: usize = 10;

/// Judges the logs of nodes: each with the node's name and data centre.
pub(super) fn check(logs: &[(String, String, PathBuf)]) -> Verdict {
    let mut found = Vec::new();
    for (node, _, log) in logs {
        let read = lines::each(log, |line| {
            if SAID.iter().any(|said| line.contains(said)) {
                found.push(format!("{node}: {line}"));
            }
        });
        if let Err(unread) = read {
            return unread;
        }
    }
    found.truncate(TOLD);
    Verdict::of(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("n1");
        std::fs::write(&log, "WARN holdfast: ready\n").unwrap();
        let logs = [("n1".to_owned(), "dc1".to_owned(), log.clone())];
        assert_eq!(check(&logs), Verdict::Pass);
        for said in SAID {
            std::fs::write(&log, format!("WARN raft: {said} reason=\"x\"\n")).unwrap();
            assert!(matches!(check(&logs), Verdict::Fail(_)), "{said}");
        }
    }
}
