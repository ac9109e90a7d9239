//! Which entries the logs of a group hold, as far as their nodes tell: after each sync the term and the index of
//! the last entry.
//!
//! Logs match: two logs whose entries of a number are of the same term are the same up to there. So a log that
//! ends with an entry of term t, no shorter, holds every shorter entry of t. Whether it holds them when it ends
//! with an entry of a *later* term depends on what the leader of that term began with. A log that was seen to hold
//! the one and later the other, and was not cut between them, tells: its beginning is that leader's. A cut is seen
//! as an end before the end.
//!
//! That every leader holds what was answered before is not presumed: a leader that does not is what this is to find.

use std::collections::{BTreeMap, BTreeSet};

/// Term and index of an entry.
pub(super) type Entry = (u64, u64);

/// A log: the last entry that is known of each term, in order.
#[derive(Debug, Default)]
pub(super) struct Log(Vec<Entry>);

impl Log {
    /// It ends with this entry now.
    pub(super) fn ends(&mut self, (term, index): Entry) {
        while self.0.pop_if(|(of, at)| *of >= term || *at >= index).is_some() {}
        self.0.push((term, index));
    }

    /// Whether it holds an entry, by its own term or by one of `after`, those that are known to begin with it.
    pub(super) fn holds(&self, (term, index): Entry, after: &BTreeSet<u64>) -> bool {
        let known = |of: &u64| *of == term || after.contains(of);
        self.0.iter().any(|(of, at)| known(of) && *at >= index)
    }
}

/// With which entries the logs of leaders begin.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    /// By a term and an earlier one: how far the log of its leader holds that one's entries, at least.
    furthest: BTreeMap<(u64, u64), u64>,
}

impl Beginnings {
    /// Learns from a log, told from its beginning.
    pub(super) fn learn(&mut self, ends: impl IntoIterator<Item = Entry>) {
        let mut log = Log::default();
        for end in ends {
            log.ends(end);
            for (earlier, index) in log.0.iter().filter(|(earlier, _)| *earlier < end.0) {
                let furthest = self.furthest.entry((end.0, *earlier)).or_default();
                *furthest = (*furthest).max(*index);
            }
        }
    }

    /// Later terms whose leaders are known to have begun with an entry.
    pub(super) fn after(&self, (term, index): Entry) -> BTreeSet<u64> {
        let mut known = BTreeSet::new();
        for ((later, earlier), furthest) in &self.furthest {
            if (*earlier == term && *furthest >= index) || known.contains(earlier) {
                known.insert(*later);
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(ends: &[Entry]) -> Log {
        let mut log = Log::default();
        ends.iter().for_each(|end| log.ends(*end));
        log
    }

    fn after(logs: &[&[Entry]], entry: Entry) -> Vec<u64> {
        let mut beginnings = Beginnings::default();
        logs.iter().for_each(|ends| beginnings.learn(ends.iter().copied()));
        beginnings.after(entry).into_iter().collect()
    }

    #[test]
    fn a_log_holds_what_is_shorter_and_of_its_own_term() {
        let log = log(&[(3, 5), (3, 8), (4, 10)]);
        let nothing = BTreeSet::new();
        assert!(log.holds((3, 8), &nothing) && log.holds((3, 2), &nothing));
        assert!(log.holds((4, 10), &nothing) && !log.holds((4, 11), &nothing));
        assert!(!log.holds((3, 9), &nothing) && !log.holds((2, 1), &nothing));
        assert!(log.holds((3, 9), &BTreeSet::from([4])));
    }

    #[test]
    fn what_was_cut_is_not_held() {
        for cut in [(3, 6), (2, 4)] {
            let log = log(&[(2, 4), (3, 8), cut, (4, 9)]);
            assert!(!log.holds((3, 8), &BTreeSet::new()), "{log:?}");
            assert!(log.holds((2, 4), &BTreeSet::new()), "{log:?}");
        }
    }

    #[test]
    fn a_leader_begins_with_what_a_log_held_that_was_not_cut() {
        let none: [u64; 0] = [];
        assert_eq!(after(&[&[(3, 8), (4, 9)]], (3, 8)), [4]);
        assert_eq!(after(&[&[(3, 7), (4, 9)]], (3, 8)), none, "it did not hold it");
        assert_eq!(after(&[&[(3, 8), (3, 7), (4, 9)]], (3, 8)), none, "it was cut");
        assert_eq!(after(&[&[(4, 9)]], (3, 8)), none, "nobody saw it");
    }

    #[test]
    fn leaders_begin_with_what_leaders_before_them_held() {
        assert_eq!(after(&[&[(3, 8), (4, 9)], &[(4, 12), (6, 13)]], (3, 8)), [4, 6]);
    }
}
