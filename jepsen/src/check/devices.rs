//! `devices`: revoked means revoked, on every node, from the acknowledgement on.
//!
//! An operation of a device that begins after its revocation was acknowledged is not served. A pull at a known
//! head has one second more; a watch shows nothing that was written later than that second. A device that was once
//! told that it is revoked stays so, nobody is told so whom nobody revoked, and at the end every node says it to
//! every revoked device, by whatever session that asks.
//!
//! Unclear if no device was revoked, or if none tried behind that second: by a pull at a known head, by a watch
//! that had shown it something before, while something was written, and at the end by a session from before.

#[cfg(test)]
mod tests;

use super::findings::Findings;
use crate::{
    history::{Event, History, Operation, Process, Type},
    verdict::Verdict,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// How long a node may serve what it reads without asking the leader.
const WEAK_NS: u64 = 1_000_000_000;

/// What a device does, and on which node.
#[derive(Deserialize)]
struct Use<'a> {
    device: &'a str,
    kind: Kind,
    node: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Push,
    Pull,
    Session,
    Weak,
}

/// A delivery of a watch.
#[derive(Deserialize)]
struct Shown<'a> {
    device: &'a str,
    node: &'a str,
    seq: u64,
}

/// Where an operation is done, and by which device.
#[derive(Deserialize)]
struct At<'a> {
    device: &'a str,
    node: &'a str,
    /// At the end: by which session.
    #[serde(default)]
    session: Session,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Session {
    /// One that was opened before the revocation.
    Kept,
    /// One that is opened for this.
    #[default]
    New,
}

/// What is known of a device.
#[derive(Default)]
struct Device<'a> {
    /// Line and time of the first acknowledged revocation.
    revoked: Option<(usize, u64)>,
    /// Where a revocation first began that may have happened.
    asked: Option<usize>,
    /// Where it was first told that it is revoked.
    told: Option<usize>,
    /// On which nodes it was refused at the end, and whether also by a session from before.
    refused_on: BTreeSet<&'a str>,
    kept_was_refused: bool,
    /// Where a watch first showed it something, and where the last watch ended.
    watched: Option<usize>,
    watched_until: Option<usize>,
    /// Whether it tried a pull at a known head later than it may be served.
    tried: bool,
}

impl Device<'_> {
    /// Until when nodes may show it what they read without asking the leader.
    fn until(&self) -> Option<u64> {
        self.revoked.map(|(_, time)| time.saturating_add(WEAK_NS))
    }
}

/// A write of the owner that was acknowledged.
struct Write {
    began: u64,
    line: usize,
    seq: u64,
}

/// Judges every wallet of the workload.
pub(super) fn check(history: &History) -> Verdict {
    let mut findings = Findings::default();
    let nodes = nodes(history);
    let wallets = history.wallets("devices");
    let (mut revoked, mut tried, mut watched, mut kept) = (false, false, false, false);
    for (key, operations) in &wallets {
        let mut devices = revocations(operations, &mut findings);
        let writes = writes(operations, &mut findings);
        for operation in operations {
            match operation.invoke.op.as_str() {
                "revoke" | "push" => {}
                "watch" => watches(key, operation, &mut devices, &mut findings),
                "use" => used(key, operation, &mut devices, &mut findings),
                "final-use" => used_at_the_end(key, operation, &mut devices, &mut findings),
                other => findings.unclear(format!(
                    "line {}: `{other}` is no operation of devices",
                    operation.begun
                )),
            }
        }
        for (line, event) in deliveries(history, key) {
            delivered(key, line, event, &mut devices, &writes, &mut findings);
        }
        for device in devices.values() {
            revoked |= device.revoked.is_some();
            tried |= device.tried;
            watched |= would_have_been_shown(device, &writes);
            kept |= device.kept_was_refused;
        }
        for (name, device) in devices.iter().filter(|(_, device)| device.revoked.is_some()) {
            for node in nodes.iter().filter(|node| !device.refused_on.contains(**node)) {
                findings.unclear(format!(
                    "{key}: no `final-use` shows that node {node} refuses the revoked device {name}"
                ));
            }
        }
    }
    let mut lacks = |what: &str| findings.unclear(what.to_owned());
    if !revoked {
        lacks("no revocation was acknowledged");
    }
    if !tried {
        lacks("no weak read began more than a second after an acknowledged revocation");
    }
    if !watched {
        lacks(
            "no watch was open while something was written more than a second after an acknowledged revocation",
        );
    }
    if !kept {
        lacks("no revoked device asked at the end by a session from before its revocation");
    }
    if nodes.is_empty() {
        findings.unclear("no node is named, by `run` or by a `final-use`".to_owned());
    }
    findings.verdict()
}

/// Those that serve at the end, or those of the run, or those that were asked.
fn nodes(history: &History) -> BTreeSet<&str> {
    #[derive(Deserialize)]
    struct Nodes<'a> {
        #[serde(borrow)]
        nodes: Vec<&'a str>,
    }
    let of_the_harness = |op: &str| {
        history.events().find(|(_, event)| event.workload == "nemesis" && event.op == op)
    };
    let serving = of_the_harness("heal").and_then(|(_, event)| event.value["targets"].as_array());
    if let Some(serving) = serving.filter(|serving| !serving.is_empty()) {
        return serving.iter().filter_map(|name| name.as_str()).collect();
    }
    let run = of_the_harness("run");
    if let Some(Nodes { nodes }) = run.and_then(|(_, run)| Nodes::deserialize(&run.value).ok()) {
        return nodes.into_iter().collect();
    }
    let asked = history.operations().filter(|operation| operation.invoke.op == "final-use");
    asked.filter_map(|operation| operation.invoke.value["node"].as_str()).collect()
}

fn revocations<'a>(
    operations: &[Operation<'a>],
    findings: &mut Findings,
) -> BTreeMap<&'a str, Device<'a>> {
    let mut devices: BTreeMap<&str, Device<'_>> = BTreeMap::new();
    for operation in operations.iter().filter(|operation| operation.invoke.op == "revoke") {
        let Some(name) = findings.value(operation.begun, operation.invoke) else { continue };
        let device = devices.entry(name).or_default();
        if operation.outcome() != Type::Fail {
            device.asked.get_or_insert(operation.begun);
        }
        if let Some((line, answer)) = operation.ok() {
            let earlier = device.revoked.is_none_or(|(known, _)| line < known);
            device.revoked = if earlier { Some((line, answer.time)) } else { device.revoked };
        }
    }
    devices
}

fn writes(operations: &[Operation<'_>], findings: &mut Findings) -> Vec<Write> {
    #[derive(Deserialize)]
    struct Pushed {
        seq: u64,
    }
    let pushes = operations.iter().filter(|operation| operation.invoke.op == "push");
    let acknowledged = pushes.filter_map(|push| {
        let (line, answer) = push.ok()?;
        let Pushed { seq } = findings.value(line, answer)?;
        Some(Write { began: push.invoke.time, line, seq })
    });
    acknowledged.collect()
}

/// A watch that a device opened, and that ended, or was left when the harness had seen enough.
fn watches<'a>(
    key: &str,
    operation: &Operation<'a>,
    devices: &mut BTreeMap<&'a str, Device<'a>>,
    findings: &mut Findings,
) {
    let asked = findings.value::<At<'_>>(operation.begun, operation.invoke);
    let Some(At { device: name, .. }) = asked else { return };
    let device = devices.entry(name).or_default();
    device.watched_until = device.watched_until.max(operation.ended);
    if operation.refused() {
        told(key, name, operation, device, findings);
    }
}

/// Whether a node that goes on showing things to a device had something to show while that was looking.
fn would_have_been_shown(device: &Device<'_>, writes: &[Write]) -> bool {
    let (Some((revoked, _)), Some(until)) = (device.revoked, device.until()) else { return false };
    device.watched.is_some_and(|watched| watched < revoked)
        && writes.iter().any(|write| write.began > until && Some(write.line) < device.watched_until)
}

fn used<'a>(
    key: &str,
    operation: &Operation<'a>,
    devices: &mut BTreeMap<&'a str, Device<'a>>,
    findings: &mut Findings,
) {
    let Some(Use { device: name, kind, node }) = findings.value(operation.begun, operation.invoke)
    else {
        return;
    };
    let device = devices.entry(name).or_default();
    let lines = operation.lines();
    let late = device.until().is_some_and(|until| operation.invoke.time > until);
    device.tried |= kind == Kind::Weak && late;
    if operation.refused() {
        told(key, name, operation, device, findings);
        return;
    }
    if operation.ok().is_none() {
        return;
    }
    let weak = kind == Kind::Weak;
    if let Some((line, _)) =
        device.revoked.filter(|(line, _)| operation.begun > *line && (!weak || late))
    {
        findings.fail(format!(
            "{key}: served: node {node} serves {name} ({lines}); its revocation was acknowledged at line {line}"
        ));
    }
    if let Some(line) = device.told.filter(|line| !weak && operation.begun > *line) {
        findings.fail(format!(
            "{key}: served again: node {node} serves {name} ({lines}), which was told at line {line} that it is revoked"
        ));
    }
}

/// A refusal as revoked.
fn told(
    key: &str,
    name: &str,
    operation: &Operation<'_>,
    device: &mut Device<'_>,
    findings: &mut Findings,
) {
    let Some(ended) = operation.ended else { return };
    if device.asked.is_none_or(|asked| asked > ended) {
        findings.fail(format!(
            "{key}: invented: {name} is refused as revoked ({}) and nobody had revoked it",
            operation.lines()
        ));
    }
    device.told = Some(device.told.map_or(ended, |known| known.min(ended)));
}

fn used_at_the_end<'a>(
    key: &str,
    operation: &Operation<'a>,
    devices: &mut BTreeMap<&'a str, Device<'a>>,
    findings: &mut Findings,
) {
    let Some(At { device: name, node, session }) =
        findings.value(operation.begun, operation.invoke)
    else {
        return;
    };
    let device = devices.entry(name).or_default();
    let is_new = session == Session::New;
    if operation.refused() {
        device.kept_was_refused |= !is_new;
        device.refused_on.extend(is_new.then_some(node));
        told(key, name, operation, device, findings);
    } else if operation.ok().is_some() && device.revoked.is_some() {
        device.refused_on.insert(node);
        let by = if is_new { "a new session" } else { "a session from before" };
        findings.fail(format!(
            "{key}: served: node {node} serves the revoked device {name} at the end, by {by} ({})",
            operation.lines()
        ));
    }
}

fn deliveries<'a>(history: &'a History, key: &str) -> impl Iterator<Item = (usize, &'a Event)> {
    history.events().filter(move |(_, event)| {
        event.workload == "devices"
            && event.key == key
            && event.kind == Type::Ok
            && event.op == "use"
            && event.value["kind"] == "watch"
            && matches!(event.process, Process::Client(_))
    })
}

fn delivered<'a>(
    key: &str,
    line: usize,
    event: &'a Event,
    devices: &mut BTreeMap<&'a str, Device<'a>>,
    writes: &[Write],
    findings: &mut Findings,
) {
    let Some(Shown { device: name, node, seq }) = findings.value(line, event) else { return };
    let device = devices.entry(name).or_default();
    device.watched.get_or_insert(line);
    let (Some((revoked, _)), Some(until)) = (device.revoked, device.until()) else { return };
    // When it arrived says little: what it shows cannot have been shown before it was there.
    if let Some(write) = writes.iter().find(|write| write.began > until && write.seq <= seq) {
        findings.fail(format!(
            "{key}: served: a watch on node {node} shows {name} number {seq} at line {line}, which is no earlier than \
             the write of line {}; that began more than a second after its revocation was acknowledged at line {revoked}",
            write.line
        ));
    }
}
