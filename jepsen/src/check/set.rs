//! `set`: no acknowledged element is lost, none is there twice, none was invented.
//!
//! Each `add` is one commit of the wallet. The `final` reads, each on a device that knows nothing yet, show
//! the elements and how many commits there were since the first `add`. Every element that was acknowledged
//! before a read is there; every element was asked for and not refused; and there are as many commits as
//! elements: a push that took effect twice has made one more.

#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{
    history::{History, Operation, Type},
    verdict::Verdict,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a final read shows.
#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    elements: Vec<&'a str>,
    commits: usize,
}

/// Judges every wallet of the workload.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    for (key, operations) in history.wallets("set") {
        let mut adds = BTreeMap::new();
        let mut finals = Vec::new();
        for operation in &operations {
            match operation.invoke.op.as_str() {
                "add" => {
                    let element = findings.value::<&str>(operation.begun, operation.invoke);
                    if let Some(earlier) =
                        element.and_then(|element| adds.insert(element, *operation))
                    {
                        findings.unclear(format!(
                            "{key}: {} adds an element again that {} added; elements are unique",
                            operation.lines(),
                            earlier.lines()
                        ));
                    }
                }
                "final" => finals.extend(operation.ok().map(|answer| (operation.begun, answer))),
                other => findings
                    .unclear(format!("line {}: `{other}` is no operation of set", operation.begun)),
            }
        }
        if finals.is_empty() {
            findings.unclear(format!("{key}: no `final` read shows what is in the wallet"));
        }
        for (begun, (line, answer)) in finals {
            if let Some(shown) = findings.value::<Shown<'_>>(line, answer) {
                compare(key, &adds, begun, line, &shown, &mut findings);
            }
        }
    }
    findings.verdict()
}

fn compare(
    key: &str,
    adds: &BTreeMap<&str, Operation<'_>>,
    begun: usize,
    line: usize,
    shown: &Shown<'_>,
    findings: &mut Findings,
) {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for element in &shown.elements {
        *times.entry(element).or_default() += 1;
    }
    for (element, times) in &times {
        if *times > 1 {
            findings.fail(format!("{key}: twice: line {line} shows {element:?} {times} times"));
        }
        match adds.get(element) {
            None => findings
                .fail(format!("{key}: invented: line {line} shows {element:?}; nobody added it")),
            Some(add) if add.outcome() == Type::Fail => findings.fail(format!(
                "{key}: invented: line {line} shows {element:?}, whose add failed ({})",
                add.lines()
            )),
            Some(add) if add.begun > line => findings.fail(format!(
                "{key}: invented: line {line} shows {element:?} before its add began ({})",
                add.lines()
            )),
            Some(_) => {}
        }
    }
    let before = |add: &Operation<'_>| add.ok().is_some_and(|(ended, _)| ended < begun);
    let mut acknowledged = 0;
    for (element, add) in adds.iter().filter(|(_, add)| before(add)) {
        acknowledged += 1;
        if !times.contains_key(element) {
            findings.fail(format!(
                "{key}: lost: {element:?} was acknowledged ({}) and line {line} does not show it",
                add.lines()
            ));
        }
    }
    let possible =
        adds.values().filter(|add| add.begun < line && add.outcome() != Type::Fail).count();
    if shown.commits < acknowledged {
        findings.fail(format!(
            "{key}: lost: {} commits at line {line} for {acknowledged} acknowledged adds",
            shown.commits
        ));
    }
    if shown.commits > possible {
        findings.fail(format!(
            "{key}: twice: {} commits at line {line} for at most {possible} adds",
            shown.commits
        ));
    }
    if shown.commits != shown.elements.len() {
        findings.fail(format!(
            "{key}: twice or lost: {} commits and {} elements at line {line}; each add is one commit",
            shown.commits,
            shown.elements.len()
        ));
    }
}
