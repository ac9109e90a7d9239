//! P1, from the nodes' own records: when an entry was answered, its group's log stood on disk at least as far
//! in two data centres.
//!
//! Clients know of most answers too: where nodes did not write those down, nobody knows ([`told`]).
//!
//! Nodes write a line after each sync and before each answer, with the time of the machine's monotonic clock. One
//! that ran in another boot for a while was ahead by [`AHEAD`] then.
//!
//! That the leader of a later term holds what was answered before is not presumed ([`held`]). Presumed is that
//! logs match, and that a second leader of the same term, whose entries the lines do not tell apart, began with
//! what the first one had answered. Where it did not, the checkers of the workloads miss a write, or the one of
//! votes a vote.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::lines;
use crate::{inject::clock::AHEAD, verdict::Verdict};

mod held;
mod told;

use held::{Beginnings, Log};
pub(super) use told::{Told, all};

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

/// What a node said of its syncs of one group, in the order in which it did.
struct Synced<'a> {
    dc: &'a str,
    lines: Vec<Line>,
    /// The next line to be looked at, and what the log holds before it.
    next: usize,
    log: Log,
}

/// Judges the logs of nodes, each with the node's name and data centre, and whether they tell of what clients were
/// told.
pub(super) fn check(logs: &[(String, String, PathBuf)], told: &[Told]) -> Verdict {
    let mut synced: BTreeMap<u64, Vec<Synced<'_>>> = BTreeMap::new();
    let mut answers: Vec<(&str, Line)> = Vec::new();
    for (node, dc, log) in logs {
        let mut own: BTreeMap<u64, Vec<Line>> = BTreeMap::new();
        let read = lines::each(log, |text| match self::read(text) {
            Some(line) if line.answered => answers.push((node, line)),
            Some(line) => own.entry(line.group).or_default().push(line),
            None => {}
        });
        if let Err(unread) = read {
            return unread;
        }
        for (group, lines) in own {
            let of = Synced { dc, lines, next: 0, log: Log::default() };
            synced.entry(group).or_default().push(of);
        }
    }
    if answers.is_empty() {
        return Verdict::unknown("no node wrote down what it answered");
    }
    let times = answers.iter().map(|(_, line)| (line.group, line.at_ns));
    told::check(told, times).and(judge(synced, answers))
}

fn judge(mut synced: BTreeMap<u64, Vec<Synced<'_>>>, mut answers: Vec<(&str, Line)>) -> Verdict {
    let mut beginnings: BTreeMap<u64, Beginnings> = BTreeMap::new();
    for (group, nodes) in &synced {
        let known = beginnings.entry(*group).or_default();
        nodes.iter().for_each(|node| known.learn(node.lines.iter().map(Line::entry)));
    }
    answers.sort_by_key(|(_, line)| line.at_ns);
    let mut findings = Vec::new();
    for (node, answer) in &answers {
        let nodes = synced.get_mut(&answer.group).map_or(&mut [][..], Vec::as_mut_slice);
        nodes.iter_mut().for_each(|node| node.go_to(answer.at_ns));
        let holding = |after: &BTreeSet<u64>| -> BTreeSet<&str> {
            let holding = nodes.iter().filter(|node| node.log.holds(answer.entry(), after));
            holding.map(|node| node.dc).collect()
        };
        let mut dcs = holding(&BTreeSet::new());
        if dcs.len() < 2
            && let Some(beginnings) = beginnings.get(&answer.group)
        {
            dcs = holding(&beginnings.after(answer.entry()));
        }
        if dcs.len() < 2 {
            findings.push(format!(
                "{node} answered entry {}-{} of group {} when it was on disk in {dcs:?} only",
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

impl Line {
    fn entry(&self) -> held::Entry {
        (self.term, self.index)
    }
}

impl Synced<'_> {
    /// Takes what was said up to a time.
    fn go_to(&mut self, at_ns: u64) {
        while let Some(line) = self.lines.get(self.next).filter(|line| line.at_ns <= at_ns) {
            self.log.ends(line.entry());
            self.next += 1;
        }
    }
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
        let line = |(what, term, index, at): &(&str, u64, u64, u64)| {
            format!(
                "2026-01-01T00:00:00Z DEBUG holdfast::durable: {what} group=2 term={term} index={index} at_ns={at}\n"
            )
        };
        std::fs::write(&file, lines.iter().map(line).collect::<String>()).unwrap();
        file
    }

    type Said<'a> = &'a [(&'a str, u64, u64, u64)];

    fn checked(logs: &[(&str, Said<'_>)]) -> Verdict {
        let directory = tempfile::tempdir().unwrap();
        let logs: Vec<_> = logs
            .iter()
            .enumerate()
            .map(|(n, (dc, lines))| {
                (format!("n{n}"), (*dc).to_owned(), log(&directory, &format!("n{n}"), lines))
            })
            .collect();
        check(&logs, &[])
    }

    #[test]
    fn what_two_data_centres_had_on_disk_may_be_answered() {
        let verdict = checked(&[
            ("dc1", &[("synced", 3, 7, 10), ("answered", 3, 7, 30)]),
            ("dc2", &[("synced", 3, 9, 20)]),
            ("dc3", &[]),
        ]);
        assert_eq!(verdict, Verdict::Pass);
    }

    #[test]
    fn an_answer_before_the_second_data_centre_has_it_is_found() {
        for second in [("dc2", 40), ("dc1", 20)] {
            let verdict = checked(&[
                ("dc1", &[("synced", 3, 7, 10), ("answered", 3, 7, 30)]),
                (second.0, &[("synced", 3, 7, second.1)]),
            ]);
            assert!(
                matches!(&verdict, Verdict::Fail(found) if found[0].contains("3-7")),
                "{verdict:?}"
            );
        }
        let shorter = checked(&[
            ("dc1", &[("synced", 3, 7, 10), ("answered", 3, 7, 30)]),
            ("dc2", &[("synced", 3, 6, 20)]),
        ]);
        assert!(matches!(shorter, Verdict::Fail(_)), "{shorter:?}");
    }

    #[test]
    fn the_time_of_another_boot_is_brought_back() {
        let ahead = u64::try_from(AHEAD.as_nanos()).unwrap();
        for (synced, held) in [(20, true), (40, false)] {
            let verdict = checked(&[
                ("dc1", &[("synced", 3, 7, 10), ("answered", 3, 7, 30)]),
                ("dc2", &[("synced", 3, 7, ahead + synced)]),
            ]);
            assert_eq!(matches!(verdict, Verdict::Pass), held, "{verdict:?}");
        }
    }

    #[test]
    fn an_answer_that_nobody_synced_is_found() {
        let verdict = checked(&[("dc1", &[("answered", 3, 7, 30)]), ("dc2", &[])]);
        assert!(matches!(verdict, Verdict::Fail(_)), "{verdict:?}");
    }

    /// Data centre 2 has a log of a later term that is longer, and of which nobody knows whether it holds the
    /// entry.
    #[test]
    fn a_later_term_alone_proves_nothing() {
        let split = checked(&[
            ("dc1", &[("synced", 3, 7, 10), ("answered", 3, 7, 30)]),
            ("dc2", &[("synced", 3, 6, 10), ("synced", 4, 9, 20)]),
        ]);
        assert!(matches!(split, Verdict::Fail(_)), "{split:?}");
    }

    /// Who follows a new leader may be sent an earlier leader's entry and the new one's own at once.
    #[test]
    fn a_later_term_counts_where_its_leader_is_seen_to_have_begun_with_the_entry() {
        let answering: Said<'_> = &[("synced", 3, 7, 10), ("answered", 3, 7, 30)];
        let follower: Said<'_> = &[("synced", 3, 6, 10), ("synced", 4, 9, 20)];
        for leader in [10, 40] {
            let leader: Said<'_> = &[("synced", 3, 7, 10), ("synced", 4, 8, leader)];
            let verdict = checked(&[("dc1", answering), ("dc2", follower), ("dc1", leader)]);
            assert_eq!(verdict, Verdict::Pass);
        }
        let cut: Said<'_> = &[("synced", 3, 7, 10), ("synced", 3, 6, 15), ("synced", 4, 8, 18)];
        let verdict = checked(&[("dc1", answering), ("dc2", follower), ("dc1", cut)]);
        assert!(matches!(verdict, Verdict::Fail(_)), "{verdict:?}");
    }

    #[test]
    fn what_was_cut_off_again_before_the_answer_does_not_count() {
        let verdict = checked(&[
            ("dc1", &[("synced", 3, 7, 10), ("answered", 3, 7, 30)]),
            ("dc2", &[("synced", 3, 7, 10), ("synced", 3, 5, 20)]),
        ]);
        assert!(matches!(verdict, Verdict::Fail(_)), "{verdict:?}");
    }

    #[test]
    fn a_client_that_was_told_without_a_line_makes_it_unknown_and_a_broken_promise_outweighs_that()
    {
        let directory = tempfile::tempdir().unwrap();
        let told = [Told { group: 2, asked_ns: 40, told_ns: 50 }];
        for (second, failed) in [(20, false), (35, true)] {
            let one = log(&directory, "n1", &[("synced", 3, 7, 10), ("answered", 3, 7, 30)]);
            let other = log(&directory, "n2", &[("synced", 3, 7, second)]);
            let logs = [("n1", "dc1", one), ("n2", "dc2", other)];
            let logs = logs.map(|(node, dc, log)| (node.to_owned(), dc.to_owned(), log));
            let verdict = check(&logs, &told);
            assert_eq!(matches!(verdict, Verdict::Fail(_)), failed, "{verdict:?}");
            assert_eq!(matches!(verdict, Verdict::Unknown(_)), !failed, "{verdict:?}");
        }
    }

    #[test]
    fn without_answers_nobody_knows() {
        assert!(matches!(checked(&[("dc1", &[("synced", 3, 7, 10)])]), Verdict::Unknown(_)));
    }
}
