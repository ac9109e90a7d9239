//! Pages in HTML: one of a run with its timeline, one of all runs.

use super::{
    Entry,
    chart::{self, escaped},
    counted,
    timeline::Timeline,
    together, told, whole,
};
use crate::{figures::Figures, history::State, left::Left, verdict::Verdict, workload::Workload};
use std::fmt::Write;

/// Reasons of one checker, and letters of one reason, that a page holds.
const REASONS_MAX: usize = 20;
const LETTERS_MAX: usize = 600;

/// No script, no font, no file from elsewhere; light or dark as the reader has it.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c1c1c;--dim:#6b6b6b;--back:#fff;--grid:#e4e4e4;--ok:#3d8f5f;\
--refused:#b9c4bd;--fail:#c9553d;--info:#d9a227;--shade:#c9553d14;--fault:#e7b7ab;--missing:#dcdcdc;\
--n0:#a9c7e8;--n1:#f0d19a;--n2:#b7ddb0;--n3:#d8bfe6;--n4:#f2bcbc;--n5:#bfe3e0}\
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--dim:#9a9a9a;--back:#161616;--grid:#333;--ok:#58b380;\
--refused:#4d5751;--fail:#e0715a;--info:#e0b64f;--shade:#e0715a22;--fault:#6d3a2f;--missing:#3c3c3c;\
--n0:#2f4c6d;--n1:#6b5322;--n2:#335c35;--n3:#54406a;--n4:#6d3838;--n5:#2f5d5a}}\
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:1060px;\
margin:2em auto;padding:0 1em}h1{font-size:1.4em}h2{font-size:1.05em;margin:1.6em 0 .4em}\
table{border-collapse:collapse}td,th{padding:.2em .7em;border-bottom:1px solid var(--grid);text-align:left}\
code{font-size:.9em;overflow-wrap:anywhere}.dim{color:var(--dim)}.fail{color:var(--fail);fill:var(--fail)}\
.unknown,.skipped{color:var(--info)}svg{width:100%;height:auto;display:block;overflow:visible}\
svg text{font:10px system-ui,sans-serif;fill:var(--ink)}svg .tick{fill:var(--dim);text-anchor:middle}\
svg .level{fill:var(--dim);text-anchor:end}.grid{stroke:var(--grid)}.shade{fill:var(--shade)}\
.ok{fill:var(--ok)}.refused{fill:var(--refused)}.info{fill:var(--info)}.fault{fill:var(--fault)}\
.missing{fill:var(--missing)}.line{fill:none;stroke-width:1.2}.p50{stroke:var(--ok)}.p99{stroke:var(--info)}\
.max{stroke:var(--fail)}.node0{fill:var(--n0)}.node1{fill:var(--n1)}.node2{fill:var(--n2)}\
.node3{fill:var(--n3)}.node4{fill:var(--n4)}.node5{fill:var(--n5)}\
.key::before{content:\"\";display:inline-block;width:.8em;height:.8em;margin:0 .35em 0 1em}\
.key.k-ok::before,.key.k-p50::before{background:var(--ok)}.key.k-refused::before{background:var(--refused)}\
.key.k-fail::before,.key.k-max::before{background:var(--fail)}\
.key.k-info::before,.key.k-p99::before{background:var(--info)}";

fn framed(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n{body}</body></html>\n"
    )
}

/// A word with the class that colours it.
fn word(word: &str) -> String {
    format!("<span class=\"{word}\">{word}</span>")
}

/// What the colours of a chart stand for.
fn key(entries: &[&str]) -> String {
    let each = entries.iter().map(|name| format!("<span class=\"key k-{name}\">{name}</span>"));
    each.collect()
}

/// The page of a run.
pub(super) fn run(left: &Left, figures: &Figures, timeline: &Timeline) -> String {
    let title = format!("{}, seed {}: {}", escaped(&left.nemesis), left.seed, left.verdict);
    let mut body = String::new();
    // Nothing that is written to a string fails.
    let _ = of_run(&mut body, &title, left, figures, timeline);
    framed(&title, &body)
}

fn of_run(
    body: &mut String,
    title: &str,
    left: &Left,
    figures: &Figures,
    timeline: &Timeline,
) -> std::fmt::Result {
    let count = figures.all;
    let of = |state| figures.faults.iter().filter(|fault| fault.state == state).count();
    writeln!(body, "<h1>{title}</h1>")?;
    writeln!(
        body,
        "<p>{} operations: {} ok, {} refused by a rule, {} fail, {} in doubt; {} acknowledged while a fault \
         was active. {} faults installed, {} skipped, {} unclear, {} refused. Longest time without an acknowledged write: {}.</p>",
        count.operations,
        count.ok,
        count.refused,
        count.fail,
        count.info,
        figures.under_fault,
        of(State::Installed),
        of(State::Skipped),
        of(State::Unclear),
        of(State::Refused),
        figures.longest.map_or("-".to_owned(), |(at, ns)| format!(
            "{} from {}",
            told(ns),
            told(at)
        )),
    )?;
    writeln!(
        body,
        "<p class=\"dim\">{}commit {}, {} nodes, network {}</p>",
        if left.date.is_empty() { String::new() } else { format!("{} UTC, ", escaped(&left.date)) },
        escaped(&left.commit),
        left.nodes,
        escaped(&left.network),
    )?;
    let keys = key(&["ok", "refused", "fail", "info"]);
    writeln!(body, "<h2>Operations per second {keys}</h2>")?;
    body.push_str(&chart::operations(timeline, &figures.faults));
    writeln!(body, "<h2>Faults</h2>")?;
    body.push_str(&chart::faults(timeline, &figures.faults));
    writeln!(body, "<h2>Leaders</h2>")?;
    body.push_str(&chart::leaders(timeline));
    if timeline.leaders_left_out > 0 {
        let more = timeline.leaders_left_out;
        writeln!(body, "<p class=\"dim\">{more} later changes are not drawn.</p>")?;
    }
    writeln!(body, "<h2>Latency of acknowledged operations {}</h2>", key(&["p50", "p99", "max"]))?;
    body.push_str(&chart::latency(timeline, &figures.faults));
    writeln!(body, "<h2>Verdicts</h2>\n<table>")?;
    let workloads = Workload::ALL.map(Workload::name).into_iter();
    for name in workloads.chain(whole(left)) {
        let reasons = left.checkers.get(name).map_or(&[][..], Verdict::reasons);
        let mut told = String::new();
        for reason in reasons.iter().take(REASONS_MAX) {
            let short: String = reason.chars().take(LETTERS_MAX).collect();
            write!(told, "{}<br>", escaped(&short))?;
        }
        writeln!(
            body,
            "<tr><td>{}</td><td>{}</td><td>{told}</td></tr>",
            escaped(name),
            word(left.word(name))
        )?;
    }
    writeln!(body, "</table>")?;
    if !left.repeat.is_empty() {
        writeln!(body, "<p>Again: <code>{}</code></p>", escaped(&left.repeat))?;
    }
    Ok(())
}

/// The page of all runs.
pub(super) fn index(entries: &[Entry], note: &str) -> String {
    let title = format!("Campaign: {}", together(entries).word());
    let mut body = String::new();
    let _ = of_all(&mut body, &title, entries, note);
    framed(&title, &body)
}

fn of_all(body: &mut String, title: &str, entries: &[Entry], note: &str) -> std::fmt::Result {
    writeln!(body, "<h1>{title}</h1>\n<p>{}. {}</p>", counted(entries), escaped(note))?;
    writeln!(body, "<p><a href=\"summary.md\">All figures</a></p>\n<table><tr><th>nemesis</th>")?;
    for name in Workload::ALL.map(Workload::name).into_iter().chain(["as a whole", "operations"]) {
        write!(body, "<th>{name}</th>")?;
    }
    writeln!(body, "</tr>")?;
    for entry in entries {
        let page = if entry.figures.is_some() { "index.html" } else { "verdict.json" };
        write!(
            body,
            "<tr><td><a href=\"{}/{page}\">{}</a></td>",
            escaped(&entry.dir),
            escaped(&entry.left.nemesis)
        )?;
        for (_, said) in entry.words() {
            write!(body, "<td>{}</td>", word(said))?;
        }
        let wrong: Vec<String> = whole(&entry.left)
            .into_iter()
            .filter(|name| entry.left.word(name) != "pass")
            .map(|name| format!("{} {}", escaped(name), word(entry.left.word(name))))
            .collect();
        let said = match (wrong.is_empty(), entry.left.skipped.is_empty()) {
            (_, false) => escaped(&entry.left.skipped.join("; ")),
            (true, true) => word("pass"),
            (false, true) => wrong.join(", "),
        };
        let operations = entry.figures.as_ref().map_or(0, |figures| figures.all.operations);
        writeln!(body, "<td>{said}</td><td>{operations}</td></tr>")?;
    }
    writeln!(body, "</table>")
}
