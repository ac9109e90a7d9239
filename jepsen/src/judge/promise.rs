//! P1, from the nodes' own records: when an entry was answered, its group's log stood on disk at least as far
//! in two data centres.
//!
//! Nodes write a line after each sync and before each answer, with the time of the machine's monotonic clock. One
//! that ran in another boot for a while was ahead by [`AHEAD`] then.
//! Logs match: one whose last entry is of the same or a later term and no shorter holds the entry.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
};

use crate::{inject::clock::AHEAD, verdict::Verdict};

/// Findings that are told; more of the same say nothing new.
const TOLD: usize = 10;

/// A line of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    group: u64,
    term: u64,
    index: u64,
    at_ns: u64,
    answered: bool,
}

/// How far a data centre has come with a group.
#[derive(Default)]
struct Reached {
    /// The next line to be looked at.
    next: usize,
    /// The furthest entry of each term.
    furthest: BTreeMap<u64, u64>,
}

/// Judges the logs of nodes: each with the node's name and data centre.
pub(super) fn check(logs: &[(String, String, PathBuf)]) -> Verdict {
    let mut synced: BTreeMap<u64, BTreeMap<&str, Vec<Line>>> = BTreeMap::new();
    let mut answers: Vec<(&str, Line)> = Vec::new();
    for (node, dc, log) in logs {
        let Ok(file) = File::open(log) else {
            return Verdict::unknown(format!("{} cannot be read", log.display()));
        };
        for text in BufReader::new(file).split(b'\n').map_while(Result::ok) {
            match read(&String::from_utf8_lossy(&text)) {
                Some(line) if line.answered => answers.push((node, line)),
                Some(line) => {
                    synced.entry(line.group).or_default().entry(dc).or_default().push(line)
                }
                None => {}
            }
        }
    }
    if answers.is_empty() {
        return Verdict::unknown("no node wrote down what it answered");
    }
    judge(synced, answers)
}

fn judge(
    mut synced: BTreeMap<u64, BTreeMap<&str, Vec<Line>>>,
    mut answers: Vec<(&str, Line)>,
) -> Verdict {
    for lines in synced.values_mut().flat_map(BTreeMap::values_mut) {
        lines.sort_by_key(|line| line.at_ns);
    }
    answers.sort_by_key(|(_, line)| line.at_ns);
    let mut findings = Vec::new();
    // How far each data centre has come by the time of the answer: the furthest entry of each term.
    let mut reached: BTreeMap<(u64, &str), Reached> = BTreeMap::new();
    for (node, answer) in &answers {
        let mut holding = BTreeSet::new();
        for (dc, lines) in synced.get(&answer.group).into_iter().flatten() {
            let Reached { next, furthest } = reached.entry((answer.group, *dc)).or_default();
            while let Some(line) = lines.get(*next).filter(|line| line.at_ns <= answer.at_ns) {
                let index = furthest.entry(line.term).or_default();
                *index = (*index).max(line.index);
                *next += 1;
            }
            if furthest.range(answer.term..).any(|(_, index)| *index >= answer.index) {
                holding.insert(*dc);
            }
        }
        if holding.len() < 2 {
            findings.push(format!(
                "{node} answered entry {}-{} of group {} when it was on disk in {holding:?} only",
                answer.term, answer.index, answer.group
            ));
        }
    }
    let all = findings.len();
    findings.truncate(TOLD);
    if all > TOLD {
        findings.push(format!("and {} more", all - TOLD));
    }
    Verdict::of(findings)
}

/// `... synced group=2 term=1 index=7 at_ns=123`, as the plain format of the log has it.
fn read(text: &str) -> Option<Line> {
    let (_, text) = text.split_once("holdfast::durable: ")?;
    let (what, fields) = text.split_once(' ')?;
    let field = |name: &str| -> Option<u64> {
        fields
            .split(' ')
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    let at_ns = u128::from(field("at_ns")?);
    let at_ns = at_ns.checked_sub(AHEAD.as_nanos()).unwrap_or(at_ns);
    Some(Line {
        group: field("group")?,
        term: field("term")?,
        index: field("index")?,
        at_ns: u64::try_from(at_ns).ok()?,
        answered: match what {
            "answered" => true,
            "synced" => false,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(directory: &tempfile::TempDir, name: &str, lines: Said<'_>) -> PathBuf {
        let file = directory.path().join(name);
        let line = |(what, index, at): &(&str, u64, u64)| {
            format!(
                "2026-01-01T00:00:00Z DEBUG holdfast::durable: {what} group=2 term=3 index={index} at_ns={at}\n"
            )
        };
        std::fs::write(&file, lines.iter().map(line).collect::<String>()).unwrap();
        file
    }

    type Said<'a> = &'a [(&'a str, u64, u64)];

    fn checked(logs: &[(&str, Said<'_>)]) -> Verdict {
        let directory = tempfile::tempdir().unwrap();
        let logs: Vec<_> = logs
            .iter()
            .enumerate()
            .map(|(n, (dc, lines))| {
                (format!("n{n}"), (*dc).to_owned(), log(&directory, &format!("n{n}"), lines))
            })
            .collect();
        check(&logs)
    }

    #[test]
    fn what_two_data_centres_had_on_disk_may_be_answered() {
        let verdict = checked(&[
            ("dc1", &[("synced", 7, 10), ("answered", 7, 30)]),
            ("dc2", &[("synced", 9, 20)]),
            ("dc3", &[]),
        ]);
        assert_eq!(verdict, Verdict::Pass);
    }

    #[test]
    fn an_answer_before_the_second_data_centre_has_it_is_found() {
        for second in [("dc2", 40), ("dc1", 20)] {
            let verdict = checked(&[
                ("dc1", &[("synced", 7, 10), ("answered", 7, 30)]),
                (second.0, &[("synced", 7, second.1)]),
            ]);
            assert!(
                matches!(&verdict, Verdict::Fail(found) if found[0].contains("3-7")),
                "{verdict:?}"
            );
        }
        let shorter = checked(&[
            ("dc1", &[("synced", 7, 10), ("answered", 7, 30)]),
            ("dc2", &[("synced", 6, 20)]),
        ]);
        assert!(matches!(shorter, Verdict::Fail(_)), "{shorter:?}");
    }

    #[test]
    fn the_time_of_another_boot_is_brought_back() {
        let ahead = u64::try_from(AHEAD.as_nanos()).unwrap();
        for (synced, held) in [(20, true), (40, false)] {
            let verdict = checked(&[
                ("dc1", &[("synced", 7, 10), ("answered", 7, 30)]),
                ("dc2", &[("synced", 7, ahead + synced)]),
            ]);
            assert_eq!(matches!(verdict, Verdict::Pass), held, "{verdict:?}");
        }
    }

    #[test]
    fn an_answer_that_nobody_synced_is_found() {
        let verdict = checked(&[("dc1", &[("answered", 7, 30)]), ("dc2", &[])]);
        assert!(matches!(verdict, Verdict::Fail(_)), "{verdict:?}");
    }

    #[test]
    fn without_answers_nobody_knows() {
        assert!(matches!(checked(&[("dc1", &[("synced", 7, 10)])]), Verdict::Unknown(_)));
    }
}
