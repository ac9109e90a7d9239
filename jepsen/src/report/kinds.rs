//! What became of each kind of faults, over all runs.

use super::Entry;
use crate::figures::Kind;
use std::{collections::BTreeMap, fmt::Write};

/// A kind that was planned as often as this, or less, may just have met no chance to be felt.
const FEW: usize = 2;

/// Kinds, over all runs.
fn all(entries: &[Entry]) -> BTreeMap<&str, Kind> {
    let mut all: BTreeMap<&str, Kind> = BTreeMap::new();
    let figures = entries.iter().filter_map(|entry| entry.figures.as_ref());
    for (name, kind) in figures.flat_map(|figures| &figures.kinds) {
        let sum = all.entry(name).or_default();
        sum.planned += kind.planned;
        sum.installed += kind.installed;
        sum.felt += kind.felt;
    }
    all
}

/// Kinds that were planned more than twice, and never felt.
pub(super) fn unfelt(entries: &[Entry]) -> Vec<&str> {
    let kinds = all(entries).into_iter();
    let unfelt = kinds.filter(|(_, kind)| kind.planned > FEW && kind.felt == 0);
    unfelt.map(|(name, _)| name).collect()
}

/// A table of them.
pub(super) fn table(page: &mut String, entries: &[Entry]) -> std::fmt::Result {
    let kinds = all(entries);
    if kinds.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Kinds of faults\n")?;
    writeln!(page, "| kind | planned | installed | felt |\n|---|---|---|---|")?;
    for (name, Kind { planned, installed, felt }) in &kinds {
        writeln!(page, "| {name} | {planned} | {installed} | {felt} |")?;
    }
    let never = kinds.iter().filter(|(_, kind)| kind.felt == 0).map(|(name, _)| *name);
    let never: Vec<&str> = never.collect();
    if !never.is_empty() {
        writeln!(page, "\nUnfelt kinds: {}.", never.join(", "))?;
    }
    writeln!(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{figures::Figures, left::Left, report::together, verdict::Verdict};

    fn entry(kinds: &[(&str, usize, usize)]) -> Entry {
        let kind = |(name, planned, felt): &(&str, usize, usize)| {
            ((*name).to_owned(), Kind { planned: *planned, installed: *planned, felt: *felt })
        };
        let figures = Figures { kinds: kinds.iter().map(kind).collect(), ..Figures::default() };
        let left = Left { verdict: "pass".to_owned(), ..Left::default() };
        Entry { dir: "kill-1".to_owned(), left, figures: Some(figures) }
    }

    #[test]
    fn a_kind_that_is_planned_often_and_never_felt_makes_a_campaign_unknown() {
        let (often, once) = (entry(&[("files (one)", 2, 0)]), entry(&[("files (one)", 1, 0)]));
        assert_eq!(together(std::slice::from_ref(&often)), Verdict::Pass);
        let both = [often, once];
        assert_eq!(unfelt(&both), ["files (one)"]);
        assert!(matches!(together(&both), Verdict::Unknown(_)), "{:?}", together(&both));
        assert_eq!(together(&[entry(&[("files (one)", 9, 1)])]), Verdict::Pass);
        let mut page = String::new();
        table(&mut page, &both).unwrap();
        assert!(page.contains("| files (one) | 3 | 3 | 0 |"), "{page}");
        assert!(page.contains("Unfelt kinds: files (one)."), "{page}");
    }
}
