//! Nodes that have too little: files, memory.

use client::Record;
use server::cluster::{Cluster, Scratch};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tests::{Lab, Plan, crowd::Crowd, lab, raw};

/// A program that starts `holdfast` as `prefix` says, in place of itself.
fn wrapped(scratch: &Scratch, prefix: &str) -> PathBuf {
    let script = scratch.path().join("holdfast");
    let text = format!("#!/bin/sh\n{prefix} {} \"$@\"\n", lab::binary().display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// A lab whose nodes are started so.
async fn started(plan: Plan, prefix: &str) -> Lab {
    let scratch = Scratch::new("holdfast-starved").unwrap();
    let mut options = plan.options(scratch.path().join("cluster"));
    options.program = wrapped(&scratch, prefix);
    let cluster = Cluster::start(&options).await.unwrap_or_else(|error| panic!("start: {error}"));
    Lab::around(cluster, scratch)
}

/// Attack 48: with 256 files strangers get a quarter of them, and the database always has its own.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_take_the_files_of_the_database() {
    if !Path::new("/usr/bin/prlimit").exists() {
        return println!("SKIPPED: there is no prlimit to take files away with");
    }
    let lab = started(Plan::of(1), "exec prlimit --nofile=256:256").await;
    let (mut wallet, code) = lab.wallet("phone").await;
    let to = raw::address(&lab.cluster.endpoints()[0]);
    let mut held = Vec::new();
    for _ in 0..400 {
        held.extend(raw::plain(to, None).await);
    }
    drop(held);
    for number in 0..50 {
        wallet.put(Record::new("opaque", format!("{number}"), vec![7; 100_000])).unwrap();
        wallet.push().await.unwrap_or_else(|error| panic!("push: {error}"));
    }
    let log = lab.log(0);
    assert!(log.contains("fewer connections than limits.connections"), "{log}");
    assert!(!log.contains("cannot go on"), "{log}");
    let again = lab.device(&code, "tablet").await;
    assert_eq!(again.get("49").unwrap().body.len(), 100_000);
}

/// A control group of one kind, gone when dropped.
struct ControlGroup(PathBuf);

impl ControlGroup {
    /// A group that lets its processes have so much memory; none where this may not make one.
    fn of_memory(bytes: u64) -> Option<ControlGroup> {
        let name = format!("holdfast-test-{}", std::process::id());
        for (root, limit) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let group = ControlGroup(Path::new(root).join(&name));
            if fs::create_dir(&group.0).is_ok()
                && fs::write(group.0.join(limit), bytes.to_string()).is_ok()
            {
                return Some(group);
            }
        }
        None
    }

    fn procs(&self) -> String {
        self.0.join("cgroup.procs").display().to_string()
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Attack 47: with 256 MiB a node sheds load rather than dies; were it killed, nothing acknowledged
/// would be lost.
#[tokio::test(flavor = "multi_thread")]
async fn with_little_memory_nothing_acknowledged_is_lost() {
    let Some(group) = ControlGroup::of_memory(256 << 20) else {
        return println!("SKIPPED: no control group can be made here, so no memory is taken away");
    };
    let plan = Plan::of(1)
        .setting("memory.block_cache_mib", 8)
        .setting("memory.write_buffer_mib", 8)
        .setting("limits.request_mib", 48)
        .setting("limits.forwarded_mib", 32)
        .setting("limits.proposals_mib", 32)
        .setting("limits.stream_mib", 32);
    let mut lab = started(plan, &format!("echo $$ > {}; exec", group.procs())).await;
    let pid = lab.cluster.nodes()[0].pid().unwrap().to_string();
    let held = fs::read_to_string(group.procs()).unwrap();
    assert!(held.lines().any(|line| line == pid), "the node is not in the group: {held:?}");
    let crowd = Crowd::start(&lab, 8, 200_000).await;
    crowd.progress(200).await;
    let clients = crowd.finish().await;
    let killed = lab.cluster.node(0).unwrap().process().unwrap().exited().unwrap();
    if killed.is_some() {
        println!("the node was killed for its memory: {killed:?}");
        lab.restart(0).await;
    }
    for client in clients {
        client.verify(&lab).await;
    }
    drop(lab);
    drop(group);
}
