//! All runs of a campaign on one page of Markdown.

use super::{Entry, counted, kinds, together, told, whole};
use crate::{
    figures::{Figures, Outage, percentile},
    history::State,
    nemesis::Role,
    verdict::Verdict,
    workload::Workload,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Reasons of one run that are told; the rest stands on its own page.
const REASONS_MAX: usize = 10;
/// A time that did not end.
const NEVER: u64 = u64::MAX;

/// The page. `note` stands below the heading.
pub fn summary(entries: &[Entry], note: &str) -> String {
    let mut page = String::from("# A campaign\n\n");
    // Nothing that is written to a string fails.
    let _ = text(&mut page, entries, note);
    page
}

fn text(page: &mut String, entries: &[Entry], note: &str) -> std::fmt::Result {
    if let Some(Entry { left, .. }) = entries.first() {
        let Entry { left: last, .. } = entries.last().unwrap_or(&entries[0]);
        let seeds = match left.seed == last.seed {
            true => left.seed.to_string(),
            false => format!("{} to {}", left.seed, last.seed),
        };
        writeln!(
            page,
            "**{}**: {} runs, {}. Commit {}, {} nodes, seeds {seeds}{}.\n",
            together(entries).word(),
            entries.len(),
            counted(entries),
            left.commit,
            left.nodes,
            if left.date.is_empty() { String::new() } else { format!(", begun {} UTC", left.date) },
        )?;
    }
    if !note.is_empty() {
        writeln!(page, "{note}\n")?;
    }
    verdicts(page, entries)?;
    as_a_whole(page, entries)?;
    numbers(page, entries)?;
    kinds::table(page, entries)?;
    outages(page, entries)?;
    reasons(page, entries)
}

fn head(page: &mut String, columns: &[&str]) -> std::fmt::Result {
    writeln!(page, "| {} |", columns.join(" | "))?;
    writeln!(page, "|{}", "---|".repeat(columns.len()))
}

fn row(page: &mut String, cells: &[String]) -> std::fmt::Result {
    writeln!(page, "| {} |", cells.join(" | "))
}

fn link(entry: &Entry) -> String {
    let place = if entry.figures.is_some() { "index.html" } else { "verdict.json" };
    format!("[{}]({}/{place})", entry.left.nemesis, entry.dir)
}

/// What is no pass must be seen.
fn shown(word: &str) -> String {
    match word {
        "pass" | "-" => word.to_owned(),
        word => format!("**{word}**"),
    }
}

fn verdicts(page: &mut String, entries: &[Entry]) -> std::fmt::Result {
    writeln!(page, "## Verdicts\n")?;
    let names = Workload::ALL.map(Workload::name);
    head(page, &[&["nemesis"], &names[..]].concat())?;
    for entry in entries {
        let words = entry.words().map(|(_, word)| shown(word));
        row(page, &[link(entry)].into_iter().chain(words).collect::<Vec<_>>())?;
    }
    writeln!(page)
}

fn as_a_whole(page: &mut String, entries: &[Entry]) -> std::fmt::Result {
    let mut names: Vec<&str> = Vec::new();
    for entry in entries {
        for name in whole(&entry.left) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Each run as a whole\n")?;
    head(page, &[&["nemesis"], &names[..]].concat())?;
    for entry in entries {
        let words = names.iter().map(|name| shown(entry.left.word(name)));
        row(page, &[link(entry)].into_iter().chain(words).collect::<Vec<_>>())?;
    }
    writeln!(page)
}

fn numbers(page: &mut String, entries: &[Entry]) -> std::fmt::Result {
    writeln!(page, "## What happened\n")?;
    let columns = [
        "nemesis",
        "seed",
        "seconds",
        "network",
        "operations",
        "acknowledged",
        "under a fault",
        "in doubt",
        "faults installed",
        "skipped",
        "unclear",
        "refused",
        "all lost power",
        "leader changes",
        "longest without a write",
    ];
    head(page, &columns)?;
    let mut sums = [0_usize; 10];
    for entry in entries {
        let left = &entry.left;
        let mut cells = vec![
            link(entry),
            left.seed.to_string(),
            left.seconds.to_string(),
            left.network.clone(),
        ];
        match &entry.figures {
            None => cells.extend((0..11).map(|_| "-".to_owned())),
            Some(figures) => {
                let counts = counts(figures);
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
                cells.extend(counts.map(|count| count.to_string()));
                cells.push(figures.longest.map_or("-".to_owned(), |(_, ns)| told(ns)));
            }
        }
        row(page, &cells)?;
    }
    let mut cells = vec!["all".to_owned(), String::new(), String::new(), String::new()];
    cells[2] = entries.iter().map(|entry| entry.left.seconds).sum::<u64>().to_string();
    cells.extend(sums.map(|sum| sum.to_string()));
    let longest = entries.iter().filter_map(|entry| entry.figures.as_ref()?.longest);
    cells.push(longest.map(|(_, ns)| ns).max().map_or("-".to_owned(), told));
    row(page, &cells)?;
    writeln!(page)
}

fn counts(figures: &Figures) -> [usize; 10] {
    let of = |state| figures.faults.iter().filter(|fault| fault.state == state).count();
    [
        figures.all.operations,
        figures.all.ok,
        figures.under_fault,
        figures.all.info,
        of(State::Installed),
        of(State::Skipped),
        of(State::Unclear),
        of(State::Refused),
        figures.all_lost_power,
        figures.leader_changes,
    ]
}

/// Time without writes by fault and role, over all runs.
fn outages(page: &mut String, entries: &[Entry]) -> std::fmt::Result {
    let mut kinds: BTreeMap<(&str, Role), Vec<&Outage>> = BTreeMap::new();
    for outage in entries.iter().filter_map(|entry| entry.figures.as_ref()).flat_map(|f| &f.outages)
    {
        kinds.entry((&outage.fault, outage.role)).or_default().push(outage);
    }
    if kinds.is_empty() {
        return Ok(());
    }
    writeln!(page, "## Time without writes\n")?;
    writeln!(
        page,
        "From the start of a fault to the first acknowledged write begun behind it: on any wallet, and \
         in the last of all groups whose wallets were written before.\n"
    )?;
    let columns = [
        "fault",
        "target",
        "faults",
        "any wallet: median",
        "p99",
        "max",
        "every group: median",
        "p99",
        "max",
        "never",
    ];
    head(page, &columns)?;
    for ((fault, role), outages) in kinds {
        let mut cells = vec![fault.to_owned(), role.name().to_owned(), outages.len().to_string()];
        let sorted = |times: Vec<u64>| {
            let mut times = times;
            times.sort_unstable();
            [50, 99, 100].map(|of| percentile(&times, of).map_or("-".to_owned(), until))
        };
        // What never came counts as longer than everything that did.
        let times = |of: fn(&Outage) -> Option<u64>| -> Vec<u64> {
            outages.iter().map(|outage| of(outage).unwrap_or(NEVER)).collect()
        };
        cells.extend(sorted(times(|outage| outage.first_ns)));
        cells.extend(sorted(times(|outage| outage.every_ns)));
        let never = outages.iter().filter(|outage| outage.every_ns.is_none()).count();
        cells.push(never.to_string());
        row(page, &cells)?;
    }
    writeln!(page)
}

fn until(ns: u64) -> String {
    if ns == NEVER { "never".to_owned() } else { told(ns) }
}

/// Why something is no pass, what was skipped, and how to see it again.
fn reasons(page: &mut String, entries: &[Entry]) -> std::fmt::Result {
    let told = |entry: &&Entry| {
        let skips = entry.figures.as_ref().map_or(0, |figures| {
            figures.faults.iter().filter(|fault| fault.state != State::Installed).count()
        });
        entry.left.verdict != "pass" || skips > 0
    };
    let mut heading = "## What to look at\n\n";
    for entry in entries.iter().filter(told) {
        writeln!(page, "{heading}### {}: {}\n", entry.dir, entry.left.verdict)?;
        heading = "";
        for reason in &entry.left.skipped {
            writeln!(page, "* skipped: {reason}")?;
        }
        let checkers = entry.left.checkers.iter().filter(|(_, verdict)| **verdict != Verdict::Pass);
        for (name, verdict) in checkers {
            for reason in verdict.reasons().iter().take(REASONS_MAX) {
                writeln!(page, "* {name}, {}: {reason}", verdict.word())?;
            }
            if verdict.reasons().len() > REASONS_MAX {
                writeln!(page, "* {name}: and {} more", verdict.reasons().len() - REASONS_MAX)?;
            }
        }
        let faults = entry.figures.as_ref().map_or(&[][..], |figures| &figures.faults);
        let missing = faults.iter().filter(|fault| fault.state != State::Installed);
        let missing: BTreeSet<String> = missing
            .map(|fault| {
                format!("* fault {}, {}: {}", fault.fault, fault.state.word(), fault.reason)
            })
            .collect();
        for line in missing {
            writeln!(page, "{line}")?;
        }
        if entry.left.verdict != "pass" && !entry.left.repeat.is_empty() {
            writeln!(page, "* again: `{}`", entry.left.repeat)?;
        }
        writeln!(page)?;
    }
    Ok(())
}
