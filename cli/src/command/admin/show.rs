//! The answers of a cluster to its operator, as text and as JSON.

use crate::output::Output;
use proto::admin::{BackupNote, BootstrapReply, Group, JoinReply, Node, Promise, StatusReply};
use serde_json::{Value, json};

pub(super) fn bootstrapped(reply: &BootstrapReply, output: &Output) {
    let cluster = hex(&reply.cluster);
    if output.is_json() {
        return output.value(&json!({ "cluster": cluster, "nodes": nodes_json(&reply.nodes) }));
    }
    output.line(format!("cluster {cluster} is formed"));
    print_nodes(&reply.nodes, output);
}

pub(super) fn joined(reply: &JoinReply, output: &Output) {
    let Some(node) = &reply.node else {
        return output.result("the node is taken in", &json!({ "node": null }));
    };
    output.result(
        format!(
            "{} is node {} and catches up; `admin status` shows how far it is",
            node.name, node.id
        ),
        &json!({ "node": node_json(node) }),
    );
}

pub(super) fn status(reply: &StatusReply, output: &Output) {
    if output.is_json() {
        return output.value(&json!({
            "cluster": hex(&reply.cluster),
            "node": reply.node,
            "version": reply.version,
            "bootstrapped": reply.bootstrapped,
            "locked": reply.locked,
            "zero_loss": promise_json(reply.zero_loss.as_ref()),
            "self_healing": promise_json(reply.self_healing.as_ref()),
            "format_level": reply.format_level,
            "nodes": nodes_json(&reply.nodes),
            "groups": groups_json(&reply.groups),
            "backup_taken": backup_json(reply.backup_taken.as_ref()),
            "backup_verified": backup_json(reply.backup_verified.as_ref()),
            "repair": reply.repair,
            "disk_low": reply.disk_low,
            "repairs": reply.repairs,
        }));
    }
    let lock = if reply.locked { ", LOCKED: run `holdfast admin unlock`" } else { "" };
    output.line(format!("asked         {} (holdfast {}{lock})", reply.node, reply.version));
    if !reply.repair.is_empty() {
        output.line(format!("repair        {}", reply.repair));
    }
    if reply.disk_low {
        output
            .line("disk          BELOW ITS RESERVE: this node refuses pushes until there is room");
    }
    for repair in &reply.repairs {
        output.line(format!("repair        {repair}"));
    }
    if !reply.bootstrapped {
        output.line("cluster       none yet: run `holdfast admin bootstrap`");
        return;
    }
    output.line(format!("cluster       {}", hex(&reply.cluster)));
    output.line(format!("zero_loss     {}", promise_text(reply.zero_loss.as_ref())));
    output.line(format!("self_healing  {}", promise_text(reply.self_healing.as_ref())));
    output.line(format!("format_level  {}", reply.format_level));
    output.line(format!("backup        {}", backup_text(reply.backup_taken.as_ref())));
    output.line(format!("drill         {}", backup_text(reply.backup_verified.as_ref())));
    output.line("");
    print_nodes(&reply.nodes, output);
    output.line("");
    print_groups(&reply.groups, output);
}

pub(super) fn nodes(nodes: &[Node], output: &Output) {
    if output.is_json() {
        return output.value(&json!({ "nodes": nodes_json(nodes) }));
    }
    print_nodes(nodes, output);
}

pub(super) fn groups(groups: &[Group], output: &Output) {
    if output.is_json() {
        return output.value(&json!({ "groups": groups_json(groups) }));
    }
    print_groups(groups, output);
}

fn print_nodes(nodes: &[Node], output: &Output) {
    output.line(format!(
        "{:>4} {:<12} {:<8} {:<8} {:<9} {:<10} {:<30} PEER",
        "ID", "NODE", "DC", "ROLE", "STATE", "REACHABLE", "ENDPOINT"
    ));
    for node in nodes {
        let reachable = if node.reachable { "yes" } else { "NO" };
        output.line(format!(
            "{:>4} {:<12} {:<8} {:<8} {:<9} {reachable:<10} {:<30} {}",
            node.id, node.name, node.dc, node.role, node.state, node.endpoint, node.peer
        ));
    }
}

fn print_groups(groups: &[Group], output: &Output) {
    output.line(format!(
        "{:>5} {:<12} {:>5} {:>10} {:>10} {:<9} {:<16} REPLICAS (data centre, entries behind)",
        "GROUP", "LEADER", "TERM", "COMMITTED", "APPLIED", "ZERO_LOSS", "DIGEST"
    ));
    for group in groups {
        let leader = if group.leader.is_empty() { "none" } else { &group.leader };
        let digest = hex(&group.digest);
        output.line(format!(
            "{:>5} {leader:<12} {:>5} {:>10} {:>10} {:<9} {:<16} {}",
            group.id,
            group.term,
            group.committed,
            group.applied,
            if group.zero_loss { "yes" } else { "NO" },
            digest.get(..16).unwrap_or(&digest),
            replicas_text(group),
        ));
    }
}

fn replicas_text(group: &Group) -> String {
    let each = group.replicas.iter().map(|replica| {
        let lag = replica.lag.map_or_else(|| "?".to_owned(), |lag| lag.to_string());
        let learner = if replica.kind == "voter" { "" } else { " learner" };
        format!("{}{learner} ({}, {lag})", replica.name, replica.dc)
    });
    each.collect::<Vec<_>>().join("  ")
}

fn backup_text(note: Option<&BackupNote>) -> String {
    note.map_or_else(|| "never".to_owned(), |note| server::backup::time_text(note.time_ms))
}

fn backup_json(note: Option<&BackupNote>) -> Value {
    note.map_or(Value::Null, |note| json!({ "hash": hex(&note.backup), "time_ms": note.time_ms }))
}

fn promise_text(promise: Option<&Promise>) -> String {
    promise.map_or_else(
        || "not known".to_owned(),
        |promise| format!("{} ({})", promise.held, promise.reason),
    )
}

fn promise_json(promise: Option<&Promise>) -> Value {
    promise.map_or(Value::Null, |promise| json!({ "held": promise.held, "reason": promise.reason }))
}

pub(super) fn nodes_json(nodes: &[Node]) -> Vec<Value> {
    nodes.iter().map(node_json).collect()
}

fn node_json(node: &Node) -> Value {
    json!({
        "id": node.id, "name": node.name, "dc": node.dc, "role": node.role, "peer": node.peer,
        "endpoint": node.endpoint, "state": node.state, "reachable": node.reachable,
    })
}

fn groups_json(groups: &[Group]) -> Vec<Value> {
    let replica = |replica: &proto::admin::Replica| {
        json!({
            "node": replica.node, "name": replica.name, "dc": replica.dc, "kind": replica.kind,
            "lag": replica.lag,
        })
    };
    let group = |group: &Group| {
        json!({
            "id": group.id, "leader": group.leader, "term": group.term,
            "committed": group.committed, "applied": group.applied, "zero_loss": group.zero_loss,
            "digest": hex(&group.digest), "digest_index": group.digest_index,
            "replicas": group.replicas.iter().map(replica).collect::<Vec<_>>(),
        })
    };
    groups.iter().map(group).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
