//! `wallet push`, `pull`, `watch`.

use crate::{failure::Failure, output::Output};
use client::{MergeReport, PullReport, Wallet};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use tokio::signal;

pub(super) async fn push(wallet: &mut Wallet, output: &Output) -> Result<(), Failure> {
    let report = wallet.push().await?;
    let text = match report.commits {
        0 => format!("nothing to push; the head is number {}", report.seq),
        _ => format!(
            "pushed: {} written, {} removed; the head is number {}{}",
            report.written,
            report.removed,
            report.seq,
            merged_text(&report.merged)
        ),
    };
    output.result(
        text,
        &json!({
            "seq": report.seq, "commits": report.commits, "written": report.written,
            "removed": report.removed, "merged": merged_json(&report.merged),
        }),
    );
    Ok(())
}

pub(super) async fn pull(wallet: &mut Wallet, output: &Output) -> Result<(), Failure> {
    let report = wallet.pull().await?;
    show(&report, output);
    Ok(())
}

pub(super) async fn watch(wallet: &mut Wallet, output: &Output) -> Result<(), Failure> {
    output.say(format!("watching wallet {}; Ctrl-C ends it", wallet.id()));
    let follow = wallet.watch(|report| {
        show(report, output);
        ControlFlow::Continue(())
    });
    tokio::select! {
        ended = follow => Ok(ended?),
        interrupted = signal::ctrl_c() => Ok(interrupted?),
    }
}

fn show(report: &PullReport, output: &Output) {
    let text = match report.unchanged {
        true => format!("nothing new; the head is number {}", report.seq),
        false => format!(
            "pulled: {} changed, {} removed; the head is number {}{}",
            report.changed.len(),
            report.removed,
            report.seq,
            merged_text(&report.merged)
        ),
    };
    output.result(
        text,
        &json!({
            "seq": report.seq, "unchanged": report.unchanged, "changed": report.changed,
            "removed": report.removed, "merged": merged_json(&report.merged),
        }),
    );
}

fn merged_text(report: &MergeReport) -> String {
    let mut text = String::new();
    for (names, what) in [
        (&report.set_aside, "changed elsewhere too, your value set aside in its conflicts"),
        (&report.survived, "deleted elsewhere, kept because you changed it"),
        (&report.kept, "kept because it was changed elsewhere"),
    ] {
        for name in names {
            text.push_str(&format!("\n{name}: {what}"));
        }
    }
    text
}

fn merged_json(report: &MergeReport) -> Value {
    json!({ "set_aside": report.set_aside, "survived": report.survived, "kept": report.kept })
}
