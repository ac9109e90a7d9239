//! `holdfast admin recover`: going on without data centres that are lost.

use super::{connection::Connection, show};
use crate::{failure::Failure, output::Output};
use anyhow::anyhow;
use proto::admin::{GroupRecovery, Node, RecoverReply, RecoverRequest, StatusReply, StatusRequest};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the survivors may take to be a cluster again.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(super) struct RecoverArgs {
    /// The data centres that go on; all others are given up.
    #[arg(long, value_name = "DC", value_delimiter = ',', required = true)]
    surviving: Vec<String>,
    /// Approve the plan of this name, as it was shown. It begins when two operators with different
    /// certificates have approved it within 15 minutes.
    #[arg(long, value_name = "PLAN", value_parser = plan_name)]
    approve: Option<[u8; 32]>,
}

fn plan_name(text: &str) -> Result<[u8; 32], String> {
    let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digit).collect();
    let name = bytes.and_then(|bytes| bytes.try_into().ok());
    name.ok_or_else(|| {
        "a plan's name is 64 hexadecimal digits, as `admin recover` shows it".to_owned()
    })
}

pub(super) async fn run(
    args: RecoverArgs,
    connection: &Connection,
    output: &Output,
) -> Result<(), Failure> {
    let RecoverArgs { surviving, approve } = args;
    let look = RecoverRequest { surviving: surviving.clone(), plan: Vec::new() };
    let ask = async |mut node: super::connection::Asked, request| node.recover(request).await;
    let mut reply = connection.call(look, ask).await?;
    if let Some(plan) = approve {
        if reply.plan != plan {
            show_plan(&reply, &surviving, output);
            return Err(Failure::refused(anyhow!(
                "what would be done now is plan {}, and not the one that you approve: look at it again",
                show::hex(&reply.plan)
            )));
        }
        let coordinator = reply.coordinator.clone().unwrap_or_default();
        let mut node = connection.to(&coordinator.endpoint).await?;
        let request = RecoverRequest { surviving: surviving.clone(), plan: plan.to_vec() };
        reply = node.recover(request).await?.into_inner();
    }
    show_plan(&reply, &surviving, output);
    if reply.begun {
        let lost: Vec<u64> = reply.lost.iter().map(|node| node.id).collect();
        let left =
            connection.at(reply.survivors.iter().map(|node| node.endpoint.clone()).collect());
        wait(&left, &lost).await?;
        output.line("The survivors are the cluster. `holdfast admin status` says how it goes on.");
    }
    Ok(())
}

/// Until every group has a leader and the lost nodes are fenced.
async fn wait(left: &Connection, lost: &[u64]) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    let goes_on = |status: &StatusReply| {
        let fenced = |id: &u64| {
            let node = status.nodes.iter().find(|node| node.id == *id);
            node.is_none_or(|node| node.state == "fenced" || node.state == "removed")
        };
        let named = |id: &u64| {
            status
                .groups
                .iter()
                .any(|group| group.replicas.iter().any(|replica| replica.node == *id))
        };
        let led = status.groups.iter().all(|group| !group.leader.is_empty());
        led && !status.groups.is_empty() && lost.iter().all(|id| fenced(id) && !named(id))
    };
    loop {
        let ask = async |mut node: super::connection::Asked, request| node.status(request).await;
        let status = left.call(StatusRequest { local: false }, ask).await;
        match status {
            Ok(status) if goes_on(&status) => return Ok(()),
            _ if Instant::now() >= until => {
                return Err(Failure::unavailable(anyhow!(
                    "the recovery has begun and goes on by itself, but is not at its end after {} s: see \
                     `holdfast admin status`, and start survivors that do not run",
                    PATIENCE.as_secs()
                )));
            }
            _ => sleep(LOOK).await,
        }
    }
}

fn show_plan(reply: &RecoverReply, surviving: &[String], output: &Output) {
    let plan = show::hex(&reply.plan);
    if output.is_json() {
        let group = |group: &GroupRecovery| {
            let voters: Vec<&[u64]> = group.voters.iter().map(|set| set.nodes.as_slice()).collect();
            json!({
                "group": group.group, "voters": voters, "then": group.then, "furthest": group.furthest,
                "last": group.last,
            })
        };
        return output.value(&json!({
            "plan": plan,
            "survivors": show::nodes_json(&reply.survivors),
            "lost": show::nodes_json(&reply.lost),
            "groups": reply.groups.iter().map(group).collect::<Vec<_>>(),
            "zero_loss": reply.zero_loss,
            "coordinator": reply.coordinator.as_ref().map(|node| node.name.clone()),
            "approved_by": reply.approved_by,
            "begun": reply.begun,
        }));
    }
    output.line(format!("plan          {plan}"));
    output.line(format!("goes on       {}", named(&reply.survivors)));
    output.line(format!("is given up   {}", named(&reply.lost)));
    output.line("");
    output.line(
        "What will happen: every survivor starts again twice and hears no node that is given up any more; in each \
         group\nthat has no majority left, the survivor whose log goes furthest makes the survivors the voters. The \
         nodes that\nare given up are fenced: their machines come back under new ids, without what they alone had.",
    );
    output.line("");
    output.line(
        "Why nothing acknowledged is lost: a write was acknowledged when a majority of its group's voters had it on \
         disk.\nThe nodes that are given up are a majority of no voter set below. So every majority has a survivor in \
         it, and the\nsurvivor whose log goes furthest has everything that was acknowledged (Raft, section 5.4.1).",
    );
    output.line("");
    output.line(format!(
        "{:>5}  {:<24} {:>8}  {:<24} {:<16} FURTHEST LOG",
        "GROUP", "VOTERS", "MAJORITY", "OF THEM GIVEN UP", "THEN"
    ));
    for group in &reply.groups {
        for (at, set) in group.voters.iter().enumerate() {
            let lost = |id: &&u64| reply.lost.iter().any(|node| node.id == **id);
            let lost: Vec<u64> = set.nodes.iter().filter(lost).copied().collect();
            let last =
                group.last.map_or_else(|| "empty".to_owned(), |last| format!("to entry {last}"));
            let (number, then, furthest) = match at {
                0 if group.then.is_empty() => {
                    (group.group.to_string(), "goes on".to_owned(), String::new())
                }
                0 => (
                    group.group.to_string(),
                    list(&group.then),
                    format!("node {}, {last}", group.furthest),
                ),
                _ => ("and".to_owned(), String::new(), String::new()),
            };
            output.line(format!(
                "{number:>5}  {:<24} {:>8}  {:<24} {then:<16} {furthest}",
                list(&set.nodes),
                set.nodes.len() / 2 + 1,
                list(&lost),
            ));
        }
    }
    output.line("");
    if !reply.zero_loss {
        output.line(
            "Afterwards    the loss of the data centre that is left loses what is acknowledged from then on, until nodes \
             of\n              another one are back: `zero_loss` says false until then.",
        );
    }
    output.line(
        "Be sure       that what is given up is off and stays off until this is at its end. A data centre that only \
         cannot\n              be reached, and is told the same about this one, makes two clusters of one.",
    );
    output.line("");
    let approved = match reply.approved_by.as_slice() {
        [] => "nobody".to_owned(),
        names => names.join(", "),
    };
    output.line(format!("approved by   {approved}"));
    if reply.begun {
        output.line("begun         nothing takes it back");
    } else {
        output.line(format!(
            "to approve    holdfast admin recover --surviving {} --approve {plan}\n              by two operators with \
             different certificates, within 15 minutes",
            surviving.join(",")
        ));
    }
}

fn named(nodes: &[Node]) -> String {
    let each = nodes.iter().map(|node| format!("{} (node {}, {})", node.name, node.id, node.dc));
    each.collect::<Vec<_>>().join(", ")
}

fn list(ids: &[u64]) -> String {
    ids.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}
