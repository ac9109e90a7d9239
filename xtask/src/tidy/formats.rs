//! No format without a drawing: what `store/src/formats.rs` lists stands in docs/formats.md or in a
//! page below docs/formats/.
//!
//! Held against the docs are the rows of the table in its header, by the format's name and its frozen
//! file, and the changes of `FORMAT_LOG`, each by a row `| number | date | change |`.

use super::File;

const LISTS: &str = "store/src/formats.rs";

pub(super) fn check(files: &[File]) -> Vec<String> {
    let Some(list) = files.iter().find(|file| file.path.as_os_str() == LISTS) else {
        return vec![format!("{LISTS}: not there; name the file that lists the formats in xtask")];
    };
    let docs: String = files
        .iter()
        .filter(|file| file.under("docs/formats") || file.under("docs/formats.md"))
        .flat_map(|file| [file.text.as_str(), "\n"])
        .collect();
    let (formats, changes) = (formats(&list.text), changes(&list.text));
    let mut findings = Vec::new();
    let listed = list.text.lines().filter(|line| line.trim().starts_with("number: ")).count();
    if formats.is_empty() || changes.is_empty() || changes.len() != listed {
        findings
            .push(format!("{LISTS}: its table or FORMAT_LOG is not laid out as xtask reads it"));
    }
    for (name, frozen) in formats {
        let drawn = format!("| {name} |");
        if !docs.contains(&drawn) {
            findings.push(format!("{LISTS}: no row `{drawn}` in docs/formats.md; draw the format"));
        }
        let frozen = format!("`store/{frozen}`");
        if !docs.contains(&frozen) {
            findings.push(format!("{LISTS}: docs/formats.md does not name {frozen}"));
        }
    }
    for change in changes {
        if !docs.contains(&change) {
            findings.push(format!("{LISTS}: no row `{change}` in docs/formats.md; add it"));
        }
    }
    findings
}

/// Name and frozen file of each row of the header's table.
fn formats(text: &str) -> Vec<(&str, &str)> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | "));
    rows.filter_map(|row| {
        let mut cells = row.trim_end_matches(" |").split(" | ");
        let (name, frozen) = (cells.next()?, cells.last()?);
        Some((name, frozen.strip_prefix('`')?.strip_suffix('`')?))
    })
    .collect()
}

/// Each change of `FORMAT_LOG`, as its row in the docs.
fn changes(text: &str) -> Vec<String> {
    let Some((_, log)) = text.split_once("FORMAT_LOG: &[FormatChange] =") else {
        return Vec::new();
    };
    let Some((log, _)) = log.split_once("];") else { return Vec::new() };
    let values = |field: &'static str| {
        log.lines()
            .filter_map(move |line| line.trim().strip_prefix(field)?.strip_suffix(','))
            .map(|value| value.trim_matches('"'))
    };
    values("number: ")
        .zip(values("date: ").zip(values("change: ")))
        .map(|(number, (date, change))| format!("| {number} | {date} | {change} |"))
        .collect()
}
