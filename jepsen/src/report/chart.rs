//! Charts over the time of a run as SVG, with classes in place of colours: the page has those, for light and
//! dark.

use super::{timeline::Timeline, told};
use crate::{
    figures::Span,
    history::{Leader, State},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// The width of the area that is drawn in, and what is left of it.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
/// How high a chart is, and a bar.
const HEIGHT: f64 = 140.0;
const BAR: f64 = 16.0;
/// Bars that are drawn; more of them say nothing to the eye.
const BARS_MAX: usize = 400;
/// Lanes for bars at the same time.
const LANES_MAX: usize = 6;

/// Where a time stands.
fn x(timeline: &Timeline, ns: u64) -> f64 {
    LEFT + WIDTH * (ns as f64 / timeline.end_ns.max(1) as f64).min(1.0)
}

/// A chart of this height, with seconds below.
fn framed(timeline: &Timeline, height: f64, label: &str, inside: &str) -> String {
    let mut axis = String::new();
    let seconds = timeline.end_ns / 1_000_000_000;
    let step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600]
        .into_iter()
        .find(|step| seconds / step <= 12)
        .unwrap_or(7_200);
    for second in (0..=seconds).step_by(step as usize) {
        let at = x(timeline, second * 1_000_000_000);
        let _ = write!(
            axis,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{height:.0}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.0}\">{second} s</text>",
            height + 14.0
        );
    }
    format!(
        "<svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"{label}\">{axis}{inside}</svg>\n",
        LEFT + WIDTH + 12.0,
        height + 20.0
    )
}

/// Lines across, each with what it stands for.
fn levels(marks: &[(f64, String)]) -> String {
    let mut lines = String::new();
    for (y, text) in marks {
        let _ = write!(
            lines,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"level\" x=\"{:.0}\" y=\"{:.1}\">{text}</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            y + 4.0
        );
    }
    lines
}

/// Where faults were, behind a chart.
fn shade(timeline: &Timeline, faults: &[Span], height: f64) -> String {
    let mut bands = String::new();
    for fault in faults.iter().filter(|fault| fault.state != State::Skipped).take(BARS_MAX) {
        let (from, to) = (x(timeline, fault.start_ns), x(timeline, fault.stop_ns));
        let width = (to - from).max(1.0);
        let _ = write!(
            bands,
            "<rect class=\"shade\" x=\"{from:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{height:.0}\"/>"
        );
    }
    bands
}

/// Operations in a second, by their ends, one above the other.
pub(super) fn operations(timeline: &Timeline, faults: &[Span]) -> String {
    let seconds = timeline.piece_ns as f64 / 1e9;
    let rates: Vec<[f64; 4]> = timeline
        .pieces
        .iter()
        .map(|piece| {
            let count = piece.count;
            [count.ok, count.refused, count.fail, count.info].map(|n| n as f64 / seconds)
        })
        .collect();
    let most = rates.iter().map(|rate| rate.iter().sum::<f64>()).fold(1.0, f64::max);
    let y = |rate: f64| HEIGHT - (HEIGHT - 8.0) * rate / most;
    let mut inside = shade(timeline, faults, HEIGHT);
    inside += &levels(&[(y(0.0), "0".to_owned()), (y(most), format!("{most:.0}/s"))]);
    for (number, class) in ["ok", "refused", "fail", "info"].iter().enumerate() {
        let mut path = String::new();
        for (at, rate) in rates.iter().enumerate().filter(|(_, rate)| rate[number] > 0.0) {
            let below: f64 = rate[..number].iter().sum();
            let from = x(timeline, at as u64 * timeline.piece_ns);
            let to = x(timeline, (at as u64 + 1) * timeline.piece_ns);
            let (low, high) = (y(below), y(below + rate[number]));
            let _ = write!(path, "M{from:.1} {low:.1}V{high:.1}H{to:.1}V{low:.1}Z");
        }
        let _ = write!(inside, "<path class=\"{class}\" d=\"{path}\"/>");
    }
    framed(timeline, HEIGHT, "operations per second", &inside)
}

/// How long acknowledged operations took, on a scale of powers of ten.
pub(super) fn latency(timeline: &Timeline, faults: &[Span]) -> String {
    let each = || timeline.pieces.iter().filter_map(|piece| piece.latency_ns);
    let most = each().map(|[_, _, max]| max).max().unwrap_or(1) as f64 / 1e6;
    let top = most.max(10.0).log10().ceil();
    let y = |ns: u64| {
        let ms = (ns as f64 / 1e6).max(1.0);
        HEIGHT - (HEIGHT - 8.0) * ms.log10() / top
    };
    let powers = (0..=top as u32).map(|power| 10_u64.pow(power) * 1_000_000);
    let marks: Vec<(f64, String)> = powers.map(|ns| (y(ns), told(ns))).collect();
    let mut inside = shade(timeline, faults, HEIGHT) + &levels(&marks);
    for (number, class) in [(2, "max"), (1, "p99"), (0, "p50")] {
        let mut path = String::new();
        let mut pen = 'M';
        for (at, piece) in timeline.pieces.iter().enumerate() {
            // A piece without any is a gap in the line.
            let Some(latency) = piece.latency_ns else {
                pen = 'M';
                continue;
            };
            let from = x(timeline, at as u64 * timeline.piece_ns);
            let to = x(timeline, (at as u64 + 1) * timeline.piece_ns);
            let _ = write!(path, "{pen}{from:.1} {:.1}H{to:.1}", y(latency[number]));
            pen = 'L';
        }
        let _ = write!(inside, "<path class=\"line {class}\" d=\"{path}\"/>");
    }
    framed(timeline, HEIGHT, "latency of acknowledged operations", &inside)
}

/// Faults as bars with their targets.
pub(super) fn faults(timeline: &Timeline, faults: &[Span]) -> String {
    let mut lanes: Vec<u64> = Vec::new();
    let mut inside = String::new();
    for fault in faults.iter().take(BARS_MAX) {
        let free = lanes.iter().position(|end| *end <= fault.start_ns);
        let lane = free.unwrap_or(lanes.len().min(LANES_MAX - 1));
        if lane == lanes.len() {
            lanes.push(0);
        }
        lanes[lane] = lanes[lane].max(fault.stop_ns);
        let (from, to) = (x(timeline, fault.start_ns), x(timeline, fault.stop_ns));
        let (top, width) = (lane as f64 * (BAR + 3.0), (to - from).max(2.0));
        let (class, word) = match fault.state {
            State::Installed => ("fault", String::new()),
            state => ("missing", format!(" ({}: {})", state.word(), fault.reason)),
        };
        let name = escaped(&fault.fault);
        let targets = escaped(&fault.targets.join(" "));
        // About 6 units to a letter; what does not fit is in the title.
        let letters = (width / 6.0) as usize;
        let label: String = format!("{} {}", fault.fault, fault.targets.join(" "));
        let label: String = label.chars().take(letters).collect();
        let _ = write!(
            inside,
            "<g><title>{name} {targets}{}, {} to {}</title>\
             <rect class=\"{class}\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            escaped(&word),
            told(fault.start_ns),
            told(fault.stop_ns),
            from + 3.0,
            top + BAR - 4.0,
            if letters > 2 { escaped(&label) } else { String::new() },
        );
    }
    framed(timeline, lanes.len().max(1) as f64 * (BAR + 3.0), "faults", &inside)
}

/// Who led each group, as bars; a gap is a time in which nobody was known to lead.
pub(super) fn leaders(timeline: &Timeline) -> String {
    let mut groups: BTreeMap<u64, Vec<&(u64, Leader)>> = BTreeMap::new();
    for change in &timeline.leaders {
        groups.entry(change.1.group).or_default().push(change);
    }
    let nodes: BTreeSet<&str> =
        timeline.leaders.iter().filter_map(|(_, leader)| leader.node.as_deref()).collect();
    let mut inside = String::new();
    for (lane, (group, seen)) in groups.iter().enumerate() {
        let top = lane as f64 * (BAR + 3.0);
        let _ = write!(
            inside,
            "<text class=\"level\" x=\"{:.0}\" y=\"{:.1}\">group {group}</text>",
            LEFT - 6.0,
            top + BAR - 4.0
        );
        let ends = seen.iter().skip(1).map(|(time, _)| *time).chain([timeline.end_ns]);
        for ((time, Leader { node, term, .. }), end) in seen.iter().zip(ends) {
            let Some(node) = node.as_deref() else { continue };
            let (from, to) = (x(timeline, *time), x(timeline, end));
            let place = nodes.iter().position(|known| *known == node).unwrap_or(0) % 6;
            let width = (to - from).max(1.0);
            let name = escaped(node);
            let label = if width > 24.0 { name.as_str() } else { "" };
            let _ = write!(
                inside,
                "<g><title>group {group}: {name} in term {term} from {}</title>\
                 <rect class=\"node{place}\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR}\"/>\
                 <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{label}</text></g>",
                told(*time),
                from + 3.0,
                top + BAR - 4.0,
            );
        }
    }
    framed(timeline, groups.len().max(1) as f64 * (BAR + 3.0), "leaders", &inside)
}

/// Text as it stands in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
